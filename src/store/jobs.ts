/** Jobs as records: adding, reading, listing. Their lineage is in lineages.ts, their life in lifecycle.ts. */
import type { FailureClass, Status } from '../contract/status.js';
import { type Queryable, statement } from './db.js';
import { chunksOf } from './inputs.js';

/** A root job to add; the statement sets the rest. */
export interface NewJob {
  readonly job_id: string;
  readonly batch_id: string | null;
  readonly owner: string;
  readonly wsid: number | null;
  readonly input_id: string;
  readonly module: string;
  readonly method: string;
  readonly app_commit: string;
  readonly app_tag: string | null;
  readonly app_id: string | null;
  readonly parent_job_id: string | null;
  readonly meta: string;
  readonly cpus: number;
  readonly memory_mb: number;
  readonly disk_gb: number | null;
  readonly client_group: string | null;
  readonly timeout_ms: number;
  readonly scheduler: string;
  /** JSON text */
  readonly scheduler_options: string;
}

const insertRootJobs = statement(
  'insert_root_jobs',
  `
  with added as (
    insert into jobs (
      job_id, batch_id, root_id, owner, wsid, input_id, module, method, app_commit, app_tag, app_id, parent_job_id,
      meta, cpus, memory_mb, disk_gb, client_group, timeout_ms, scheduler, scheduler_options
    )
    select
      job_id, batch_id, job_id, owner, wsid, input_id, module, method, app_commit, app_tag, app_id, parent_job_id,
      meta, cpus, memory_mb, disk_gb, client_group, timeout_ms, scheduler, scheduler_options
    from json_to_recordset($1::json) as t (
      job_id text, batch_id text, owner text, wsid bigint, input_id text, module text, method text, app_commit text,
      app_tag text, app_id text, parent_job_id text, meta text, cpus integer, memory_mb integer, disk_gb integer,
      client_group text, timeout_ms bigint, scheduler text, scheduler_options text
    )
    returning job_id, batch_id, owner, method, app_commit
  )
  insert into events (kind, job_id, batch_id, owner, actor, payload)
  select
    'job.created', job_id, batch_id, owner, owner,
    json_build_object('method', method, 'commit', app_commit, 'retry_number', 0)::text
  from added
  order by job_id`,
);

export async function addRootJobs(tx: Queryable, jobs: readonly NewJob[]): Promise<void> {
  for (const chunk of chunksOf(jobs)) await tx.query(insertRootJobs, [JSON.stringify(chunk)]);
}

export interface JobRow {
  readonly job_id: string;
  readonly batch_id: string | null;
  readonly root_id: string;
  readonly retry_number: number;
  readonly superseded_by: string | null;
  readonly retry_reason: string | null;
  readonly owner: string;
  readonly wsid: number | null;
  readonly input_key: string;
  readonly module: string;
  readonly method: string;
  readonly app_commit: string;
  readonly app_tag: string | null;
  readonly app_id: string | null;
  readonly cpus: number;
  readonly memory_mb: number;
  readonly disk_gb: number | null;
  readonly client_group: string | null;
  readonly status: Status;
  readonly wait_reason: string | null;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly queued_at: Date | null;
  readonly running_at: Date | null;
  readonly finished_at: Date | null;
  readonly error_code: number | null;
  readonly terminated_code: number | null;
  readonly failure_class: FailureClass | null;
  readonly errormsg: string | null;
  readonly exit_code: number | null;
  readonly exit_signal: string | null;
}

export interface FullJobRow extends JobRow {
  readonly root_owner: string;
  readonly parent_job_id: string | null;
  readonly meta: string;
  readonly params: string | null;
  readonly source_objects: string;
  readonly timeout_ms: number;
  readonly scheduler: string;
  readonly scheduler_id: string | null;
  readonly scheduler_host: string | null;
  readonly peak_memory_mb: number | null;
  readonly cpu_seconds: number | null;
  readonly estimating_at: Date | null;
  readonly error: string | null;
  readonly job_output: string | null;
  readonly retry_ids: readonly string[];
}

const summaryColumns = `
    j.job_id, j.batch_id, j.root_id, j.retry_number, j.superseded_by, j.retry_reason, j.owner, j.wsid, i.input_key,
    j.module, j.method, j.app_commit, j.app_tag, j.app_id, j.cpus, j.memory_mb, j.disk_gb, j.client_group, j.status,
    j.wait_reason, j.created_at, j.updated_at, j.queued_at, j.running_at, j.finished_at, j.error_code,
    j.terminated_code, j.failure_class, j.errormsg, j.exit_code, j.exit_signal`;

const fullColumns = `${summaryColumns},
    r.owner as root_owner, j.parent_job_id, j.meta, i.params, i.source_objects, j.timeout_ms, j.scheduler,
    j.estimating_at, j.error, j.job_output,
    d.scheduler_id, d.scheduler_host, d.peak_memory_mb, d.cpu_seconds,
    array(
      select l.job_id
      from jobs l
      where l.root_id = j.root_id and l.retry_number > 0
      order by l.retry_number
    ) as retry_ids`;

/** Of the dispatches the newest counts. */
const fullSource = `jobs j
  join inputs i on i.input_id = j.input_id
  join jobs r on r.job_id = j.root_id
  left join lateral (
    select scheduler_id, scheduler_host, peak_memory_mb, cpu_seconds
    from dispatches
    where dispatches.job_id = j.job_id
    order by dispatch_number desc
    limit 1
  ) d on true`;

const selectJobsByIds = statement<FullJobRow>(
  'select_jobs_by_ids',
  `
  select ${fullColumns}
  from ${fullSource}
  where j.job_id = any($1::text[])`,
);

export async function findJobs(db: Queryable, jobIds: readonly string[]): Promise<FullJobRow[]> {
  return jobIds.length === 0 ? [] : db.query(selectJobsByIds, [jobIds]);
}

const selectLineage = statement<FullJobRow>(
  'select_lineage',
  `
  select ${fullColumns}
  from ${fullSource}
  where j.root_id = (select root_id from jobs where job_id = $1::text)
  order by j.retry_number`,
);

/** The whole lineage of any of its jobs, root first. */
export function findLineage(db: Queryable, jobId: string): Promise<FullJobRow[]> {
  return db.query(selectLineage, [jobId]);
}

/** The little that permission and existence need. `root_owner` keeps read and cancel on every retry. */
export interface JobAccessRow {
  readonly job_id: string;
  readonly batch_id: string | null;
  readonly root_id: string;
  readonly owner: string;
  readonly root_owner: string;
  readonly wsid: number | null;
  readonly status: Status;
}

const selectJobAccess = statement<JobAccessRow>(
  'select_job_access',
  `
  select j.job_id, j.batch_id, j.root_id, j.owner, r.owner as root_owner, j.wsid, j.status
  from jobs j
  join jobs r on r.job_id = j.root_id
  where j.job_id = any($1::text[])`,
);

export async function findJobAccess(db: Queryable, jobIds: readonly string[]): Promise<JobAccessRow[]> {
  return jobIds.length === 0 ? [] : db.query(selectJobAccess, [jobIds]);
}

/** What worker calls and polls need of one job, and of the dispatch whose token was used, if one was. */
export interface JobPulseRow extends JobAccessRow {
  /** Null when nothing was ever logged. */
  readonly line_count: number | null;
  readonly dispatch_job_id: string | null;
  readonly dispatch_closed: boolean;
}

const selectJobPulse = statement<JobPulseRow>(
  'select_job_pulse',
  `
  select
    j.job_id, j.batch_id, j.root_id, j.owner, r.owner as root_owner, j.wsid, j.status, c.line_count,
    d.job_id as dispatch_job_id, d.closed_at is not null as dispatch_closed
  from jobs j
  join jobs r on r.job_id = j.root_id
  left join log_counters c on c.job_id = j.job_id
  left join dispatches d on d.dispatch_id = $2::text
  where j.job_id = $1::text`,
);

export async function findJobPulse(
  db: Queryable,
  jobId: string,
  dispatchId: string | null,
): Promise<JobPulseRow | undefined> {
  return (await db.query(selectJobPulse, [jobId, dispatchId]))[0];
}

const selectIdsInWorkspace = statement<{ id: string }>(
  'select_ids_in_workspace',
  `
  select job_id as id
  from jobs
  where wsid = $1::bigint
  union all
  select batch_id
  from batches
  where wsid = $1::bigint
  order by id`,
);

/** Jobs and batches, oldest first. */
export async function findIdsInWorkspace(db: Queryable, wsid: number): Promise<string[]> {
  return (await db.query(selectIdsInWorkspace, [wsid])).map((row) => row.id);
}

const selectJobBySchedulerId = statement<{ job_id: string }>(
  'select_job_by_scheduler_id',
  `
  select job_id
  from dispatches
  where scheduler_id = $1::text
  order by closed_at is not null, dispatch_id desc
  limit 1`,
);

/** By the name that a scheduler gave to a dispatch; of several with the same name the one that is open, else the newest. */
export async function findJobBySchedulerId(db: Queryable, schedulerId: string): Promise<string | undefined> {
  return (await db.query(selectJobBySchedulerId, [schedulerId]))[0]?.job_id;
}

const jobsPage = (ofState: string, order: string) => `
    select ${summaryColumns}
    from jobs j
    join inputs i on i.input_id = j.input_id
    where ($1::text is null or j.owner = $1)
      and ($2::text is null or j.batch_id = $2)
      and ($3::bigint is null or j.wsid = $3)
      and ($4::text is null or j.module = $4)
      and ($5::text is null or j.method = $5)
      and ($6::text is null or i.input_key = $6)
      and (not $7::boolean or j.superseded_by is null)
      and ($8::text is null or j.job_id < $8)${ofState}
    order by ${order}
    limit $9::integer`;

/** After every id comes `g`. */
const ofOneState = `
      and (j.status, j.job_id) >= (s.state, '')
      and (j.status, j.job_id) < (s.state, coalesce($8, 'g'))`;

const selectJobsPage = statement<JobRow>('select_jobs_page', jobsPage('', 'j.job_id desc'));

/**
 * The newest of each state, of which the newest are taken: no index is in order over several states. A state is a range of
 * its index, in whose order it is read: with an equation the planner may think that all have that state, as they had last
 * night, and look for the newest among those that wait.
 */
const selectJobsPageOfStates = statement<JobRow>(
  'select_jobs_page_of_states',
  `
  select p.*
  from unnest($10::text[]) s (state)
  cross join lateral (${jobsPage(ofOneState, 'j.status desc, j.job_id desc')}
  ) p
  order by p.job_id desc
  limit $9::integer`,
);

export interface JobsPageFilter {
  readonly owner: string | null;
  readonly batchId: string | null;
  readonly wsid: number | null;
  readonly states: readonly Status[] | null;
  readonly module: string | null;
  readonly method: string | null;
  readonly inputKey: string | null;
  readonly headsOnly: boolean;
  readonly before: string | null;
  readonly limit: number;
}

/** Newest first. */
export function findJobsPage(db: Queryable, f: JobsPageFilter): Promise<JobRow[]> {
  const filters = [f.owner, f.batchId, f.wsid, f.module, f.method, f.inputKey, f.headsOnly, f.before, f.limit];
  return f.states === null
    ? db.query(selectJobsPage, filters)
    : db.query(selectJobsPageOfStates, [...filters, [...new Set(f.states)]]);
}

const countJobsByStatus = statement<{ status: Status; jobs: number }>(
  'count_jobs_by_status',
  `
  select status, count(*) as jobs
  from jobs
  where status not in ('completed', 'error', 'terminated')
  group by status`,
);

/** Of unfinished jobs, for the metrics: the ended ones would be a scan of the whole table. */
export function countUnfinishedJobs(db: Queryable): Promise<{ status: Status; jobs: number }[]> {
  return db.query(countJobsByStatus);
}
