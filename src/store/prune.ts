/**
 * Removing what retention no longer keeps: log lines and events of jobs that ended long ago, and old requests with their
 * receipts. Each statement is one small step and leaves the record whole; nothing of an unfinished job is ever removed.
 */
import { type Queryable, statement } from './db.js';

const deleteOldRequests = statement<{ removed: number }>(
  'delete_old_requests',
  `
  with old as (
    select request_key
    from requests
    where created_at < $1::timestamptz
    order by created_at
    limit $2::integer
    for update skip locked
  ), gone as (
    delete from requests r
    using old
    where r.request_key = old.request_key
    returning r.request_key
  )
  select count(*) as removed
  from gone`,
);

/** At most `limit` requests, with all their receipts. Returns how many. */
export async function removeRequests(db: Queryable, before: Date, limit: number): Promise<number> {
  return (await db.query(deleteOldRequests, [before, limit]))[0]?.removed ?? 0;
}

/** What is removed is counted in the same statement: positions of lines that stay never change. */
const deleteOldLogChunks = statement<{ removed: number }>(
  'delete_old_log_chunks',
  `
  with due as (
    select c.job_id
    from log_counters c
    join jobs j on j.job_id = c.job_id
    where c.removed_lines < c.line_count
      and c.job_id < $2::text
      and j.status in ('completed', 'error', 'terminated')
      and j.finished_at < $1::timestamptz
      and not exists (
        select
        from dispatches d
        where d.job_id = j.job_id and d.closed_at is null
      )
    order by c.job_id
    limit $3::integer
    for update of c skip locked
  ), old as (
    select l.job_id, l.first_line
    from due
    join log_chunks l on l.job_id = due.job_id
    order by l.job_id, l.first_line
    limit $3::integer
  ), gone as (
    delete from log_chunks l
    using old
    where l.job_id = old.job_id and l.first_line = old.first_line
    returning l.job_id, l.first_line + l.line_count as upto
  ), counted as (
    update log_counters c
    set removed_lines = greatest(c.removed_lines, g.upto)
    from (
      select job_id, max(upto) as upto
      from gone
      group by job_id
    ) g
    where c.job_id = g.job_id
  )
  select count(*) as removed
  from gone`,
);

/** At most `limit` chunks, of jobs that ended before. Returns how many. */
export async function removeLogChunks(db: Queryable, before: Date, limit: number): Promise<number> {
  // ids begin with the second of their creation, and no job ends before it is created
  const bound = Math.floor(before.getTime() / 1000 + 1)
    .toString(16)
    .padStart(8, '0');
  return (await db.query(deleteOldLogChunks, [before, bound, limit]))[0]?.removed ?? 0;
}

export interface EventsRemoved {
  /** Where the next step looks on; null: what comes is younger, or there is no more. */
  readonly next: number | null;
  readonly removed: number;
}

/**
 * Looks at the next `limit` events in order of their ids. Kept are those of unfinished jobs and batches, and those that a
 * service outside has not been told yet. The horizon moves in the same statement.
 */
const deleteOldEvents = statement<{ last_id: number | null; is_end: boolean; removed: number }>(
  'delete_old_events',
  `
  with seen as (
    select e.event_id, e.txid, e.at, e.job_id, e.batch_id
    from events e
    where e.event_id > $2::bigint
    order by e.event_id
    limit $3::integer
  ), old as (
    select s.event_id
    from seen s
    where s.at < $1::timestamptz
      and not exists (
        select
        from jobs j
        where j.job_id = s.job_id and (j.finished_at is null or j.finished_at >= $1::timestamptz)
      )
      and (s.job_id is not null or not exists (
        select
        from jobs j
        where j.batch_id = s.batch_id and j.superseded_by is null
          and j.status in ('created', 'estimating', 'queued', 'running')
      ))
      and not exists (
        select
        from relays r
        where (r.txid, r.event_id) < (s.txid, s.event_id)
      )
  ), gone as (
    delete from events e
    using old
    where e.event_id = old.event_id
    returning e.event_id
  ), noted as (
    insert into event_horizon (removed_before)
    select $1::timestamptz
    where exists (select from gone)
    on conflict (only_one) do update
    set removed_before = greatest(event_horizon.removed_before, excluded.removed_before)
  )
  select
    (select max(event_id) from seen) as last_id,
    (select count(*) < $3::integer or bool_or(at >= $1::timestamptz) from seen) as is_end,
    (select count(*) from gone) as removed`,
);

export async function removeEvents(db: Queryable, before: Date, after: number, limit: number): Promise<EventsRemoved> {
  const [row] = await db.query(deleteOldEvents, [before, after, limit]);
  return { next: row === undefined || row.is_end ? null : row.last_id, removed: row?.removed ?? 0 };
}

const selectDatabaseTime = statement<{ now: Date }>(
  'select_database_time',
  `
  select now() as now`,
);

export async function databaseTime(db: Queryable): Promise<Date> {
  return (await db.query(selectDatabaseTime))[0]?.now ?? new Date();
}
