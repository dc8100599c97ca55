/**
 * From the record to a scheduler: claim what fits → open dispatches → ONE submission → queued. Killed after opening, the
 * reconciler finds dispatches that no scheduler knows and lets their jobs wait again; killed after submitting, it finds
 * them by their name and adopts them.
 */
import type { SchedulerOptions } from '../contract/settings.js';
import { ERROR_CODES } from '../contract/status.js';
import { fault } from '../faults.js';
import type { Capacity, Scheduler, Submission, SubmissionOutcome } from '../schedulers/scheduler.js';
import type { Db } from '../store/db.js';
import {
  type CandidateRow,
  closeDispatches,
  findDispatchCandidates,
  findEndedJobs,
  lockUnstartedDispatches,
  markQueued,
  openDispatches,
} from '../store/dispatches.js';
import { chunksOf } from '../store/inputs.js';
import { type Finish, finishJobs, noteWaitReasons, noteWhyAllWait } from '../store/lifecycle.js';
import { cancelDispatchesOf } from './cancel.js';
import type { Context } from './context.js';
import { startsOurRunner } from './other-runner.js';
import { unsatisfiable } from './preflight.js';

export interface Dispatcher {
  /** Hands over until nothing more fits. Returns how many were handed over. */
  runOnce(): Promise<number>;
  /** Dispatches between their opening and the scheduler's answer; the reconciler leaves them alone. */
  readonly underWay: ReadonlySet<string>;
}

export function createDispatcher(ctx: Context): Dispatcher {
  const underWay = new Set<string>();
  const reasons = createReasons(ctx.db);
  return {
    underWay,
    async runOnce() {
      let handed = 0;
      for (const scheduler of ctx.schedulers.values()) handed += await drain(ctx, scheduler, underWay, reasons);
      return handed;
    },
  };
}

/** Why a scheduler takes nothing now, at each of its waiting jobs. */
interface Reasons {
  /** Null: it takes jobs. */
  tell(scheduler: string, reason: string | null): Promise<void>;
}

function createReasons(db: Db): Reasons {
  const told = new Map<string, string | null>();
  return {
    async tell(scheduler, reason) {
      // jobs that came since are to be told too; that all is well again is said once
      if (reason === null && told.get(scheduler) === null) return;
      if (await noteWhyAllWait(db, scheduler, reason)) told.set(scheduler, reason);
    },
  };
}

interface Round {
  readonly handed: number;
  /** Claimed by another server between our look and our claim. */
  readonly lost: number;
}

const NOTHING = { handed: 0, lost: 0, isLast: true };

/** Who lost a claim looks again: there may be others for the room that is still free. */
async function drain(ctx: Context, scheduler: Scheduler, underWay: Set<string>, reasons: Reasons): Promise<number> {
  let handed = 0;
  for (;;) {
    const round = await handOver(ctx, scheduler, underWay, reasons);
    handed += round.handed;
    if (round.isLast || round.handed + round.lost === 0) return handed;
  }
}

async function handOver(
  ctx: Context,
  scheduler: Scheduler,
  underWay: Set<string>,
  reasons: Reasons,
): Promise<Round & { readonly isLast: boolean }> {
  // of machines that share their jobs each has reasons of its own
  const isShared = ctx.limitsOf(scheduler).length > 1;
  const tell = async (reason: string | null) => (isShared ? undefined : reasons.tell(scheduler.name, reason));
  const capacity = await scheduler.capacity(isShared);
  if (capacity.jobs <= 0) return tell(capacity.reason).then(() => NOTHING);
  const candidates = await findDispatchCandidates(ctx.db, scheduler.name, capacity.jobs);
  const chosen = choose(ctx, scheduler, candidates, capacity);
  if (chosen.fitting.length === 0) await tell(null);
  if (chosen.waiting.length > 0) await noteWaitReasons(ctx.db, chosen.waiting);
  if (chosen.fitting.length === 0) return NOTHING;
  const claimed = chosen.fitting.map((row) => ({ row, dispatchId: ctx.ids.next() }));
  for (const { dispatchId } of claimed) underWay.add(dispatchId);
  try {
    const round = await submitClaimed(ctx, scheduler, claimed, tell);
    // fewer than there was room for: nobody else waits, unless another server took some and left its own
    return { ...round, isLast: candidates.length < capacity.jobs && round.lost === 0 };
  } finally {
    for (const { dispatchId } of claimed) underWay.delete(dispatchId);
  }
}

type Tell = (reason: string | null) => Promise<void>;

const A_PART = 1000;
const PARTS_AT_ONCE = 2;

/**
 * What is opened and recorded of many jobs goes in transactions of its own, two at a time where the database can do two
 * things at once: no dispatch depends on another. Killed between them, or if one fails, each dispatch is where a kill
 * before or after all of them would have left it.
 */
async function inParts<Row, Answer>(
  rows: readonly Row[],
  work: (part: readonly Row[]) => Promise<Answer>,
): Promise<Answer[]> {
  const parts = [...chunksOf(rows, A_PART)];
  const answers: Answer[] = [];
  const lane = async () => {
    for (let part = parts.shift(); part !== undefined; part = parts.shift()) answers.push(await work(part));
  };
  // all have ended before a failure is told: who is told takes the dispatches for done with
  const lanes = await Promise.allSettled(Array.from({ length: PARTS_AT_ONCE }, lane));
  const failed = lanes.find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return answers;
}

/**
 * Takes in fair order and stops at the first that does not fit now, so that a large job is not passed by for ever. Those
 * that could never fit (the machine shrank) are passed by and say why; those that only another machine can take are left
 * to it.
 */
function choose(ctx: Context, scheduler: Scheduler, candidates: readonly CandidateRow[], capacity: Capacity) {
  const fitting: CandidateRow[] = [];
  const waiting: { job_id: string; wait_reason: string | null }[] = [];
  const own = scheduler.limits();
  let { cpus, memoryMb } = capacity;
  for (const row of candidates) {
    const never = unsatisfiable(ctx, row.cpus, row.memory_mb, row.client_group);
    if (never !== null) {
      waiting.push({ job_id: row.job_id, wait_reason: never });
      continue;
    }
    if (row.cpus > own.cpus || row.memory_mb > own.memoryMb) continue;
    if (row.cpus > cpus || row.memory_mb > memoryMb) {
      waiting.push({ job_id: row.job_id, wait_reason: capacity.reason ?? 'waiting for free cpus or memory' });
      break;
    }
    cpus -= row.cpus;
    memoryMb -= row.memory_mb;
    fitting.push(row);
  }
  return { fitting, waiting };
}

interface Claimed {
  readonly row: CandidateRow;
  readonly dispatchId: string;
}

async function submitClaimed(
  ctx: Context,
  scheduler: Scheduler,
  claimed: readonly Claimed[],
  tell: Tell,
): Promise<Round> {
  const wanted = named(
    scheduler,
    claimed.map((item) => submissionOf(ctx, item)),
  );
  const rows = wanted.map(({ dispatchId, jobId, name }) => {
    return { dispatch_id: dispatchId, job_id: jobId, scheduler_name: name };
  });
  const ownRunner = startsOurRunner(ctx, scheduler);
  const opened = await inParts(rows, (part) =>
    ctx.db.transaction((tx) => openDispatches(tx, part, scheduler, ownRunner)),
  );
  fault('dispatch.opened');
  const ours = new Set(opened.flatMap((ids) => [...ids]));
  const submissions = wanted.filter(({ dispatchId }) => ours.has(dispatchId));
  const lost = claimed.length - submissions.length;
  if (submissions.length === 0) return { handed: 0, lost };
  const outcomes = await scheduler.submitMany(submissions);
  fault('dispatch.submitted');
  await tellOthers(scheduler, outcomes, tell);
  const jobOf = new Map(submissions.map(({ dispatchId, jobId }) => [dispatchId, jobId]));
  await inParts(outcomes, (part) => recordOutcomes(ctx, scheduler, jobOf, part));
  fault('dispatch.recorded');
  await cancelEnded(ctx, outcomes);
  ctx.wake('events');
  return { handed: outcomes.filter((outcome) => outcome.outcome === 'accepted').length, lost };
}

/**
 * Of a scheduler that was full only a few are tried: meanwhile all keep the reason for which they wait, and afterwards those
 * that were not tried wait for what the scheduler says now.
 */
async function tellOthers(scheduler: Scheduler, outcomes: readonly SubmissionOutcome[], tell: Tell): Promise<void> {
  if (outcomes.some(({ outcome }) => outcome === 'accepted' || outcome === 'rejected')) return tell(null);
  const { jobs, reason } = await scheduler.capacity();
  await tell(jobs <= 0 ? reason : null);
}

/**
 * Of a job that was cancelled while its submission was under way: the cancel found nothing at the scheduler yet. Killed
 * before this, the reconciler meets an ended job with a live dispatch and does the same.
 */
async function cancelEnded(ctx: Context, outcomes: readonly SubmissionOutcome[]): Promise<void> {
  const accepted = outcomes.filter(({ outcome }) => outcome === 'accepted').map(({ dispatchId }) => dispatchId);
  const ended = await findEndedJobs(ctx.db, accepted);
  if (ended.length > 0) await cancelDispatchesOf(ctx, ended);
}

/** Recorded with the dispatches: a submission whose answer never came is looked up by its name. */
function named(scheduler: Scheduler, submissions: readonly Submission[]): readonly Submission[] {
  const names = scheduler.plan?.(submissions);
  return names === undefined ? submissions : submissions.map((one, at) => ({ ...one, name: names[at] ?? null }));
}

function submissionOf(ctx: Context, { row, dispatchId }: Claimed): Submission {
  return {
    dispatchId,
    name: null,
    jobId: row.job_id,
    token: ctx.tokens.mint(dispatchId),
    owner: row.owner,
    cpus: row.cpus,
    memoryMb: row.memory_mb,
    diskGb: row.disk_gb,
    clientGroup: row.client_group,
    timeoutMs: row.timeout_ms,
    options: JSON.parse(row.scheduler_options) as SchedulerOptions,
    labels: {
      batchId: row.batch_id,
      parentJobId: row.parent_job_id,
      method: row.method,
      appId: row.app_id,
      wsid: row.wsid,
    },
  };
}

/**
 * | outcome  | dispatch | job                                                 |
 * | -------- | -------- | --------------------------------------------------- |
 * | accepted | open     | queued (or what it has become meanwhile)            |
 * | rejected | closed   | error, class submission                             |
 * | full     | closed   | stays created, with the reason; tried again later   |
 * | unknown  | open     | stays created; the reconciler looks the dispatch up |
 *
 * A dispatch that a process has started was accepted, whatever the answer; one that was given up meanwhile says nothing.
 */
async function recordOutcomes(
  ctx: Context,
  scheduler: Scheduler,
  jobOf: ReadonlyMap<string, string>,
  outcomes: readonly SubmissionOutcome[],
): Promise<void> {
  const of = (kind: SubmissionOutcome['outcome']) => outcomes.filter((outcome) => outcome.outcome === kind);
  const jobIdOf = ({ dispatchId }: SubmissionOutcome) => jobOf.get(dispatchId)!;
  const refused = [...of('rejected'), ...of('full')];
  await ctx.db.transaction(async (tx) => {
    const unstarted = await lockUnstartedDispatches(
      tx,
      refused.map(({ dispatchId }) => dispatchId),
    );
    const stands = ({ dispatchId }: SubmissionOutcome) => unstarted.has(dispatchId);
    const belied = refused.filter((outcome) => !stands(outcome));
    await markQueued(
      tx,
      [...of('accepted'), ...belied].map(({ dispatchId, schedulerId }) => {
        return { dispatch_id: dispatchId, scheduler_id: schedulerId };
      }),
    );
    await closeDispatches(
      tx,
      [...unstarted].map((dispatchId) => ({ dispatch_id: dispatchId, close_reason: 'rejected' as const })),
    );
    await finishJobs(
      tx,
      of('rejected')
        .filter(stands)
        .map((outcome) => rejected(jobIdOf(outcome), scheduler.name, outcome.reason)),
    );
    await noteWaitReasons(
      tx,
      [...of('full').filter(stands), ...of('unknown')].map((outcome) => ({
        job_id: jobIdOf(outcome),
        wait_reason: outcome.reason ?? `the ${scheduler.name} scheduler is full`,
      })),
    );
  });
}

function rejected(jobId: string, scheduler: string, reason: string | null): Finish {
  const message = `Cannot submit to ${scheduler} ${reason ?? 'and it gave no reason'}`;
  return {
    job_id: jobId,
    status: 'error',
    error_code: ERROR_CODES.submission,
    failure_class: 'submission',
    errormsg: message,
    error: JSON.stringify({ code: ERROR_CODES.submission, name: 'Submission rejected', message, error: message }),
    exit_code: null,
    exit_signal: null,
    job_output: null,
    actor: null,
  };
}
