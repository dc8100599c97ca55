/**
 * Cancel: the record says `terminated` at once; the processes are ended by the scheduler and the dispatch stays open
 * until none is left, so that a retry never runs beside its predecessor (store/dispatches.ts, candidates).
 */
import { RepriseError } from '../contract/errors.js';
import type { CancelResult, ItemError } from '../contract/schemas.js';
import { type FailureClass, TERMINATED_CODES } from '../contract/status.js';
import { fault } from '../faults.js';
import { findUnfinishedOfBatch, terminateBatchIfOpen } from '../store/batches.js';
import { closeDispatches, findOpenDispatchesOfJobs, type OpenDispatchOfJobRow, refOf } from '../store/dispatches.js';
import { terminateJobs } from '../store/lifecycle.js';
import { mayAll, usesAdmin } from './authorize.js';
import type { Context } from './context.js';
import type { Actor } from './engine.js';
import { findAll, refusedAccess } from './subjects.js';

export async function cancel(
  ctx: Context,
  actor: Actor,
  ids: readonly string[],
  terminatedCode: number | null,
): Promise<CancelResult> {
  const admin = usesAdmin(actor, 'write');
  const code = checkCode(terminatedCode ?? (admin ? TERMINATED_CODES.admin : TERMINATED_CODES.user));
  const subjects = await findAll(ctx, ids);
  const rights = await mayAll(
    ctx,
    actor,
    'write',
    subjects.map((found) => found.subject ?? NOBODY),
  );
  const allowed = subjects.filter((_, index) => rights[index]);
  const jobIds = allowed.filter((found) => found.kind === 'job').map((found) => found.id);
  const batchIds = allowed.filter((found) => found.kind === 'batch').map((found) => found.id);
  const ended = await terminate(ctx, actor, jobIds, batchIds, code);
  fault('cancel.recorded');
  ctx.wake('events');
  const all = [...ended.jobs, ...[...ended.batches.values()].flat()];
  if (all.length > 0) await cancelDispatchesOf(ctx, all);
  fault('cancel.asked');
  const jobsEnded = new Set(ended.jobs);
  return {
    items: subjects.map((found, index) => ({
      requested_id: found.id,
      cancelled: found.kind === 'batch' ? (ended.batches.get(found.id)?.length ?? 0) : Number(jobsEnded.has(found.id)),
      error: rights[index] ? null : told(refusedAccess(actor, 'write', found)),
    })),
  };
}

const NOBODY = { owner: '', wsid: null };
const told = (error: RepriseError): ItemError => ({ code: error.code, message: error.message });

function checkCode(code: number): number {
  if (Object.values(TERMINATED_CODES).includes(code as 0)) return code;
  throw new RepriseError('INVALID_INPUT', `terminated_code ${code} is not one of 0, 1, 2, 3, 4`);
}

function failureClassOf(code: number): FailureClass {
  return code === TERMINATED_CODES.automation || code === TERMINATED_CODES.server ? 'platform' : 'user';
}

/** Named jobs first, batches in order of id: two calls lock in one order. */
async function terminate(
  ctx: Context,
  actor: Actor,
  jobIds: readonly string[],
  batchIds: readonly string[],
  code: number,
): Promise<{ jobs: string[]; batches: Map<string, string[]> }> {
  const actorName = actor.user || null;
  return ctx.db.transaction(async (tx) => {
    const jobs = await terminateJobs(tx, [...new Set(jobIds)], code, failureClassOf(code), actorName);
    fault('cancel.terminated');
    const batches = new Map<string, string[]>();
    for (const batchId of [...new Set(batchIds)].sort()) {
      // locks the batch's row: an extension either committed before and is seen below, or finds the batch closed
      await terminateBatchIfOpen(tx, batchId, code, actor.user);
      const unfinished = await findUnfinishedOfBatch(tx, batchId);
      batches.set(batchId, await terminateJobs(tx, unfinished, TERMINATED_CODES.batch, 'user', actorName));
    }
    return { jobs, batches };
  });
}

/**
 * For jobs that have ended: ends what we run for them.
 *
 * | the dispatch is                          | what is done                                                     |
 * | ---------------------------------------- | ---------------------------------------------------------------- |
 * | of a scheduler that starts nothing       | closed: there is no process to wait for                          |
 * | another's runner, which has begun        | nothing: it notices by itself, and has the grace to clean up     |
 * | any other                                | its scheduler is asked to end it; closed when nothing is left    |
 *
 * Killed before or while doing it, the reconciler meets ended jobs with open dispatches and does the same.
 */
export async function cancelDispatchesOf(ctx: Context, jobIds: readonly string[]): Promise<void> {
  const open = await findOpenDispatchesOfJobs(ctx.db, jobIds);
  const isExternal = (row: OpenDispatchOfJobRow) => ctx.schedulers.get(row.scheduler)?.external === true;
  await closeDispatches(
    ctx.db,
    open.filter(isExternal).map((row) => ({
      dispatch_id: row.dispatch_id,
      close_reason: row.status === 'terminated' ? 'canceled' : 'finished',
    })),
  );
  await cancelAtSchedulers(
    ctx,
    open.filter((row) => !isExternal(row) && (row.own_runner || !row.started)),
  );
}

/**
 * One that can not be asked now is asked again by the reconciler, which meets an ended job with a live dispatch. What another
 * server's machine has, that server is hinted to look for in the same way.
 */
export async function cancelAtSchedulers(ctx: Context, rows: readonly OpenDispatchOfJobRow[]): Promise<void> {
  const isOurs = (row: OpenDispatchOfJobRow) => row.scheduler_host === ctx.schedulers.get(row.scheduler)?.host;
  if (!rows.every(isOurs)) ctx.wake('cancel');
  for (const [name, scheduler] of ctx.schedulers) {
    const mine = rows.filter((row) => row.scheduler === name && isOurs(row)).map(refOf);
    if (mine.length === 0) continue;
    try {
      await scheduler.cancel(mine);
    } catch (error) {
      ctx.log('a scheduler could not be asked to cancel; the reconciler will ask again', { scheduler: name, error });
    }
  }
}
