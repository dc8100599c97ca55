/** Jobs that wait or run and will not get on by themselves; locked, so that a report that comes in decides first. */
import { type Queryable, statement } from './db.js';

/** On a scheduler that no one machine owns; machines with a scheduler of their own have leases (hosts.ts). */
const lockDispatchesWithoutSign = statement<{ dispatch_id: string; job_id: string; scheduler: string }>(
  'lock_dispatches_without_sign',
  `
  select d.dispatch_id, d.job_id, d.scheduler
  from dispatches d
  join jobs j on j.job_id = d.job_id
  where d.closed_at is null
    and d.scheduler_host is null
    and d.own_runner
    and d.seen_at < now() - make_interval(secs => $1::float8)
    and (j.status in ('running', 'estimating') or j.status = 'queued' and d.started_at is not null)
  order by d.dispatch_id
  limit 1000
  for update of d skip locked`,
);

/** Started, unfinished, and silent for longer than `seconds`. Runners that are not ours know no heartbeat. */
export function lockSilentDispatches(tx: Queryable, seconds: number) {
  return tx.query(lockDispatchesWithoutSign, [seconds]);
}

const lockJobsQueuedBefore = statement<{ job_id: string; scheduler: string }>(
  'lock_jobs_queued_before',
  `
  select j.job_id, j.scheduler
  from jobs j
  where j.status = 'queued' and j.queued_at < now() - make_interval(secs => $1::float8)
  order by j.job_id
  limit 1000
  for update of j skip locked`,
);

/** Since `seconds` in the hands of a scheduler that has not started them. */
export function lockJobsQueuedFor(tx: Queryable, seconds: number) {
  return tx.query(lockJobsQueuedBefore, [seconds]);
}

const lockQueuedJobsWithoutDispatch = statement<{ job_id: string }>(
  'lock_queued_jobs_without_dispatch',
  `
  select j.job_id
  from jobs j
  where j.status = 'queued'
    and not exists (
      select
      from dispatches d
      where d.job_id = j.job_id and d.closed_at is null
    )
  order by j.job_id
  limit 1000
  for update of j skip locked`,
);

/** Queued, and no scheduler has them: no statement leaves a job so; a record that was mended by hand may. */
export async function lockUnheldJobs(tx: Queryable): Promise<string[]> {
  return (await tx.query(lockQueuedJobsWithoutDispatch)).map((row) => row.job_id);
}

const noteWhyRetriesWait = statement(
  'note_why_retries_wait',
  `
  with waiting as (
    select j.job_id, p.job_id as predecessor_id
    from jobs j
    join jobs p on p.root_id = j.root_id and p.retry_number = j.retry_number - 1
    where j.status = 'created'
      and j.wait_reason is null
      and exists (
        select
        from dispatches d
        where d.job_id = p.job_id and d.closed_at is null
      )
    order by j.job_id
    for update of j skip locked
  )
  update jobs j
  set wait_reason = 'waiting until the processes of its predecessor ' || w.predecessor_id || ' are gone'
  from waiting w
  where j.job_id = w.job_id`,
);

const noteWhyOthersWait = statement(
  'note_why_jobs_without_scheduler_wait',
  `
  with waiting as (
    select j.job_id
    from jobs j
    where j.status = 'created' and j.scheduler <> all ($1::text[]) and j.wait_reason is null
    order by j.job_id
    limit 10000
    for update of j skip locked
  )
  update jobs j
  set wait_reason = 'waiting for a server with the scheduler ' || j.scheduler
  from waiting w
  where j.job_id = w.job_id`,
);

/** Of jobs that the dispatcher does not even consider. It clears a reason when it hands a job over. */
export async function noteWhyJobsWait(db: Queryable, schedulers: readonly string[]): Promise<void> {
  await db.query(noteWhyRetriesWait);
  await db.query(noteWhyOthersWait, [schedulers]);
}
