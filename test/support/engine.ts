/** An engine on a real database, with a catalog of fixed apps and a scheduler whose jobs the test itself carries out. */
import { randomBytes } from 'node:crypto';
import type { Catalog, MethodSpec } from '../../src/catalog/catalog.js';
import { createIdSource } from '../../src/contract/ids.js';
import { RawJson } from '../../src/contract/raw-json.js';
import type { JobRequest, RetryResult, SubmitResult } from '../../src/contract/schemas.js';
import { DEFAULT_SETTINGS } from '../../src/contract/settings.js';
import type { Status } from '../../src/contract/status.js';
import type { WorkerReport } from '../../src/contract/worker.js';
import type { Context, Right } from '../../src/engine/context.js';
import { createEngine } from '../../src/engine/create-engine.js';
import { createDispatcher } from '../../src/engine/dispatch.js';
import type { Actor, RetryOptions, SubmitTarget } from '../../src/engine/engine.js';
import { createLeases } from '../../src/engine/leases.js';
import { createSpared } from '../../src/engine/next-dispatch.js';
import { createWake } from '../../src/engine/wake.js';
import type { Hearing } from '../../src/maintenance/hearing.js';
import { createReconciler } from '../../src/maintenance/reconciler.js';
import {
  type DispatchEnd,
  type DispatchRef,
  type DispatchState,
  plainState,
  type Scheduler,
  type Submission,
  type SubmissionOutcome,
} from '../../src/schedulers/scheduler.js';
import { type Db, statement } from '../../src/store/db.js';
import { until } from './until.js';

export const COMMIT = 'a'.repeat(40);

export interface FixedCatalog extends Catalog {
  withdrawn: Set<string>;
}

export function fixedCatalog(): FixedCatalog {
  const withdrawn = new Set<string>();
  const specOf = (method: string): MethodSpec => ({
    module: method.split('.')[0]!,
    method,
    commit: COMMIT,
    tag: 'release',
    timeoutMs: 60_000,
    cpus: 1,
    memoryMb: 100,
    diskGb: null,
    clientGroup: null,
    checkParams: (params) => (params === 'bad' ? 'parameters do not fit: it is bad' : null),
  });
  return {
    withdrawn,
    async resolve(requests) {
      return requests.map(({ method }) => {
        if (withdrawn.has(method)) {
          return { ok: false, code: 'VERSION_WITHDRAWN', sentence: `version ${COMMIT} of ${method} was withdrawn` };
        }
        if (!method.includes('.')) return { ok: false, code: 'UNKNOWN_METHOD', sentence: `no app has ${method}` };
        return { ok: true, spec: specOf(method) };
      });
    },
    async executions(jobs) {
      return jobs.map(({ method, commit }) => ({
        module: method.split('.')[0]!,
        commit,
        repository: '/nowhere',
        command: ['true'],
        env: {},
      }));
    },
    async archive() {
      throw new Error('these apps have no files');
    },
  };
}

const idsOfRefs = (refs: readonly DispatchRef[]) => refs.map(({ dispatchId }) => dispatchId);

const REASONS: Partial<Record<SubmissionOutcome['outcome'], string>> = {
  rejected: 'because it was told to',
  unknown: 'the local scheduler did not answer',
};

/** Keeps what it was given; the test decides what becomes of it. */
export class HandScheduler implements Scheduler {
  readonly name = 'local';
  readonly host: string;
  readonly given = new Map<string, Submission>();
  readonly gone = new Set<string>();
  readonly canceled = new Set<string>();
  free = { cpus: 10_000, memoryMb: 10_000_000, jobs: 10_000, reason: null as string | null };
  next: SubmissionOutcome['outcome'] = 'accepted';
  down = false;
  /** Of dispatches that ended without a word of their runner. */
  readonly ends = new Map<string, DispatchEnd>();
  /** Of dispatches that it has not begun. */
  readonly reasons = new Map<string, string>();
  constructor(host = 'hand') {
    this.host = host;
  }
  limits = () => ({ cpus: 64, memoryMb: 64_000 });
  start = async () => {};
  stop = async () => {};
  capacity = async () => this.free;
  async submitMany(submissions: readonly Submission[]): Promise<SubmissionOutcome[]> {
    return submissions.map((submission) => {
      if (this.next === 'accepted' || this.next === 'unknown') this.given.set(submission.dispatchId, submission);
      return {
        dispatchId: submission.dispatchId,
        outcome: this.next,
        schedulerId: this.next === 'accepted' ? `h-${submission.dispatchId}` : null,
        reason: REASONS[this.next] ?? null,
      };
    });
  }
  async find(refs: readonly DispatchRef[]) {
    return new Map(idsOfRefs(refs).flatMap((id) => (this.given.has(id) ? [[id, `h-${id}`] as const] : [])));
  }
  async poll(refs: readonly DispatchRef[]) {
    if (this.down) throw new Error('the scheduler does not answer');
    return new Map<string, DispatchState>(idsOfRefs(refs).map((id) => [id, this.#stateOf(id)]));
  }
  #stateOf(id: string): DispatchState {
    const end = this.ends.get(id) ?? null;
    if (end !== null || this.gone.has(id) || !this.given.has(id)) return { state: 'gone', end };
    const reason = this.reasons.get(id);
    return reason === undefined ? plainState('running') : { state: 'pending', reason };
  }
  async cancel(refs: readonly DispatchRef[]) {
    for (const id of idsOfRefs(refs)) this.canceled.add(id);
  }
  onChange() {}
}

/** The end of a job that went well, as a runner tells it. */
export const DONE = {
  failure_class: null,
  error_message: null,
  exit_code: 0,
  exit_signal: null,
  output: '1',
  peak_memory_mb: null,
  cpu_seconds: null,
};

export const alice: Actor = { user: 'alice', admin: 'none', asAdmin: false };
export const bob: Actor = { user: 'bob', admin: 'none', asAdmin: false };
export const admin: Actor = { user: 'root', admin: 'write', asAdmin: true };

/** As a server that has been up for long. */
const ALWAYS_HEARS: Hearing = { turn: (run) => run(true) };

export function openEngine(
  db: Db,
  parts: Partial<Context> = {},
  scheduler = new HandScheduler(),
  hearing = ALWAYS_HEARS,
) {
  const catalog = fixedCatalog();
  const rights = new Map<string, Right>();
  const unreadable = new Set<string>();
  const wake = createWake({ dispatch: 0, events: 0, cancel: 0 });
  const ctx: Context = {
    db,
    catalog,
    workspaces: {
      workspaceRights: async (user, wsids) =>
        new Map(wsids.map((wsid) => [wsid, rights.get(`${user}/${wsid}`) ?? rights.get(`*/${wsid}`) ?? 'none'])),
      unreadableObjects: async (_user, refs) => new Set(refs.filter((ref) => unreadable.has(ref))),
    },
    schedulers: new Map([[scheduler.name, scheduler]]),
    schedulerFor: () => scheduler,
    otherRunner: null,
    limitsOf: (one) => [one.limits()],
    tokens: {
      mint: (id) => `t-${id}`,
      verify: (token) => (/^t-[0-9a-f]{24}$/.test(token) ? token.slice(2) : null),
    },
    ids: createIdSource(Date.now, randomBytes),
    leases: createLeases(db),
    spared: createSpared(() => {}),
    settings: DEFAULT_SETTINGS,
    wake: wake.wake,
    onEvents: (listener) => wake.on('events', listener),
    log: () => {},
    ...parts,
  };
  const engine = createEngine(ctx);
  const dispatcher = createDispatcher(ctx);
  const reconciler = createReconciler(ctx, dispatcher.underWay, hearing);
  return { ctx, engine, dispatcher, reconciler, scheduler, catalog, rights, unreadable, wake };
}
export type Harness = ReturnType<typeof openEngine>;

const countUnsettledEvents = statement<{ events: number }>(
  'test_count_unsettled_events',
  'select count(*) as events from events where txid >= pg_snapshot_xmin(pg_current_snapshot())',
);

/** On a server that others use too, an event can be read only when every transaction that is older has ended. */
export const eventsSettled = (h: Harness) =>
  until('the events to settle', async () => (await h.ctx.db.query(countUnsettledEvents))[0]?.events === 0);

const repeat = (operation: string, requestId: string | undefined) => ({ operation, requestId, body: 'same' });

export function submitJobs(
  h: Harness,
  count: number,
  o: { actor?: Actor; target?: SubmitTarget; job?: Partial<JobRequest>; requestId?: string } = {},
): Promise<SubmitResult> {
  const jobs = Array.from({ length: count }, (_, index) => ({
    method: 'demo.run',
    params: new RawJson(String(index)),
    ...o.job,
  }));
  return h.engine.submit(o.actor ?? alice, {
    jobs,
    target: o.target ?? { kind: 'jobs' },
    allOrNothing: false,
    dryRun: false,
    repeat: repeat('submit', o.requestId),
  });
}

export const newBatch: SubmitTarget = { kind: 'batch', name: null, wsid: null, meta: {} };
export const idsOf = (result: SubmitResult): string[] => result.items.map((item) => item.job_id as string);

export function retryIds(
  h: Harness,
  ids: readonly string[],
  o: { actor?: Actor; reason?: string; requestId?: string; dryRun?: boolean } = {},
): Promise<RetryResult> {
  return h.engine.retry(o.actor ?? alice, {
    what: { ids },
    reason: o.reason ?? null,
    dryRun: o.dryRun ?? false,
    repeat: repeat('retry', o.requestId),
  });
}

export function retryBatch(h: Harness, batchId: string, states: readonly Status[]): Promise<RetryResult> {
  const what: RetryOptions['what'] = { batchId, states };
  return h.engine.retry(alice, { what, reason: null, dryRun: false, repeat: repeat('retryBatch', undefined) });
}

export type Outcome = 'ok' | 'fail';

const ended = (outcome: Outcome): NonNullable<WorkerReport['finish']> => ({
  failure_class: outcome === 'ok' ? null : 'app',
  error_message: outcome === 'ok' ? null : 'exit code 3: it broke',
  exit_code: outcome === 'ok' ? 0 : 3,
  exit_signal: null,
  output: outcome === 'ok' ? '{"done":true}' : null,
  peak_memory_mb: null,
  cpu_seconds: null,
});

/** Dispatches what waits and carries out every dispatch that is open, as a runner would. */
export async function runAll(h: Harness, outcome: (jobId: string) => Outcome): Promise<void> {
  await h.dispatcher.runOnce();
  const open = [...h.scheduler.given.values()].filter((submission) => !h.scheduler.gone.has(submission.dispatchId));
  await h.engine.report(
    open.map(({ token, jobId }) => ({ token, start: { host: 'here' }, finish: ended(outcome(jobId)), gone: true })),
  );
  for (const { dispatchId } of open) h.scheduler.gone.add(dispatchId);
}

export async function statusOf(h: Harness, jobId: string): Promise<Status> {
  const found = (await h.engine.find(admin, [jobId])).get(jobId);
  if (found?.kind !== 'job') throw new Error(`no job ${jobId}`);
  return found.job.status;
}
