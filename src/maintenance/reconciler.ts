/**
 * Compares every open dispatch with what its scheduler says, and closes the gaps a crash can leave:
 *
 * | the scheduler says | job not started                     | job started                         | job ended            |
 * | ------------------ | ----------------------------------- | ----------------------------------- | -------------------- |
 * | pending, running   | adopted: queued                     | nothing                             | cancelled again      |
 * | pending: why       | that is the reason why it waits     | nothing                             | cancelled again      |
 * | gone               | dispatch lost, the job waits again  | dispatch lost, error: platform, but | dispatch closed      |
 * |                    |                                     | not while its runner still speaks,  |                      |
 * |                    |                                     | or may not have been heard          |                      |
 * | gone: its end      | see give-up.ts                      | see give-up.ts                      | dispatch closed      |
 * | (can not be asked) | nothing                             | nothing                             | nothing              |
 *
 * "gone" is believed only if the scheduler says so twice, a turn apart: between the two a result that was on its way has
 * arrived. A dispatch that this server is just handing over is left alone, and so is one that was opened a moment ago,
 * where another server may be handing it over. A scheduler that several servers share is asked by one of them at a time;
 * one that can not be asked does not keep the others from being asked.
 *
 * Jobs without a dispatch are dispatched (engine/dispatch.ts); here it is noted why one has to wait:
 *
 * | a created job                                  | waits for                                  |
 * | ---------------------------------------------- | ------------------------------------------ |
 * | whose predecessor's dispatch is open           | the end of the predecessor's processes     |
 * | whose scheduler no server here has             | a server that has it                       |
 * | any other                                      | what the dispatcher says                   |
 */
import { isTerminal } from '../contract/status.js';
import type { Context } from '../engine/context.js';
import { DEFAULT_GRACE_SECONDS } from '../engine/other-runner.js';
import { type DispatchEnd, type DispatchState, plainState, type Scheduler } from '../schedulers/scheduler.js';
import { findOpenDispatches, markQueued, type OpenDispatchRow, refOf } from '../store/dispatches.js';
import { noteSchedulerReasons } from '../store/lifecycle.js';
import { noteWhyJobsWait } from '../store/reap.js';
import { giveUpDispatches } from './give-up.js';
import type { Hearing } from './hearing.js';

/** Another replica may be between opening and submitting. */
const SUBMISSION_SECONDS = 30;
/** Of a runner whose scheduler forgot it: three of its heartbeats. */
const SILENCE_SECONDS = 90;
export const SILENCE_MS = SILENCE_SECONDS * 1000;

export interface Reconciler {
  runOnce(): Promise<void>;
}

interface Turn {
  readonly ctx: Context;
  readonly underWay: ReadonlySet<string>;
  /** See `Hearing`. */
  readonly hears: boolean;
}

/** `hearing`: of a lease of `SILENCE_MS`. */
export function createReconciler(ctx: Context, underWay: ReadonlySet<string>, hearing: Hearing): Reconciler {
  const goneBefore = new Map([...ctx.schedulers.keys()].map((name) => [name, new Map() as GoneBefore]));
  const all = async (hears: boolean) => {
    const turn = { ctx, underWay, hears };
    const failures: unknown[] = [];
    for (const scheduler of ctx.schedulers.values()) {
      const gone = goneBefore.get(scheduler.name) as GoneBefore;
      await reconcileInTurn(turn, scheduler, gone).catch((error: unknown) => failures.push(error));
    }
    await noteWhyJobsWait(ctx.db, [...ctx.schedulers.keys()]);
    return failures;
  };
  return {
    async runOnce() {
      // a scheduler that can not be asked says nothing of runners
      const failures = await hearing.turn(all);
      if (failures.length > 0) throw failures[0];
    },
  };
}

/** What was gone at the last turn, and what it was called: one that has moved meanwhile was another process's. */
type GoneBefore = Map<string, string | null>;

/** Who was not let in has missed a turn: what it heard before is not "twice, a turn apart". */
async function reconcileInTurn(turn: Turn, scheduler: Scheduler, goneBefore: GoneBefore): Promise<void> {
  const run = () => reconcile(turn, scheduler, goneBefore);
  if (scheduler.host !== null) return run();
  if (!(await turn.ctx.db.exclusively(`reconcile ${scheduler.name}`, run))) goneBefore.clear();
}

async function reconcile({ ctx, underWay, hears }: Turn, scheduler: Scheduler, goneBefore: GoneBefore): Promise<void> {
  const open = (await findOpenDispatches(ctx.db, scheduler.name, scheduler.host)).filter(
    (row) => !underWay.has(row.dispatch_id) && (row.submitted_at !== null || isOld(scheduler, row)),
  );
  if (open.length === 0) return;
  const states = await scheduler.poll(open.map(refOf));
  const stateOf = (row: OpenDispatchRow): DispatchState => states.get(row.dispatch_id) ?? plainState('pending');
  const alive = open.filter((row) => stateOf(row).state !== 'gone');
  const gone = open.filter((row) => stateOf(row).state === 'gone');
  const believed = gone.filter((row) => goneBefore.get(row.dispatch_id) === row.scheduler_name);
  for (const row of alive) goneBefore.delete(row.dispatch_id);
  for (const row of gone) goneBefore.set(row.dispatch_id, row.scheduler_name);

  await adopt(ctx, scheduler, alive);
  await noteSchedulerReasons(ctx.db, [...reasonsOf(alive, stateOf), ...gone.map(reasonOfGone)]);
  await cancelEnded(ctx, scheduler, alive);
  await closeGone(ctx, believed, stateOf, silenceOf(scheduler, hears));
  for (const row of believed) goneBefore.delete(row.dispatch_id);
}

/** On a scheduler of this machine nobody else submits. */
function isOld(scheduler: Scheduler, row: OpenDispatchRow): boolean {
  return scheduler.host !== null || row.age > SUBMISSION_SECONDS;
}

/** A submission whose outcome was unknown: the scheduler has it after all. */
async function adopt(ctx: Context, scheduler: Scheduler, alive: readonly OpenDispatchRow[]): Promise<void> {
  const unsure = alive.filter((row) => row.submitted_at === null).map(refOf);
  if (unsure.length === 0) return;
  const found = await scheduler.find(unsure);
  const rows = [...found].map(([dispatchId, schedulerId]) => ({ dispatch_id: dispatchId, scheduler_id: schedulerId }));
  await ctx.db.transaction((tx) => markQueued(tx, rows));
  ctx.wake('events');
}

async function cancelEnded(ctx: Context, scheduler: Scheduler, alive: readonly OpenDispatchRow[]): Promise<void> {
  const grace = ctx.otherRunner?.graceSeconds ?? DEFAULT_GRACE_SECONDS;
  const hasGrace = (row: OpenDispatchRow) =>
    !row.own_runner && scheduler.external !== true && row.started_at !== null && (row.ended_for ?? 0) < grace;
  // an end that was reported a moment ago is followed by "gone" on its own; asking twice does no harm
  const ended = alive.filter((row) => isTerminal(row.status) && !hasGrace(row)).map(refOf);
  if (ended.length > 0) await scheduler.cancel(ended);
}

type StateOf = (row: OpenDispatchRow) => DispatchState;

/** Null where the scheduler says nothing any more: it is about to begin. */
function reasonsOf(alive: readonly OpenDispatchRow[], stateOf: StateOf) {
  return alive.map((row) => {
    const state = stateOf(row);
    return { job_id: row.job_id, wait_reason: state.state === 'pending' ? state.reason : null };
  });
}

/** Also so that nobody is given what an operator has just cancelled (engine/next-dispatch.ts). */
const reasonOfGone = ({ job_id }: OpenDispatchRow) => {
  return { job_id, wait_reason: 'its scheduler does not have it any more; it is asked once more' };
};

/** Seconds; see `Ends`. A scheduler of this machine knows its processes. */
function silenceOf(scheduler: Scheduler, hears: boolean): number {
  if (scheduler.host !== null) return 0;
  return hears ? SILENCE_SECONDS : Number.POSITIVE_INFINITY;
}

async function closeGone(
  ctx: Context,
  gone: readonly OpenDispatchRow[],
  stateOf: StateOf,
  silence: number,
): Promise<void> {
  if (gone.length === 0) return;
  const known = new Map<string, DispatchEnd>();
  for (const row of gone) {
    const state = stateOf(row);
    if (state.state === 'gone' && state.end !== null) known.set(row.dispatch_id, state.end);
  }
  const names = new Map(gone.map((row) => [row.dispatch_id, row.scheduler_name]));
  await ctx.db.transaction((tx) => giveUpDispatches(tx, [...names.keys()], { known, names, silence }));
  ctx.wake('dispatch');
  ctx.wake('events');
}
