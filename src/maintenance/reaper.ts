/**
 * Ends what waits or runs and will never get on by itself. No job is ended for its age while it is `created`: that is
 * dispatched, and says why it waits.
 *
 * | job      | and                                                        | becomes                                |
 * | -------- | ---------------------------------------------------------- | -------------------------------------- |
 * | queued   | no dispatch is open                                        | created: it waits again                |
 * | queued   | for longer than `queuedMs` (15 days)                       | error: platform                        |
 * | started  | no sign of life for longer than `leaseMs` (an hour)        | error: platform                        |
 * | started  | the same, by a worker that is not ours                     | nothing: it need not know a heartbeat  |
 *
 * Machines with a scheduler of their own have leases (hosts.ts); the last rows are about schedulers that many servers share.
 * Silence is believed as `hearing.ts` says. What still runs is cancelled at its scheduler, and until that is done no retry of
 * it starts.
 */
import { cancelDispatchesOf } from '../engine/cancel.js';
import type { Context } from '../engine/context.js';
import { lostFinish } from '../engine/worker-reports.js';
import { type Finish, finishJobs, requeueJobs } from '../store/lifecycle.js';
import { lockJobsQueuedFor, lockSilentDispatches, lockUnheldJobs } from '../store/reap.js';
import { createHearing } from './hearing.js';

export interface ReapLimits {
  readonly queuedMs: number;
  readonly leaseMs: number;
}

export const REAP_LIMITS: ReapLimits = { queuedMs: 15 * 24 * 3_600_000, leaseMs: 3_600_000 };

export interface Reaper {
  readonly intervalMs: number;
  /** Returns how many jobs were moved. */
  runOnce(): Promise<number>;
}

const LONGEST_INTERVAL_MS = 60_000;

/** `now`: milliseconds of a clock that never goes back. */
export function createReaper(ctx: Context, limits: ReapLimits, now: () => number): Reaper {
  const intervalMs = Math.min(limits.leaseMs / 10, LONGEST_INTERVAL_MS);
  const hearing = createHearing(limits.leaseMs, intervalMs, now);
  return {
    intervalMs,
    runOnce: () =>
      hearing.turn(async (hears) => {
        const requeued = await requeueUnheld(ctx);
        const overdue = await endOverdue(ctx, limits.queuedMs / 1000);
        const silent = hears ? await endSilent(ctx, limits.leaseMs / 1000) : [];
        return told(ctx, requeued, [...overdue, ...silent]);
      }),
  };
}

/** Killed before the schedulers are asked, the reconciler meets ended jobs with open dispatches and does the same. */
async function told(ctx: Context, requeued: number, ended: readonly string[]): Promise<number> {
  if (ended.length > 0) await cancelDispatchesOf(ctx, ended);
  if (requeued + ended.length === 0) return 0;
  ctx.log('jobs that would not have got on were moved', { requeued, ended: ended.length });
  ctx.wake('dispatch');
  ctx.wake('events');
  return requeued + ended.length;
}

async function requeueUnheld(ctx: Context): Promise<number> {
  return ctx.db.transaction(async (tx) => {
    const jobIds = await lockUnheldJobs(tx);
    await requeueJobs(tx, jobIds);
    return jobIds.length;
  });
}

async function endOverdue(ctx: Context, seconds: number): Promise<string[]> {
  const days = Math.round((seconds / 86_400) * 10) / 10;
  return ctx.db.transaction(async (tx) => {
    const found = await lockJobsQueuedFor(tx, seconds);
    const finishes = found.map(({ job_id, scheduler }) =>
      lostFinish(job_id, `the scheduler ${scheduler} had the job for ${days} days and did not start it`),
    );
    return endAll(tx, finishes);
  });
}

async function endSilent(ctx: Context, seconds: number): Promise<string[]> {
  return ctx.db.transaction(async (tx) => {
    const found = await lockSilentDispatches(tx, seconds);
    const message = `the job was lost: its runner gave no sign of life for ${Math.round(seconds)} s`;
    return endAll(
      tx,
      found.map(({ job_id }) => lostFinish(job_id, message)),
    );
  });
}

async function endAll(tx: Parameters<typeof finishJobs>[0], finishes: readonly Finish[]): Promise<string[]> {
  return [...(await finishJobs(tx, finishes))];
}
