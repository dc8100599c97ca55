/** Dispatches: one hand-over of a job to a scheduler. At most one per job is open, held by an index. */
import type { Status } from '../contract/status.js';
import { type Queryable, statement } from './db.js';

export interface CandidateRow {
  readonly job_id: string;
  readonly owner: string;
  readonly cpus: number;
  readonly memory_mb: number;
  readonly disk_gb: number | null;
  readonly client_group: string | null;
  readonly timeout_ms: number;
  readonly batch_id: string | null;
  readonly parent_job_id: string | null;
  readonly method: string;
  readonly app_id: string | null;
  readonly wsid: number | null;
  /** JSON text */
  readonly scheduler_options: string;
}

/**
 * Waiting jobs in fair order: every owner's first before anyone's second, those who have jobs in the scheduler later.
 * The recursion jumps from owner to owner through the index, so that one owner's million jobs cost nothing.
 * A retry waits until no process of its predecessor is left, that is until the predecessor's dispatch is closed.
 */
const selectDispatchCandidates = statement<CandidateRow>(
  'select_dispatch_candidates',
  `
  with recursive owners (owner) as (
    (
      select j.owner
      from jobs j
      where j.status = 'created' and j.scheduler = $1::text
      order by j.owner
      limit 1
    )
    union all
    select (
      select j.owner
      from jobs j
      where j.status = 'created' and j.scheduler = $1::text and j.owner > o.owner
      order by j.owner
      limit 1
    )
    from owners o
    where o.owner is not null
  ), busy as (
    select j.owner, count(*) as jobs
    from dispatches d
    join jobs j on j.job_id = d.job_id
    where d.scheduler = $1::text and d.closed_at is null
      -- only one owner waits (the last row is the end): nobody is to be weighed against
      and (select count(*) from owners) > 2
    group by j.owner
  )
  select
    w.job_id, w.owner, w.cpus, w.memory_mb, w.disk_gb, w.client_group, w.timeout_ms, w.batch_id, w.parent_job_id,
    w.method, w.app_id, w.wsid, w.scheduler_options
  from owners o
  left join busy on busy.owner = o.owner
  cross join lateral (
    select j.*, row_number() over (order by j.job_id) as turn
    from jobs j
    where j.status = 'created' and j.scheduler = $1::text and j.owner = o.owner
      and not exists (
        select
        from dispatches d
        where d.job_id = j.job_id and d.closed_at is null
      )
      and (j.retry_number = 0 or not exists (
        select
        from jobs p
        join dispatches d on d.job_id = p.job_id and d.closed_at is null
        where p.root_id = j.root_id and p.retry_number = j.retry_number - 1
      ))
    order by j.job_id
    limit $2::integer
  ) w
  where o.owner is not null
  order by w.turn + coalesce(busy.jobs, 0), w.job_id
  limit $2::integer`,
);

export function findDispatchCandidates(db: Queryable, scheduler: string, limit: number): Promise<CandidateRow[]> {
  return db.query(selectDispatchCandidates, [scheduler, limit]);
}

const openDispatchesIfCreated = statement<{ dispatch_id: string }>(
  'open_dispatches_if_created',
  `
  with asked as (
    select dispatch_id, job_id, scheduler_name
    from json_to_recordset($1::json) as t (dispatch_id text, job_id text, scheduler_name text)
  ), locked as (
    select a.*, l.status
    from (select * from asked order by job_id) a
    cross join lateral (
      select j.status
      from jobs j
      where j.job_id = a.job_id
      for share
    ) l
  ), wanted as (
    select dispatch_id, job_id, scheduler_name
    from locked
    where status = 'created'
    order by job_id
  ), opened as (
    insert into dispatches (dispatch_id, job_id, dispatch_number, scheduler, scheduler_host, own_runner, scheduler_name)
    select
      dispatch_id, job_id,
      1 + coalesce((select max(d.dispatch_number) from dispatches d where d.job_id = wanted.job_id), 0),
      $2::text, $3::text, $4::boolean, scheduler_name
    from wanted
    on conflict do nothing
    returning dispatch_id, job_id, dispatch_number
  ), noted as (
    insert into events (kind, job_id, batch_id, owner, payload)
    select
      'job.dispatched', o.job_id, j.batch_id, j.owner,
      json_build_object('dispatch_id', o.dispatch_id, 'dispatch_number', o.dispatch_number, 'scheduler', $2::text)::text
    from opened o
    join jobs j on j.job_id = o.job_id
    order by o.dispatch_id
  )
  select dispatch_id
  from opened`,
);

/** Opens a dispatch for every job that is still created and has none; another replica's claim wins silently. */
export async function openDispatches(
  tx: Queryable,
  rows: readonly { dispatch_id: string; job_id: string; scheduler_name: string | null }[],
  scheduler: { readonly name: string; readonly host: string | null },
  ownRunner: boolean,
): Promise<Set<string>> {
  const { name, host } = scheduler;
  const opened = await tx.query(openDispatchesIfCreated, [JSON.stringify(rows), name, host, ownRunner]);
  return new Set(opened.map((row) => row.dispatch_id));
}

const queueAcceptedDispatches = statement<{ job_id: string }>(
  'queue_accepted_dispatches',
  `
  with accepted as (
    select dispatch_id, scheduler_id
    from json_to_recordset($1::json) as t (dispatch_id text, scheduler_id text)
  ), locked as (
    select l.dispatch_id, a.scheduler_id
    from (select * from accepted order by dispatch_id) a
    cross join lateral (
      select d.dispatch_id
      from dispatches d
      where d.dispatch_id = a.dispatch_id
      for update
    ) l
  ), submitted as (
    update dispatches d
    set
      -- one that was adopted by another server meanwhile may have moved since
      scheduler_id = case when d.submitted_at is null then l.scheduler_id else d.scheduler_id end,
      submitted_at = coalesce(d.submitted_at, now())
    from locked l
    where d.dispatch_id = l.dispatch_id
    returning d.dispatch_id, d.job_id, d.scheduler_id, d.closed_at
  ), held as (
    select s.job_id, s.dispatch_id, s.scheduler_id, l.status
    from (select * from submitted where closed_at is null order by job_id) s
    cross join lateral (
      select j.status
      from jobs j
      where j.job_id = s.job_id
      for update
    ) l
  ), queued as (
    update jobs j
    set
      status = case when j.status = 'created' then 'queued' else j.status end,
      -- one that was handed over before, and waits again, is new there
      queued_at = case when j.status = 'created' then now() else coalesce(j.queued_at, now()) end,
      updated_at = now(),
      wait_reason = null
    from held s
    where j.job_id = s.job_id and s.status in ('created', 'queued', 'estimating', 'running')
    returning j.job_id, j.batch_id, j.owner, s.dispatch_id, s.scheduler_id
  ), noted as (
    insert into events (kind, job_id, batch_id, owner, payload)
    select
      'job.queued', job_id, batch_id, owner,
      json_build_object('previous_status', 'created', 'dispatch_id', dispatch_id, 'scheduler_id', scheduler_id)::text
    from queued
    order by job_id
  )
  select job_id
  from queued`,
);

/** A job that started before this was written stays running; only the time and the scheduler's id are added. */
export async function markQueued(
  tx: Queryable,
  rows: readonly { dispatch_id: string; scheduler_id: string | null }[],
): Promise<void> {
  if (rows.length > 0) await tx.query(queueAcceptedDispatches, [JSON.stringify(rows)]);
}

const closeOpenDispatches = statement<{ dispatch_id: string; job_id: string }>(
  'close_open_dispatches',
  `
  with asked as (
    select dispatch_id, close_reason
    from json_to_recordset($1::json) as t (dispatch_id text, close_reason text)
  ), locked as (
    select a.*, l.closed_at
    from (select * from asked order by dispatch_id) a
    cross join lateral (
      select d.closed_at
      from dispatches d
      where d.dispatch_id = a.dispatch_id
      for update
    ) l
  ), closed as (
    update dispatches d
    set closed_at = now(), close_reason = l.close_reason
    from locked l
    where d.dispatch_id = l.dispatch_id and l.closed_at is null
    returning d.dispatch_id, d.job_id, d.close_reason
  ), noted as (
    insert into events (kind, job_id, batch_id, owner, payload)
    select
      'job.dispatch_closed', c.job_id, j.batch_id, j.owner,
      json_build_object('dispatch_id', c.dispatch_id, 'close_reason', c.close_reason)::text
    from closed c
    join jobs j on j.job_id = c.job_id
    order by c.dispatch_id
  )
  select dispatch_id, job_id
  from closed`,
);

export type CloseReason = 'finished' | 'canceled' | 'lost' | 'rejected' | 'superseded';

export async function closeDispatches(
  tx: Queryable,
  rows: readonly { dispatch_id: string; close_reason: CloseReason }[],
): Promise<number> {
  return rows.length === 0 ? 0 : (await tx.query(closeOpenDispatches, [JSON.stringify(rows)])).length;
}

const lockUnstarted = statement<{ dispatch_id: string }>(
  'lock_unstarted_dispatches',
  `
  select d.dispatch_id
  from dispatches d
  where d.dispatch_id = any($1::text[]) and d.closed_at is null and d.started_at is null
  order by d.dispatch_id
  for update`,
);

/** Of these: the open ones that no process has started. */
export async function lockUnstartedDispatches(tx: Queryable, dispatchIds: readonly string[]): Promise<Set<string>> {
  if (dispatchIds.length === 0) return new Set();
  return new Set((await tx.query(lockUnstarted, [dispatchIds])).map((row) => row.dispatch_id));
}

export interface OpenDispatchRow {
  readonly dispatch_id: string;
  readonly job_id: string;
  readonly status: Status;
  readonly submitted_at: Date | null;
  readonly started_at: Date | null;
  readonly scheduler_id: string | null;
  readonly scheduler_name: string | null;
  /** False: somebody else's runner carries it out. */
  readonly own_runner: boolean;
  /** Seconds since it was opened, by the database's clock. */
  readonly age: number;
  /** Seconds since its job ended; null before. */
  readonly ended_for: number | null;
}

/** As the scheduler's seam asks for it. */
export function refOf(row: Pick<OpenDispatchRow, 'dispatch_id' | 'scheduler_name' | 'scheduler_id'>) {
  return { dispatchId: row.dispatch_id, name: row.scheduler_name, schedulerId: row.scheduler_id };
}

const selectOpenDispatches = statement<OpenDispatchRow>(
  'select_open_dispatches',
  `
  select
    d.dispatch_id, d.job_id, j.status, d.submitted_at, d.started_at, d.scheduler_id,
    d.scheduler_name, d.own_runner,
    extract(epoch from now() - d.opened_at)::float8 as age,
    extract(epoch from now() - j.finished_at)::float8 as ended_for
  from dispatches d
  join jobs j on j.job_id = d.job_id
  where d.closed_at is null and d.scheduler = $1::text and d.scheduler_host is not distinct from $2::text
  order by d.dispatch_id`,
);

export function findOpenDispatches(db: Queryable, scheduler: string, host: string | null): Promise<OpenDispatchRow[]> {
  return db.query(selectOpenDispatches, [scheduler, host]);
}

export interface OpenDispatchOfJobRow {
  readonly dispatch_id: string;
  readonly job_id: string;
  readonly scheduler: string;
  readonly scheduler_host: string | null;
  readonly scheduler_id: string | null;
  readonly scheduler_name: string | null;
  readonly own_runner: boolean;
  readonly started: boolean;
  readonly status: Status;
}

const selectOpenDispatchesOfJobs = statement<OpenDispatchOfJobRow>(
  'select_open_dispatches_of_jobs',
  `
  select
    d.dispatch_id, d.job_id, d.scheduler, d.scheduler_host, d.scheduler_id, d.scheduler_name, d.own_runner,
    d.started_at is not null as started, j.status
  from dispatches d
  join jobs j on j.job_id = d.job_id
  where d.closed_at is null and d.job_id = any($1::text[])`,
);

export function findOpenDispatchesOfJobs(db: Queryable, jobIds: readonly string[]) {
  return db.query(selectOpenDispatchesOfJobs, [jobIds]);
}

const selectEndedJobsOfDispatches = statement<{ job_id: string }>(
  'select_ended_jobs_of_dispatches',
  `
  select d.job_id
  from dispatches d
  join jobs j on j.job_id = d.job_id
  where d.dispatch_id = any($1::text[]) and d.closed_at is null and j.status in ('completed', 'error', 'terminated')`,
);

/** Of open ones: their jobs that have ended. */
export async function findEndedJobs(db: Queryable, dispatchIds: readonly string[]): Promise<string[]> {
  if (dispatchIds.length === 0) return [];
  return (await db.query(selectEndedJobsOfDispatches, [dispatchIds])).map((row) => row.job_id);
}

const selectDispatchState = statement<{ job_id: string; closed: boolean }>(
  'select_dispatch_state',
  `
  select job_id, closed_at is not null as closed
  from dispatches
  where dispatch_id = $1::text`,
);

export async function findDispatchState(db: Queryable, dispatchId: string) {
  return (await db.query(selectDispatchState, [dispatchId]))[0];
}

const selectVersionOfOpenDispatch = statement<{ method: string; app_commit: string }>(
  'select_version_of_open_dispatch',
  `
  select j.method, j.app_commit
  from dispatches d
  join jobs j on j.job_id = d.job_id
  where d.dispatch_id = $1::text and d.closed_at is null`,
);

export async function findVersionOfOpenDispatch(db: Queryable, dispatchId: string) {
  return (await db.query(selectVersionOfOpenDispatch, [dispatchId]))[0];
}

export interface DispatchRow {
  readonly dispatch_id: string;
  readonly dispatch_number: number;
  readonly scheduler: string;
  readonly scheduler_host: string | null;
  readonly scheduler_id: string | null;
  readonly opened_at: Date;
  readonly submitted_at: Date | null;
  readonly started_at: Date | null;
  readonly closed_at: Date | null;
  readonly close_reason: string | null;
  readonly late_lines: number;
  readonly peak_memory_mb: number | null;
  readonly cpu_seconds: number | null;
}

const selectDispatchesOfJob = statement<DispatchRow>(
  'select_dispatches_of_job',
  `
  select
    dispatch_id, dispatch_number, scheduler, scheduler_host, scheduler_id, opened_at, submitted_at, started_at,
    closed_at, close_reason, late_lines, peak_memory_mb, cpu_seconds
  from dispatches
  where job_id = $1::text
  order by dispatch_number`,
);

export function findDispatchesOfJob(db: Queryable, jobId: string): Promise<DispatchRow[]> {
  return db.query(selectDispatchesOfJob, [jobId]);
}

export interface ReportedDispatchRow {
  readonly dispatch_id: string;
  readonly job_id: string;
  readonly scheduler: string;
  readonly scheduler_name: string | null;
  readonly started_at: Date | null;
  readonly closed_at: Date | null;
  readonly logs_received: number;
  readonly status: Status;
  readonly method: string;
  readonly app_commit: string;
  readonly params: string | null;
  readonly timeout_ms: number;
  readonly cpus: number;
  readonly memory_mb: number;
  readonly own_runner: boolean;
  /** Of the process that started it. */
  readonly run_id: string | null;
  readonly scheduler_id: string | null;
  readonly scheduler_options: string;
  readonly client_group: string | null;
  readonly batch_id: string | null;
  readonly parent_job_id: string | null;
  /** Seconds since the job ended; null before. */
  readonly ended_for: number | null;
  /** Seconds since its runner spoke. */
  readonly silent_for: number;
}

const lockReportedDispatches = statement<ReportedDispatchRow>(
  'lock_reported_dispatches',
  `
  with locked as (
    select
      d.dispatch_id, d.job_id, d.started_at, d.closed_at, d.logs_received, d.own_runner, d.run_id, d.scheduler,
      d.scheduler_id, d.scheduler_name, d.seen_at
    from dispatches d
    where d.dispatch_id = any($1::text[])
    order by d.dispatch_id
    for update
  ), held as (
    select d.*, j.*
    from (select * from locked order by job_id) d
    cross join lateral (
      select
        j.input_id, j.status, j.method, j.app_commit, j.timeout_ms, j.cpus, j.memory_mb, j.scheduler_options,
        j.client_group, j.batch_id, j.parent_job_id, j.finished_at
      from jobs j
      where j.job_id = d.job_id
      for no key update
    ) j
  )
  select
    h.dispatch_id, h.job_id, h.scheduler, h.scheduler_name, h.started_at, h.closed_at, h.logs_received, h.status,
    h.method, h.app_commit,
    case when h.started_at is null then i.params end as params,
    h.timeout_ms, h.cpus, h.memory_mb, h.own_runner, h.run_id, h.scheduler_id, h.scheduler_options, h.client_group,
    h.batch_id, h.parent_job_id, extract(epoch from now() - h.finished_at)::float8 as ended_for,
    extract(epoch from now() - h.seen_at)::float8 as silent_for
  from held h
  join inputs i on i.input_id = h.input_id
  order by h.dispatch_id`,
);

/** With their jobs: what is judged from the answer can not change before the transaction ends. */
export function lockDispatches(tx: Queryable, dispatchIds: readonly string[]): Promise<ReportedDispatchRow[]> {
  return tx.query(lockReportedDispatches, [dispatchIds]);
}

export interface TakenDispatchRow {
  readonly dispatch_id: string;
  /** Before it moved. */
  readonly scheduler_name: string;
  readonly scheduler_id: string | null;
}

const moveQueuedDispatch = statement<TakenDispatchRow>(
  'move_queued_dispatch',
  `
  with free as (
    -- every index comes before '~'
    select d.*
    from (
      select d.dispatch_id, d.job_id, d.scheduler_name, d.scheduler_id
      from dispatches d
      where d.closed_at is null and d.scheduler_name collate "C" >= $2::text
        and d.scheduler_name collate "C" < $2::text || '~'
        and d.scheduler = $1::text and d.own_runner and d.submitted_at is not null and d.started_at is null
      order by d.scheduler_name collate "C" desc
      -- more are looked at in vain only where somebody writes of all of them, or an operator holds them
      limit 100
      for no key update skip locked
    ) d
    cross join lateral (
      select j.status, j.wait_reason
      from jobs j
      where j.job_id = d.job_id
      -- looked at before it is judged: its state's index has all that wait
      limit 1
      for no key update skip locked
    ) j
    where j.status = 'queued' and (j.wait_reason is null or j.wait_reason = any($3::text[]))
    limit 1
  ), moved as (
    update dispatches d
    set scheduler_name = $4::text, scheduler_id = $5::text
    from free
    where d.dispatch_id = free.dispatch_id
  )
  select dispatch_id, scheduler_name, scheduler_id
  from free`,
);

/**
 * One that its scheduler has not begun, under another name from now on; locked with its job. Which of them is nobody's
 * business, but not the one that the scheduler begins next; those that somebody else is just looking at are passed over.
 */
export async function takeQueuedDispatch(
  tx: Queryable,
  { scheduler, names, reasons }: { scheduler: string; names: string; reasons: readonly string[] },
  to: { readonly scheduler_name: string | null; readonly scheduler_id: string | null },
): Promise<TakenDispatchRow | undefined> {
  const values = [scheduler, names, reasons, to.scheduler_name, to.scheduler_id];
  return (await tx.query(moveQueuedDispatch, values))[0];
}

const selectDispatchOfRun = statement<{ dispatch_id: string }>(
  'select_dispatch_of_run',
  `
  select dispatch_id
  from dispatches
  where closed_at is null and scheduler_name collate "C" = $1::text and run_id = $2::text`,
);

/** The open one that this execution has started. */
export async function findDispatchOfRun(tx: Queryable, name: string, runId: string) {
  return (await tx.query(selectDispatchOfRun, [name, runId]))[0];
}

const selectInputOfJob = statement<{ params: string | null }>(
  'select_params_of_job',
  `
  select i.params
  from jobs j
  join inputs i on i.input_id = j.input_id
  where j.job_id = $1::text`,
);

/** For a start that is repeated because its answer was lost. */
export async function findParams(db: Queryable, jobId: string): Promise<string | null> {
  return (await db.query(selectInputOfJob, [jobId]))[0]?.params ?? null;
}

const countLostDispatches = statement<{ job_id: string; lost: number }>(
  'count_lost_dispatches',
  `
  select job_id, count(*)::integer as lost
  from dispatches
  where job_id = any($1::text[]) and close_reason = 'lost' and started_at is null
  group by job_id`,
);

/** How often the job was handed over and never began. */
export async function countLost(tx: Queryable, jobIds: readonly string[]): Promise<Map<string, number>> {
  if (jobIds.length === 0) return new Map();
  return new Map((await tx.query(countLostDispatches, [jobIds])).map((row) => [row.job_id, row.lost]));
}

const noteDispatchReports = statement(
  'note_dispatch_reports',
  `
  with notes as (
    select *
    from json_to_recordset($1::json) as t (
      dispatch_id text, started boolean, run_id text, lines integer, late_lines integer, peak_memory_mb float8,
      cpu_seconds float8, close_reason text
    )
    -- all of them, and the planner expects few: of a hundred it would read a table of thousands for one
    limit json_array_length($1::json)
  ), told as (
    update dispatches d
    set
      seen_at = now(),
      started_at = case when t.started then coalesce(d.started_at, now()) else d.started_at end,
      run_id = case when t.started and d.started_at is null then t.run_id else d.run_id end,
      logs_received = d.logs_received + t.lines,
      late_lines = d.late_lines + t.late_lines,
      peak_memory_mb = coalesce(t.peak_memory_mb, d.peak_memory_mb),
      cpu_seconds = coalesce(t.cpu_seconds, d.cpu_seconds),
      closed_at = case when t.close_reason is null then d.closed_at else now() end,
      close_reason = coalesce(t.close_reason, d.close_reason)
    from notes t
    where d.dispatch_id = t.dispatch_id and (t.close_reason is null or d.closed_at is null)
    returning d.dispatch_id, d.job_id, t.close_reason
  )
  insert into events (kind, job_id, batch_id, owner, payload)
  select
    'job.dispatch_closed', t.job_id, j.batch_id, j.owner,
    json_build_object('dispatch_id', t.dispatch_id, 'close_reason', t.close_reason)::text
  from told t
  join jobs j on j.job_id = t.job_id
  where t.close_reason is not null
  order by t.dispatch_id`,
);

export interface DispatchNote {
  readonly dispatch_id: string;
  readonly started: boolean;
  /** Counts with the first start only. */
  readonly run_id: string | null;
  readonly lines: number;
  readonly late_lines: number;
  readonly peak_memory_mb: number | null;
  readonly cpu_seconds: number | null;
  /** Of an open one: it is closed with this. */
  readonly close_reason: CloseReason | null;
}

/** In the order given; the dispatches are locked by their caller. */
export async function noteReports(tx: Queryable, notes: readonly DispatchNote[]): Promise<void> {
  if (notes.length > 0) await tx.query(noteDispatchReports, [JSON.stringify(notes)]);
}

const renewDispatchLeases = statement(
  'renew_dispatch_leases',
  `
  update dispatches
  set seen_at = now()
  where closed_at is null and (dispatch_id = any($1::text[]) or job_id = any($2::text[]))`,
);

/** `seen_at` of the open dispatches named, or of the jobs named. A dispatch that was given up stays given up. */
export async function renewLeases(
  db: Queryable,
  { dispatchIds, jobIds }: { dispatchIds: readonly string[]; jobIds: readonly string[] },
): Promise<void> {
  await db.query(renewDispatchLeases, [dispatchIds, jobIds]);
}
