/** Reading: single records by id with the caller's rights, and keyset pages of what the caller may see. */
import { RepriseError } from '../contract/errors.js';
import { isJobId } from '../contract/ids.js';
import type { BatchItem, BatchView, EventView, JobSummary } from '../contract/schemas.js';
import {
  type BatchRow,
  countItems,
  findBatches,
  findBatchesPage,
  findChildIds,
  findFirstApps,
} from '../store/batches.js';
import { findDispatchesOfJob } from '../store/dispatches.js';
import { type EventCursor, type EventScope, findEvents, lastCursor } from '../store/events.js';
import { findItemsPage } from '../store/items.js';
import { findIdsInWorkspace, findJobs, findJobsPage, findLineage } from '../store/jobs.js';
import { countRange, findIdsInRange } from '../store/ranges.js';
import { may, mayAll, requireOnJob, type Subject, usesAdmin } from './authorize.js';
import type { Context } from './context.js';
import type {
  Actor,
  BatchFilter,
  DispatchRecord,
  EventFilter,
  Found,
  ItemFilter,
  JobFilter,
  JobRecord,
  Page,
  RangeFilter,
  RangeFound,
} from './engine.js';
import { batchItem, batchRecord, batchView, dispatchRecord, eventView, jobRecord, jobSummary } from './present.js';
import { findOne, noSuchJob, subjectOf } from './subjects.js';
import { noSuchBatch } from './submit.js';

export async function find(ctx: Context, actor: Actor, ids: readonly string[]): Promise<Map<string, Found>> {
  return collect(ctx, ids, (subjects) => mayAll(ctx, actor, 'read', subjects));
}

/** Jobs and batches of a workspace, oldest first. */
export async function findInWorkspace(ctx: Context, actor: Actor, wsid: number): Promise<Map<string, Found>> {
  if (!usesAdmin(actor, 'read')) await requireWorkspaceRead(ctx, actor, wsid);
  return collect(ctx, await findIdsInWorkspace(ctx.db, wsid), everything);
}

/** By time of creation; whose jobs they are is all that decides, so that others' are for admins only. */
export async function findInRange(ctx: Context, actor: Actor, f: RangeFilter): Promise<RangeFound> {
  usesAdmin(actor, 'read');
  if (f.user !== actor.user && actor.admin === 'none') {
    const sentence = `You are not authorized to view all records or records for others. user=${f.user ?? 'ALL'} token=${actor.user}`;
    throw new RepriseError('FORBIDDEN', sentence);
  }
  const range = { ...f, owner: f.user };
  const total = await countRange(ctx.db, range);
  const ids = total > f.skip ? await findIdsInRange(ctx.db, range, f) : [];
  return { total, found: await collect(ctx, ids, everything) };
}

const everything = async (subjects: readonly Subject[]) => subjects.map(() => true);

/** Each id asked is in the answer, in the order asked. Children are looked up of those batches that may be read. */
async function collect(
  ctx: Context,
  ids: readonly string[],
  judge: (subjects: readonly Subject[]) => Promise<boolean[]>,
): Promise<Map<string, Found>> {
  const asked = [...new Set(ids)];
  const jobs = await findJobs(ctx.db, asked.filter(isJobId));
  const jobIds = new Set(jobs.map((job) => job.job_id));
  const batches = await findBatches(
    ctx.db,
    asked.filter((id) => isJobId(id) && !jobIds.has(id)),
  );
  const readable = await judge([...jobs.map((job) => subjectOf(job)), ...batches]);
  const mine = batches.filter((_, index) => readable[jobs.length + index]).map((batch) => batch.batch_id);
  const children = await findChildIds(ctx.db, mine);
  const found = new Map<string, Found>(asked.map((id) => [id, { kind: 'unknown' }]));
  jobs.forEach((job, index) => {
    found.set(job.job_id, readable[index] ? { kind: 'job', job: jobRecord(job) } : { kind: 'unreadable' });
  });
  batches.forEach((batch, index) => {
    const record = batchRecord(batch, children.get(batch.batch_id) ?? []);
    const isReadable = readable[jobs.length + index];
    found.set(batch.batch_id, isReadable ? { kind: 'batch', batch: record } : { kind: 'unreadable' });
  });
  return found;
}

export async function dispatchesOf(ctx: Context, jobId: string): Promise<DispatchRecord[]> {
  return (await findDispatchesOfJob(ctx.db, jobId)).map(dispatchRecord);
}

/** The right is judged on the job asked for. */
export async function lineage(ctx: Context, actor: Actor, jobId: string): Promise<JobRecord[]> {
  await findOne(ctx, actor, 'read', jobId);
  const rows = await findLineage(ctx.db, jobId);
  if (rows.length === 0) throw noSuchJob(jobId);
  return rows.map(jobRecord);
}

/**
 * Whose rows a list shows, or a refusal:
 *
 * | asked                        | shown                                  |
 * | ---------------------------- | -------------------------------------- |
 * | as_admin                     | everyone's, or the named user's        |
 * | a batch or a workspace       | everyone's in it, if the caller reads it |
 * | nothing, or the caller's name | the caller's own                      |
 * | another user's name          | refused                                |
 */
async function ownerShown(
  ctx: Context,
  actor: Actor,
  f: { user: string | null; wsid: number | null; batchId?: string | null },
): Promise<string | null> {
  if (usesAdmin(actor, 'read')) return f.user;
  if (f.batchId != null) {
    await readBatch(ctx, actor, f.batchId);
    return f.user;
  }
  if (f.wsid !== null) {
    await requireWorkspaceRead(ctx, actor, f.wsid);
    return f.user;
  }
  if (f.user !== null && f.user !== actor.user) {
    throw new RepriseError(
      'FORBIDDEN',
      `the jobs of ${f.user} are shown to admins (as_admin), or by workspace or batch`,
    );
  }
  return actor.user;
}

async function requireWorkspaceRead(ctx: Context, actor: Actor, wsid: number): Promise<void> {
  if (await may(ctx, actor, 'read', { owner: '', wsid })) return;
  throw new RepriseError('FORBIDDEN', `User ${actor.user} does not have permission to read jobs in workspace ${wsid}`);
}

async function readBatch(ctx: Context, actor: Actor, batchId: string): Promise<BatchRow> {
  const [batch] = isJobId(batchId) ? await findBatches(ctx.db, [batchId]) : [];
  if (batch === undefined) throw noSuchBatch(batchId);
  await requireOnJob(ctx, actor, 'read', batch.batch_id, batch);
  return batch;
}

export async function listJobs(ctx: Context, actor: Actor, f: JobFilter): Promise<Page<JobSummary>> {
  const owner = await ownerShown(ctx, actor, f);
  const whole = f.app?.includes('.') ?? false;
  const rows = await findJobsPage(ctx.db, {
    owner,
    batchId: f.batchId,
    wsid: f.wsid,
    states: f.states,
    module: whole ? null : f.app,
    method: whole ? f.app : null,
    inputKey: f.inputKey,
    headsOnly: f.latestOnly,
    before: idCursor(f.cursor),
    limit: f.limit + 1,
  });
  return pageOf(rows, f.limit, (row) => row.job_id, jobSummary);
}

export async function listBatches(ctx: Context, actor: Actor, f: BatchFilter): Promise<Page<BatchView>> {
  const owner = await ownerShown(ctx, actor, f);
  const rows = await findBatchesPage(ctx.db, {
    owner,
    wsid: f.wsid,
    states: f.states,
    app: f.app,
    search: f.search,
    before: idCursor(f.cursor),
    limit: f.limit + 1,
  });
  const ids = rows.map((row) => row.batch_id);
  const [counts, apps] = [await countItems(ctx.db, ids), await findFirstApps(ctx.db, ids)];
  return pageOf(
    rows,
    f.limit,
    (row) => row.batch_id,
    (row) => batchView(row, counts, apps),
  );
}

export async function batch(ctx: Context, actor: Actor, batchId: string): Promise<BatchView> {
  const row = await readBatch(ctx, actor, batchId);
  return batchView(row, await countItems(ctx.db, [row.batch_id]), await findFirstApps(ctx.db, [row.batch_id]));
}

export async function listItems(ctx: Context, actor: Actor, f: ItemFilter): Promise<Page<BatchItem>> {
  await readBatch(ctx, actor, f.batchId);
  const rows = await findItemsPage(ctx.db, {
    batchId: f.batchId,
    states: f.states,
    headsOnly: f.latestOnly,
    after: idCursor(f.cursor),
    limit: f.limit + 1,
  });
  return pageOf(rows, f.limit, (row) => row.job_id, batchItem);
}

/** One row more than asked was read, to know whether there is a next page. */
function pageOf<Row, Item>(
  rows: Row[],
  limit: number,
  idOf: (row: Row) => string,
  show: (row: Row) => Item,
): Page<Item> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { items: shown.map(show), nextCursor: rows.length > limit && last !== undefined ? idOf(last) : null };
}

function idCursor(cursor: string | null): string | null {
  if (cursor === null || isJobId(cursor)) return cursor;
  throw new RepriseError('INVALID_INPUT', `'${cursor}' is not a cursor; pass next_cursor of the page before`);
}

export async function listEvents(ctx: Context, actor: Actor, f: EventFilter): Promise<Page<EventView>> {
  const scope = await eventScope(ctx, actor, f);
  const after = await eventCursor(ctx, f.after);
  if (f.after === 'now') return { items: [], nextCursor: `${after.txid}-${after.eventId}` };
  const rows = await findEvents(ctx.db, scope, after, f.limit);
  const last = rows.at(-1);
  return {
    items: rows.map(eventView),
    nextCursor: last !== undefined && rows.length === f.limit ? `${last.txid}-${last.event_id}` : null,
  };
}

async function eventScope(ctx: Context, actor: Actor, f: EventFilter): Promise<EventScope> {
  if (f.jobId !== null) {
    await findOne(ctx, actor, 'read', f.jobId);
    return { kind: 'job', jobId: f.jobId };
  }
  if (f.batchId !== null) {
    await readBatch(ctx, actor, f.batchId);
    return { kind: 'batch', batchId: f.batchId };
  }
  return { kind: 'owner', owner: usesAdmin(actor, 'read') ? null : actor.user };
}

async function eventCursor(ctx: Context, after: string | null): Promise<EventCursor> {
  if (after === null) return { txid: '0', eventId: 0 };
  if (after === 'now') return lastCursor(ctx.db);
  const parts = /^(\d{1,19})-(\d{1,15})$/.exec(after);
  if (parts === null) {
    throw new RepriseError(
      'INVALID_INPUT',
      `'${after}' is not an event cursor; pass the event_id of an event, or 'now'`,
    );
  }
  return { txid: parts[1]!, eventId: Number(parts[2]) };
}
