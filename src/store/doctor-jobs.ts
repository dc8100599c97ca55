/** Checks of the life of jobs and their dispatches (invariants 4, 5 and 8). */
import { TRANSITIONS } from '../contract/status.js';
import { type Check, check } from './doctor.js';

const jobs = 'j.job_id > $1::text and j.job_id <= $2::text';
const ended = "j.status in ('completed', 'error', 'terminated')";
/** Of jobs that ended before the horizon, retention has removed events. */
const hasEvents = `(
      j.finished_at is null
      or not exists (select from event_horizon h where h.removed_before > j.finished_at)
    )`;

const moves = Object.entries(TRANSITIONS).flatMap(([from, to]) => to.map((status) => `('${from}', '${status}')`));
/** A job that is `queued` late keeps its status; the others say what it became. */
const BECAME = `case e.kind
        when 'job.estimating' then 'estimating'
        when 'job.started' then 'running'
        when 'job.completed' then 'completed'
        when 'job.failed' then 'error'
        when 'job.terminated' then 'terminated'
        when 'job.requeued' then 'created'
      end`;

export const JOB_CHECKS: readonly Check[] = [
  check(
    'job-times',
    'a job has the time of its end when it has ended, and only then',
    `
  select j.job_id as id, j.status as detail
  from jobs j
  where ${jobs} and (${ended}) <> (j.finished_at is not null)
  order by j.job_id`,
  ),
  check(
    'job-outcome',
    'a completed job has an output and no failure; a failed one says of which class; a terminated one by whom',
    `
  select j.job_id as id, j.status as detail
  from jobs j
  where ${jobs}
    and case j.status
      when 'completed' then j.job_output is null or j.error_code is not null or j.failure_class is not null
      when 'error' then j.failure_class is null or j.error_code is null
      when 'terminated' then j.terminated_code is null
      else j.error_code is not null or j.terminated_code is not null or j.failure_class is not null
    end
  order by j.job_id`,
  ),
  check(
    'job-created-event',
    'that a job was created is recorded once',
    `
  select j.job_id as id, 'recorded: ' || count(e.event_id)::text as detail
  from jobs j
  left join events e on e.job_id = j.job_id and e.kind = 'job.created'
  where ${jobs} and ${hasEvents}
  group by j.job_id
  having count(e.event_id) <> 1
  order by j.job_id`,
  ),
  check(
    'job-end-event',
    'that a job ended, and how, is recorded once; of an unfinished one it is not',
    `
  select j.job_id as id, j.status || ', recorded: ' || coalesce(string_agg(e.kind, ' ' order by e.event_id), 'nothing') as detail
  from jobs j
  left join events e on e.job_id = j.job_id and e.kind in ('job.completed', 'job.failed', 'job.terminated')
  where ${jobs} and ${hasEvents}
  group by j.job_id
  having count(e.event_id) <> (${ended})::integer
    or bool_or(e.kind <> case j.status when 'error' then 'job.failed' else 'job.' || j.status end)
  order by j.job_id`,
  ),
  check(
    'job-event-path',
    'every recorded change of a status is one that the state machine has, or was forced',
    `
  with moves (from_status, to_status) as (
    values ${moves.join(', ')}
  ), changes as (
    select j.job_id, e.event_id, e.payload::json ->> 'previous_status' as from_status, ${BECAME} as to_status
    from jobs j
    join events e on e.job_id = j.job_id
    where ${jobs}
      and e.kind in (
        'job.estimating', 'job.started', 'job.completed', 'job.failed', 'job.terminated', 'job.requeued'
      )
      and e.payload::json ->> 'forced' is null
  )
  select c.job_id as id, coalesce(c.from_status, 'nothing') || ' to ' || c.to_status as detail
  from changes c
  where not exists (
    select
    from moves m
    where m.from_status = c.from_status and m.to_status = c.to_status
  )
  order by c.job_id, c.event_id`,
  ),
  check(
    'job-token',
    'the sealed token of a job is gone with its end',
    `
  select j.job_id as id, j.status as detail
  from jobs j
  join job_tokens t on t.job_id = j.job_id
  where ${jobs} and ${ended}
  order by j.job_id`,
  ),
  check(
    'dispatch-open',
    'a job has at most one open dispatch',
    `
  select j.job_id as id, 'open: ' || string_agg(d.dispatch_id, ' ' order by d.dispatch_number) as detail
  from jobs j
  join dispatches d on d.job_id = j.job_id and d.closed_at is null
  where ${jobs}
  group by j.job_id
  having count(*) > 1
  order by j.job_id`,
  ),
  check(
    'dispatch-numbers',
    'the dispatches of a job are numbered 1, 2 … without a gap and without a double',
    `
  select j.job_id as id, 'numbers: ' || string_agg(d.dispatch_number::text, ' ' order by d.dispatch_number) as detail
  from jobs j
  join dispatches d on d.job_id = j.job_id
  where ${jobs}
  group by j.job_id
  having count(distinct d.dispatch_number) <> count(*) or max(d.dispatch_number) <> count(*)
  order by j.job_id`,
  ),
  check(
    'dispatch-closed',
    'a dispatch says why it was closed when it is, and only then',
    `
  select j.job_id as id, d.dispatch_id as detail
  from jobs j
  join dispatches d on d.job_id = j.job_id
  where ${jobs} and (d.closed_at is null) <> (d.close_reason is null)
  order by j.job_id`,
  ),
  check(
    'queued-dispatch',
    'a queued job has an open dispatch',
    `
  select j.job_id as id, 'scheduler: ' || j.scheduler as detail
  from jobs j
  where ${jobs}
    and j.status = 'queued'
    and not exists (
      select
      from dispatches d
      where d.job_id = j.job_id and d.closed_at is null
    )
  order by j.job_id`,
  ),
  check(
    'running-dispatch',
    'a job that runs was not closed by the dispatch that ran it',
    `
  select j.job_id as id, d.dispatch_id || ' was closed: ' || d.close_reason as detail
  from jobs j
  join dispatches d on d.job_id = j.job_id
  where ${jobs}
    and j.status in ('running', 'estimating')
    and d.close_reason in ('finished', 'canceled')
    and not exists (
      select
      from dispatches o
      where o.job_id = j.job_id and o.dispatch_number > d.dispatch_number
    )
  order by j.job_id`,
  ),
  check(
    'started-status',
    'a job whose open dispatch has started it does not wait',
    `
  select j.job_id as id, j.status || ', started by ' || d.dispatch_id as detail
  from jobs j
  join dispatches d on d.job_id = j.job_id and d.closed_at is null
  where ${jobs} and d.own_runner and d.started_at is not null and j.status in ('created', 'queued')
  order by j.job_id`,
  ),
  check(
    'ended-dispatch',
    'the processes of a job are gone a day after its end at the latest',
    `
  select j.job_id as id, d.dispatch_id || ' at ' || d.scheduler || coalesce(' on ' || d.scheduler_host, '') as detail
  from jobs j
  join dispatches d on d.job_id = j.job_id and d.closed_at is null
  where ${jobs} and j.finished_at < now() - interval '1 day'
  order by j.job_id`,
  ),
];
