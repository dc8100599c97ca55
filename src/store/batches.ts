import type { Status } from '../contract/status.js';
import { type Queryable, statement } from './db.js';

export interface BatchRow {
  readonly batch_id: string;
  readonly owner: string;
  readonly wsid: number | null;
  readonly batch_name: string | null;
  readonly meta: string;
  readonly status: 'created' | 'terminated';
  readonly terminated_code: number | null;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly finished_at: Date | null;
}

const batchColumns = `b.batch_id, b.owner, b.wsid, b.batch_name, b.meta, b.status, b.terminated_code, b.created_at,
    b.updated_at, b.finished_at`;

const insertBatch = statement(
  'insert_batch',
  `
  with added as (
    insert into batches (batch_id, owner, wsid, batch_name, meta)
    values ($1::text, $2::text, $3::bigint, $4::text, $5::text)
    returning batch_id, owner
  )
  insert into events (kind, batch_id, owner, actor, payload)
  select 'batch.created', batch_id, owner, owner, json_build_object('items', $6::integer)::text
  from added`,
);

export interface NewBatch {
  readonly batchId: string;
  readonly owner: string;
  readonly wsid: number | null;
  readonly name: string | null;
  readonly meta: string;
  readonly items: number;
}

export async function addBatch(tx: Queryable, batch: NewBatch): Promise<void> {
  await tx.query(insertBatch, [batch.batchId, batch.owner, batch.wsid, batch.name, batch.meta, batch.items]);
}

const extendBatchIfOpen = statement<{ batch_id: string }>(
  'extend_batch_if_open',
  `
  with extended as (
    update batches
    set updated_at = now()
    where batch_id = $1::text and status = 'created'
    returning batch_id, owner
  ), noted as (
    insert into events (kind, batch_id, owner, actor, payload)
    select 'batch.extended', batch_id, owner, $2::text, json_build_object('items', $3::integer)::text
    from extended
  )
  select batch_id
  from extended`,
);

/** False when the batch was cancelled. Holds the batch's row, so that a cancel waits and then sees the new jobs. */
export async function noteExtension(tx: Queryable, batchId: string, actor: string, items: number): Promise<boolean> {
  return (await tx.query(extendBatchIfOpen, [batchId, actor, items])).length > 0;
}

const selectBatches = statement<BatchRow>(
  'select_batches',
  `
  select ${batchColumns}
  from batches b
  where b.batch_id = any($1::text[])`,
);

export async function findBatches(db: Queryable, batchIds: readonly string[]): Promise<BatchRow[]> {
  return batchIds.length === 0 ? [] : db.query(selectBatches, [batchIds]);
}

const selectChildIds = statement<{ batch_id: string; child_ids: string[] }>(
  'select_child_ids',
  `
  select batch_id, array_agg(job_id order by job_id) as child_ids
  from jobs
  where batch_id = any($1::text[]) and abandoned_at is null
  group by batch_id`,
);

/** All jobs of each batch in order of creation, retries among them, without those it has abandoned. */
export async function findChildIds(db: Queryable, batchIds: readonly string[]): Promise<Map<string, string[]>> {
  const rows = batchIds.length === 0 ? [] : await db.query(selectChildIds, [batchIds]);
  return new Map(rows.map((row) => [row.batch_id, row.child_ids]));
}

export interface BatchCountRow {
  readonly batch_id: string;
  readonly status: Status;
  readonly items: number;
  readonly retries: number;
}

const countBatchItems = statement<BatchCountRow>(
  'count_batch_items',
  `
  select batch_id, status, count(*) as items, sum(retry_number) as retries
  from jobs
  where batch_id = any($1::text[]) and superseded_by is null and abandoned_at is null
  group by batch_id, status`,
);

/** Items (heads of lineages) by status. The retry number of a head is the number of its lineage's retries. */
export async function countItems(db: Queryable, batchIds: readonly string[]): Promise<BatchCountRow[]> {
  return batchIds.length === 0 ? [] : db.query(countBatchItems, [batchIds]);
}

export interface FirstAppRow {
  readonly batch_id: string;
  readonly method: string;
  readonly app_commit: string;
  readonly app_tag: string | null;
}

const selectFirstApps = statement<FirstAppRow>(
  'select_first_apps',
  `
  select b.batch_id, j.method, j.app_commit, j.app_tag
  from unnest($1::text[]) as b (batch_id)
  cross join lateral (
    select method, app_commit, app_tag
    from jobs
    where jobs.batch_id = b.batch_id
    order by job_id
    limit 1
  ) as j`,
);

/** What the first job of each batch runs. */
export async function findFirstApps(db: Queryable, batchIds: readonly string[]): Promise<Map<string, FirstAppRow>> {
  const rows = batchIds.length === 0 ? [] : await db.query(selectFirstApps, [batchIds]);
  return new Map(rows.map((row) => [row.batch_id, row]));
}

const selectBatchesPage = statement<BatchRow>(
  'select_batches_page',
  `
  select ${batchColumns}
  from batches b
  where ($1::text is null or b.owner = $1)
    and ($2::bigint is null or b.wsid = $2)
    and ($3::text[] is null or exists (
      select
      from jobs j
      where j.batch_id = b.batch_id and j.superseded_by is null and j.abandoned_at is null and j.status = any($3)
    ))
    and ($4::text is null or exists (
      select
      from jobs j
      where j.batch_id = b.batch_id and (j.module = $4 or j.method = $4)
    ))
    and ($5::text is null or strpos(lower(b.batch_name), lower($5)) > 0 or starts_with(b.batch_id, $5))
    and ($6::text is null or b.batch_id < $6)
  order by b.batch_id desc
  limit $7::integer`,
);

export function findBatchesPage(
  db: Queryable,
  f: {
    owner: string | null;
    wsid: number | null;
    states: readonly Status[] | null;
    app: string | null;
    search: string | null;
    before: string | null;
    limit: number;
  },
): Promise<BatchRow[]> {
  return db.query(selectBatchesPage, [f.owner, f.wsid, f.states, f.app, f.search, f.before, f.limit]);
}

const terminateBatch = statement<{ batch_id: string }>(
  'terminate_batch',
  `
  with ended as (
    update batches
    set status = 'terminated', terminated_code = $2::integer, finished_at = now(), updated_at = now()
    where batch_id = $1::text and status = 'created'
    returning batch_id, owner
  ), noted as (
    insert into events (kind, batch_id, owner, actor, payload)
    select 'batch.terminated', batch_id, owner, $3::text, json_build_object('terminated_code', $2::integer)::text
    from ended
  )
  select batch_id
  from ended`,
);

/** The first cancel decides the code; a second one only ends what was retried since. */
export async function terminateBatchIfOpen(tx: Queryable, batchId: string, code: number, actor: string): Promise<void> {
  await tx.query(terminateBatch, [batchId, code, actor]);
}

const selectUnfinishedOfBatch = statement<{ job_id: string }>(
  'select_unfinished_of_batch',
  `
  select job_id
  from jobs
  where batch_id = $1::text and superseded_by is null and abandoned_at is null
    and status in ('created', 'estimating', 'queued', 'running')`,
);

export async function findUnfinishedOfBatch(db: Queryable, batchId: string): Promise<string[]> {
  return (await db.query(selectUnfinishedOfBatch, [batchId])).map((row) => row.job_id);
}

const selectHeadsInStates = statement<{ job_id: string }>(
  'select_heads_in_states',
  `
  select job_id
  from jobs
  where batch_id = $1::text and superseded_by is null and abandoned_at is null and status = any($2::text[])
  order by root_id`,
);

/** The items of a batch in the given states, in the order of the batch. */
export async function findHeads(db: Queryable, batchId: string, states: readonly Status[]): Promise<string[]> {
  return (await db.query(selectHeadsInStates, [batchId, states])).map((row) => row.job_id);
}

const insertRetriedEvent = statement(
  'insert_batch_retried_event',
  `
  insert into events (kind, batch_id, owner, actor, payload)
  select 'batch.retried', batch_id, owner, $2::text, $3::text
  from batches
  where batch_id = $1::text`,
);

export async function noteBatchRetried(tx: Queryable, batchId: string, actor: string, payload: object): Promise<void> {
  await tx.query(insertRetriedEvent, [batchId, actor, JSON.stringify(payload)]);
}

const abandonJobsOfBatch = statement<{ job_id: string }>(
  'abandon_jobs_of_batch',
  `
  with abandoned as (
    update jobs
    set abandoned_at = now()
    where batch_id = $1::text and job_id = any($2::text[]) and abandoned_at is null
    returning job_id
  ), noted as (
    insert into events (kind, batch_id, owner, actor, payload)
    select
      'batch.abandoned', b.batch_id, b.owner, $3::text,
      json_build_object('job_ids', (select array_agg(job_id order by job_id) from abandoned))::text
    from batches b
    where b.batch_id = $1::text and exists (select from abandoned)
  )
  select job_id
  from abandoned`,
);

/** The ids that the batch gave up by this call. They run on, and keep their batch for whoever looks at them. */
export async function abandonJobs(tx: Queryable, batchId: string, jobIds: readonly string[], actor: string) {
  return (await tx.query(abandonJobsOfBatch, [batchId, jobIds, actor])).map((row) => row.job_id);
}
