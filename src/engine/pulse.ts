/**
 * What workers and pollers ask all the time: one look-up for the job, the caller's right and the length of the log. Calls
 * of workers renew the lease of their dispatch.
 */

import { RepriseError } from '../contract/errors.js';
import { isJobId } from '../contract/ids.js';
import type { Status } from '../contract/status.js';
import { findJobPulse, type JobPulseRow } from '../store/jobs.js';
import { deniedSentence, type Level, requireOnJob } from './authorize.js';
import type { Context } from './context.js';
import type { Actor } from './engine.js';
import { findBatch, noSuchJob, notForBatches, subjectOf } from './subjects.js';

/** A job that the caller may read or write, as it is now. */
export async function pulseOf(ctx: Context, actor: Actor, level: Level, id: string): Promise<JobPulseRow | undefined> {
  if (!isJobId(id)) throw noSuchJob(id);
  const row = await findJobPulse(ctx.db, id, actor.dispatchId ?? null);
  if (row === undefined) return undefined;
  if (actor.dispatchId === undefined) await requireOnJob(ctx, actor, level, id, subjectOf(row, level));
  else if (row.dispatch_job_id !== id) throw new RepriseError('FORBIDDEN', deniedSentence(actor.user, level, id));
  return row;
}

/** The same for what a batch parent can not do. */
export async function workerPulseOf(ctx: Context, actor: Actor, level: Level, id: string, verb: string) {
  const row = await pulseOf(ctx, actor, level, id);
  if (row !== undefined) {
    renewLease(ctx, actor, id);
    return row;
  }
  await findBatch(ctx, actor, level, id);
  throw notForBatches(id, verb);
}

export function renewLease(ctx: Context, actor: Actor, jobId: string): void {
  if (actor.dispatchId === undefined) ctx.leases.renewOfJob(jobId);
  else ctx.leases.renew(actor.dispatchId);
}

/** Of a job, or of a batch's parent as EE2 shows it. */
export async function statusOf(ctx: Context, actor: Actor, id: string): Promise<Status> {
  const job = await pulseOf(ctx, actor, 'read', id);
  if (job === undefined) return (await findBatch(ctx, actor, 'read', id)).status;
  // whoever merely may look is no sign of life; a job's owner, whose token its runner has, may be one
  if (actor.dispatchId !== undefined || actor.user === job.owner) renewLease(ctx, actor, id);
  return job.status;
}
