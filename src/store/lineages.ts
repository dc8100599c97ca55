/** A lineage is a line: linking a retry is one guarded statement (docs/adr/0002). */
import type { Status } from '../contract/status.js';
import { type Queryable, statement } from './db.js';
import { chunksOf } from './inputs.js';

/** What the verdict on one asked id is judged from: the job itself, its root and the head of its lineage. */
export interface RetryFactsRow {
  readonly job_id: string;
  readonly status: Status;
  readonly owner: string;
  readonly wsid: number | null;
  readonly batch_id: string | null;
  readonly retry_number: number;
  readonly method: string;
  readonly app_commit: string;
  readonly root_id: string;
  readonly root_owner: string;
  readonly root_wsid: number | null;
  readonly batch_owner: string | null;
  readonly batch_wsid: number | null;
  readonly head_id: string;
  readonly head_status: Status;
  readonly head_number: number;
  readonly cpus: number;
  readonly memory_mb: number;
  readonly client_group: string | null;
}

const selectRetryFacts = statement<RetryFactsRow>(
  'select_retry_facts',
  `
  select
    j.job_id, j.status, j.owner, j.wsid, j.batch_id, j.retry_number, j.method, j.app_commit, j.root_id,
    r.owner as root_owner, r.wsid as root_wsid, b.owner as batch_owner, b.wsid as batch_wsid,
    h.job_id as head_id, h.status as head_status, h.retry_number as head_number,
    h.cpus, h.memory_mb, h.client_group
  from jobs j
  join jobs r on r.job_id = j.root_id
  join jobs h on h.root_id = j.root_id and h.superseded_by is null
  left join batches b on b.batch_id = j.batch_id
  where j.job_id = any($1::text[])`,
);

export async function findRetryFacts(db: Queryable, jobIds: readonly string[]): Promise<RetryFactsRow[]> {
  return jobIds.length === 0 ? [] : db.query(selectRetryFacts, [jobIds]);
}

export interface NewRetry {
  readonly head_id: string;
  readonly new_id: string;
}

/**
 * Links and adds in one statement. A head is taken only if it is still a head and still retryable; who loses that race
 * gets no row back and judges again. Rows are locked in order of id, so that two bulk calls cannot deadlock. The retry
 * of a job that its batch has abandoned belongs to no batch.
 */
const linkRetriesIfHeadRetryable = statement<Omit<LinkedRetry, 'head_id'>>(
  'link_retries_if_head_retryable',
  `
  with wanted as (
    select head_id, new_id
    from json_to_recordset($1::json) as t (head_id text, new_id text)
  ), locked as (
    select l.*, w.new_id
    from (select * from wanted order by head_id) w
    cross join lateral (
      select j.job_id, j.superseded_by, j.status
      from jobs j
      where j.job_id = w.head_id
      for update
    ) l
  ), linked as (
    update jobs j
    set superseded_by = l.new_id
    from locked l
    where j.job_id = l.job_id and l.superseded_by is null and l.status in ('error', 'terminated')
    returning j.*
  ), added as (
    insert into jobs (
      job_id, batch_id, root_id, retry_number, retry_reason, owner, wsid, input_id, module, method, app_commit,
      app_tag, app_id, parent_job_id, meta, cpus, memory_mb, disk_gb, client_group, timeout_ms, scheduler,
      scheduler_options
    )
    select
      superseded_by, case when abandoned_at is null then batch_id end, root_id, retry_number + 1, $3::text, $2::text,
      wsid, input_id, module, method, app_commit, app_tag, app_id, parent_job_id, meta, cpus, memory_mb, disk_gb,
      client_group, timeout_ms, scheduler,
      case
        when $4::boolean then scheduler_options
        else (scheduler_options::jsonb - array['bill_to_user', 'ignore_concurrency_limits'])::text
      end
    from linked
    returning job_id, batch_id, root_id, retry_number, owner, method, app_commit, retry_reason
  ), noted as (
    insert into events (kind, job_id, batch_id, owner, actor, payload)
    select
      'job.created', job_id, batch_id, owner, $2::text,
      json_build_object(
        'method', method, 'commit', app_commit, 'retry_number', retry_number, 'root_id', root_id,
        'retry_reason', retry_reason
      )::text
    from added
    order by job_id
  )
  select job_id, root_id, retry_number
  from added`,
);

export interface LinkedRetry {
  readonly head_id: string;
  readonly job_id: string;
  readonly root_id: string;
  readonly retry_number: number;
}

export async function linkRetries(
  tx: Queryable,
  retries: readonly NewRetry[],
  { owner, reason, asAdmin }: { owner: string; reason: string | null; asAdmin: boolean },
): Promise<LinkedRetry[]> {
  // joined here: a planner that knows nothing yet of the rows just added compares each with each
  const headOf = new Map(retries.map(({ head_id, new_id }) => [new_id, head_id]));
  const linked: LinkedRetry[] = [];
  for (const chunk of chunksOf(retries)) {
    const rows = await tx.query(linkRetriesIfHeadRetryable, [JSON.stringify(chunk), owner, reason, asAdmin]);
    linked.push(...rows.map((row) => ({ ...row, head_id: headOf.get(row.job_id) as string })));
  }
  return linked;
}
