/** Finding what a call is about, with the caller's right to it; the sentences are those that EE2's users know. */
import { RepriseError } from '../contract/errors.js';
import { isJobId } from '../contract/ids.js';
import { type BatchRow, findBatches } from '../store/batches.js';
import { findJobAccess, type JobAccessRow } from '../store/jobs.js';
import { deniedSentence, type Level, requireOnJob, type Subject } from './authorize.js';
import type { Context } from './context.js';
import type { Actor } from './engine.js';

export function noSuchJob(id: string): RepriseError {
  if (isJobId(id)) return new RepriseError('NOT_FOUND', `Cannot find job with ids: ['${id}']`);
  return new RepriseError(
    'NOT_FOUND',
    `'${id}' is not a valid ObjectId, it must be a 12-byte input or a 24-character hex string`,
  );
}

/** The root's owner keeps read and cancel on every retry; what only its workers do, its own owner's do. */
export function subjectOf(job: JobAccessRow, level: Level = 'read'): Subject {
  const { job_id: jobId, owner, root_owner: rootOwner, wsid } = job;
  return level === 'read' ? { jobId, owner, rootOwner, wsid } : { jobId, owner, wsid };
}

export type Accessible =
  | { readonly kind: 'job'; readonly job: JobAccessRow }
  | { readonly kind: 'batch'; readonly batch: BatchRow };

/** A job or a batch parent that the caller may read or write. */
export async function findOne(ctx: Context, actor: Actor, level: Level, id: string): Promise<Accessible> {
  if (!isJobId(id)) throw noSuchJob(id);
  const [job] = await findJobAccess(ctx.db, [id]);
  if (job === undefined) return { kind: 'batch', batch: await findBatch(ctx, actor, level, id) };
  await requireOnJob(ctx, actor, level, id, subjectOf(job, level));
  return { kind: 'job', job };
}

export async function findBatch(ctx: Context, actor: Actor, level: Level, id: string): Promise<BatchRow> {
  const [batch] = await findBatches(ctx.db, [id]);
  if (batch === undefined) throw noSuchJob(id);
  await requireOnJob(ctx, actor, level, id, batch);
  return batch;
}

/** A batch parent does not run: it can not be started, finished or logged to. */
export async function findOneJob(
  ctx: Context,
  actor: Actor,
  level: Level,
  id: string,
  verb: string,
): Promise<JobAccessRow> {
  const found = await findOne(ctx, actor, level, id);
  if (found.kind === 'job') return found.job;
  throw notForBatches(id, verb);
}

export function notForBatches(id: string, verb: string): RepriseError {
  return new RepriseError('CONFLICT', `${id} is a batch, which can not be ${verb}; name one of its jobs`);
}

export interface FoundSubject {
  readonly id: string;
  readonly kind: 'job' | 'batch' | 'unknown';
  readonly subject: Subject | null;
}

/** Of many ids at once, in their order, without judging rights. */
export async function findAll(ctx: Context, ids: readonly string[]): Promise<FoundSubject[]> {
  const asked = [...new Set(ids.filter(isJobId))];
  const jobs = new Map((await findJobAccess(ctx.db, asked)).map((job) => [job.job_id, job]));
  const rest = asked.filter((id) => !jobs.has(id));
  const batches = new Map((await findBatches(ctx.db, rest)).map((batch) => [batch.batch_id, batch]));
  return ids.map((id) => {
    const job = jobs.get(id);
    if (job !== undefined) return { id, kind: 'job', subject: subjectOf(job) };
    const batch = batches.get(id);
    return batch === undefined ? { id, kind: 'unknown', subject: null } : { id, kind: 'batch', subject: batch };
  });
}

/** What a caller without the right is told: that there is no such job, or that it is not theirs. */
export function refusedAccess(actor: Actor, level: Level, found: FoundSubject): RepriseError {
  if (found.kind === 'unknown') return noSuchJob(found.id);
  return new RepriseError('FORBIDDEN', deniedSentence(actor.user, level, found.id));
}
