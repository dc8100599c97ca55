/**
 * A job's way through the state machine: guarded, set-based, each with its event. Who got no row back lost. Rows are locked
 * in order of their ids before they are written, dispatches before jobs: two calls wait for each other, but in no circle.
 *
 * Each row is looked up by its id, and its status is looked at when it is locked: a planner whose statistics are of a quiet
 * time would look for the few that it thinks wait, among the thousands that do (test/store/plans.test.ts).
 */
import type { EventKind } from '../contract/events.js';
import type { FailureClass, Status } from '../contract/status.js';
import { type Queryable, statement } from './db.js';

const startJobsIfStartable = statement<{ job_id: string }>(
  'start_jobs_if_startable',
  `
  with wanted as (
    select job_id, host, estimating, actor
    from json_to_recordset($1::json) as t (job_id text, host text, estimating boolean, actor text)
  ), before as (
    select l.*, w.host, w.actor, w.estimating and l.previous_status <> 'estimating' as estimate
    from (select * from wanted order by job_id) w
    cross join lateral (
      select j.job_id, j.status as previous_status
      from jobs j
      where j.job_id = w.job_id
      for update
    ) l
  ), started as (
    update jobs j
    set
      status = case when b.estimate then 'estimating' else 'running' end,
      estimating_at = case when b.estimate then now() else j.estimating_at end,
      running_at = case when b.estimate then j.running_at else now() end,
      updated_at = now(),
      wait_reason = null
    from before b
    where j.job_id = b.job_id and b.previous_status in ('created', 'queued', 'estimating')
    returning j.job_id, j.batch_id, j.owner, j.status, b.previous_status, b.host, b.actor
  ), noted as (
    insert into events (kind, job_id, batch_id, owner, actor, payload)
    select
      case when status = 'estimating' then 'job.estimating' else 'job.started' end, job_id, batch_id, owner, actor,
      json_build_object('previous_status', previous_status, 'host', host)::text
    from started
    order by job_id
  )
  select job_id
  from started`,
);

export interface Start {
  readonly job_id: string;
  readonly host: string | null;
  readonly estimating: boolean;
  readonly actor: string | null;
}

/** The ids that were started by this call. */
export async function startJobs(tx: Queryable, starts: readonly Start[]): Promise<Set<string>> {
  if (starts.length === 0) return new Set();
  return new Set((await tx.query(startJobsIfStartable, [JSON.stringify(starts)])).map((row) => row.job_id));
}

const finishJobsIfUnfinished = statement<{ job_id: string }>(
  'finish_jobs_if_unfinished',
  `
  with wanted as (
    select *
    from json_to_recordset($1::json) as t (
      job_id text, status text, error_code integer, failure_class text, errormsg text, error text, exit_code integer,
      exit_signal text, job_output text, actor text, ended_ms_ago float8
    )
  ), before as (
    select w.*, l.previous_status
    from (select * from wanted order by job_id) w
    cross join lateral (
      select j.status as previous_status
      from jobs j
      where j.job_id = w.job_id
      for update
    ) l
  ), finished as (
    update jobs j
    set
      status = b.status,
      finished_at = greatest(
        j.running_at, j.created_at, now() - coalesce(b.ended_ms_ago, 0) * interval '1 millisecond'
      ),
      updated_at = now(),
      wait_reason = null,
      error_code = b.error_code,
      failure_class = b.failure_class,
      errormsg = b.errormsg,
      error = b.error,
      exit_code = b.exit_code,
      exit_signal = b.exit_signal,
      job_output = b.job_output
    from before b
    where j.job_id = b.job_id and b.previous_status in ('created', 'estimating', 'queued', 'running')
    returning j.job_id, j.batch_id, j.owner, j.status, j.error_code, j.failure_class, j.errormsg, b.previous_status, b.actor
  ), noted as (
    insert into events (kind, job_id, batch_id, owner, actor, payload)
    select
      case when status = 'completed' then 'job.completed' else 'job.failed' end, job_id, batch_id, owner, actor,
      json_build_object(
        'previous_status', previous_status, 'status', status, 'error_code', error_code,
        'failure_class', failure_class, 'message', left(errormsg, 500)
      )::text
    from finished
    order by job_id
  ), forgotten as (
    delete from job_tokens t
    using finished f
    where t.job_id = f.job_id
  )
  select job_id
  from finished`,
);

export interface Finish {
  readonly job_id: string;
  readonly status: 'completed' | 'error';
  readonly error_code: number | null;
  readonly failure_class: FailureClass | null;
  readonly errormsg: string | null;
  /** JSON text */
  readonly error: string | null;
  readonly exit_code: number | null;
  readonly exit_signal: string | null;
  /** JSON text */
  readonly job_output: string | null;
  readonly actor: string | null;
  /** A runner may have waited for its server; never before the job began. */
  readonly ended_ms_ago?: number;
}

/** The ids that were ended by this call; the first end wins. */
export async function finishJobs(tx: Queryable, finishes: readonly Finish[]): Promise<Set<string>> {
  if (finishes.length === 0) return new Set();
  return new Set((await tx.query(finishJobsIfUnfinished, [JSON.stringify(finishes)])).map((row) => row.job_id));
}

const terminateJobsIfUnfinished = statement<{ job_id: string }>(
  'terminate_jobs_if_unfinished',
  `
  with before as (
    select j.job_id, j.status as previous_status
    from jobs j
    where j.job_id = any($1::text[])
    order by j.job_id
    for update
  ), ended as (
    update jobs j
    set
      status = 'terminated', terminated_code = $2::integer, failure_class = $3::text, finished_at = now(),
      updated_at = now(), wait_reason = null
    from before b
    where j.job_id = b.job_id and b.previous_status in ('created', 'estimating', 'queued', 'running')
    returning j.job_id, j.batch_id, j.owner, b.previous_status
  ), noted as (
    insert into events (kind, job_id, batch_id, owner, actor, payload)
    select
      'job.terminated', job_id, batch_id, owner, $4::text,
      json_build_object('previous_status', previous_status, 'terminated_code', $2::integer)::text
    from ended
    order by job_id
  ), forgotten as (
    delete from job_tokens t
    using ended e
    where t.job_id = e.job_id
  )
  select job_id
  from ended`,
);

/** The ids that were ended by this call. */
export async function terminateJobs(
  tx: Queryable,
  jobIds: readonly string[],
  code: number,
  failureClass: FailureClass,
  actor: string | null,
): Promise<string[]> {
  if (jobIds.length === 0) return [];
  return (await tx.query(terminateJobsIfUnfinished, [jobIds, code, failureClass, actor])).map((row) => row.job_id);
}

const forceStatusIfUnfinished = statement<{ previous_status: string }>(
  'force_status_if_unfinished',
  `
  with before as (
    select j.job_id, j.status as previous_status
    from jobs j
    where j.job_id = $1::text and j.status in ('created', 'estimating', 'queued', 'running')
    for update of j
  ), forced as (
    update jobs j
    set
      status = $2::text,
      updated_at = now(),
      wait_reason = null,
      queued_at = case when $2 = 'queued' then now() else j.queued_at end,
      estimating_at = case when $2 = 'estimating' then now() else j.estimating_at end,
      running_at = case when $2 = 'running' then now() else j.running_at end,
      finished_at = case when $2 in ('completed', 'error', 'terminated') then now() end,
      error_code = case when $2 = 'error' then 0 end,
      terminated_code = case when $2 = 'terminated' then 0 end,
      failure_class = case when $2 in ('error', 'terminated') then 'user' end,
      errormsg = case when $2 = 'error' then 'the status was set by ' || $4::text end,
      job_output = case when $2 = 'completed' then '{}' end
    from before b
    where j.job_id = b.job_id and b.previous_status <> $2
    returning j.job_id, j.batch_id, j.owner, b.previous_status
  ), noted as (
    insert into events (kind, job_id, batch_id, owner, actor, payload)
    select
      $3::text, job_id, batch_id, owner, $4::text,
      json_build_object('previous_status', previous_status, 'status', $2::text, 'forced', true)::text
    from forced
  ), forgotten as (
    delete from job_tokens t
    using forced f
    where t.job_id = f.job_id and $2 in ('completed', 'error', 'terminated')
  )
  select previous_status
  from before`,
);

const EVENT_OF: Readonly<Record<Status, EventKind>> = {
  created: 'job.requeued',
  queued: 'job.queued',
  estimating: 'job.estimating',
  running: 'job.started',
  completed: 'job.completed',
  error: 'job.failed',
  terminated: 'job.terminated',
};

/**
 * Codes are those of a user's doing, and an output is empty: nobody said any. The same status writes nothing. Answers the
 * status before, or undefined for a job that has ended: its status is final.
 */
export async function forceStatus(tx: Queryable, jobId: string, status: Status, actor: string) {
  return (await tx.query(forceStatusIfUnfinished, [jobId, status, EVENT_OF[status], actor]))[0]?.previous_status;
}

const requeueJobsIfUnfinished = statement<{ job_id: string }>(
  'requeue_jobs_if_unfinished',
  `
  with before as (
    select job_id, status as previous_status
    from jobs
    where job_id = any($1::text[])
    order by job_id
    for update
  ), requeued as (
    update jobs j
    set status = 'created', updated_at = now(), wait_reason = null, estimating_at = null, running_at = null
    from before b
    where j.job_id = b.job_id
      and (b.previous_status = 'queued' or $2::boolean and b.previous_status in ('estimating', 'running'))
    returning j.job_id, j.batch_id, j.owner, b.previous_status
  ), noted as (
    insert into events (kind, job_id, batch_id, owner, payload)
    select 'job.requeued', job_id, batch_id, owner, json_build_object('previous_status', previous_status)::text
    from requeued
    order by job_id
  )
  select job_id
  from requeued`,
);

/** Their dispatch was lost before the start; they wait again. `started`: also those that had, as the operator wants it. */
export async function requeueJobs(
  tx: Queryable,
  jobIds: readonly string[],
  { started = false }: { readonly started?: boolean } = {},
): Promise<void> {
  if (jobIds.length > 0) await tx.query(requeueJobsIfUnfinished, [jobIds, started]);
}

const setWaitReasons = statement(
  'set_wait_reasons',
  `
  with told as (
    select job_id, wait_reason
    from json_to_recordset($1::json) as t (job_id text, wait_reason text)
  ), locked as (
    select t.*, l.status, l.previous_reason
    from (select * from told order by job_id) t
    cross join lateral (
      select j.status, j.wait_reason as previous_reason
      from jobs j
      where j.job_id = t.job_id
      for update skip locked
    ) l
  )
  update jobs j
  set wait_reason = l.wait_reason
  from locked l
  where j.job_id = l.job_id and l.status = 'created' and l.wait_reason is distinct from l.previous_reason`,
);

/** Those that are dispatched next are told by the dispatcher, retries behind a live predecessor by the reconciler. */
const setWaitReasonOfAll = statement<{ job_id: string }>(
  'set_wait_reason_of_all',
  `
  with waiting as (
    select j.job_id
    from jobs j
    where j.status = 'created' and j.scheduler = $1::text and j.wait_reason is distinct from $2::text
      and not exists (
        select
        from jobs p
        join dispatches d on d.job_id = p.job_id and d.closed_at is null
        where p.root_id = j.root_id and p.retry_number = j.retry_number - 1
      )
    order by j.job_id
    limit $3::integer
    for update of j skip locked
  )
  update jobs j
  set wait_reason = $2::text
  from waiting w
  where j.job_id = w.job_id
  returning j.job_id`,
);

const REASONS_AT_ONCE = 10_000;

/** Whether all of them were told; else there are more. */
export async function noteWhyAllWait(db: Queryable, scheduler: string, reason: string | null): Promise<boolean> {
  const told = await db.query(setWaitReasonOfAll, [scheduler, reason, REASONS_AT_ONCE]);
  return told.length < REASONS_AT_ONCE;
}

const setReasonsOfQueued = statement(
  'set_wait_reasons_of_queued',
  `
  with waiting as (
    select j.job_id, t.wait_reason
    from json_to_recordset($1::json) as t (job_id text, wait_reason text)
    join jobs j on j.job_id = t.job_id
    where j.status = 'queued' and j.wait_reason is distinct from t.wait_reason
    order by j.job_id
    for update of j skip locked
  )
  update jobs j
  set wait_reason = w.wait_reason
  from waiting w
  where j.job_id = w.job_id`,
);

/** What their scheduler says of jobs that it has and has not begun. */
export async function noteSchedulerReasons(
  db: Queryable,
  rows: readonly { job_id: string; wait_reason: string | null }[],
): Promise<void> {
  if (rows.length > 0) await db.query(setReasonsOfQueued, [JSON.stringify(rows)]);
}

export async function noteWaitReasons(
  tx: Queryable,
  rows: readonly { job_id: string; wait_reason: string | null }[],
): Promise<void> {
  if (rows.length > 0) await tx.query(setWaitReasons, [JSON.stringify(rows)]);
}
