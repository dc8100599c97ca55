/** Checks of lineages and of what a job is made of (invariants 1 to 3). */
import { type Check, check } from './doctor.js';

const roots = 'r.job_id > $1::text and r.job_id <= $2::text and r.retry_number = 0';
const jobs = 'j.job_id > $1::text and j.job_id <= $2::text';

export const LINEAGE_CHECKS: readonly Check[] = [
  check(
    'lineage-head',
    'a lineage has exactly one head',
    `
  select r.job_id as id, 'heads: ' || count(h.job_id)::text as detail
  from jobs r
  left join jobs h on h.root_id = r.job_id and h.superseded_by is null
  where ${roots}
  group by r.job_id
  having count(h.job_id) <> 1
  order by r.job_id`,
  ),
  check(
    'lineage-unfinished',
    'a lineage has at most one unfinished job, and that is its head',
    `
  select r.job_id as id, 'unfinished: ' || string_agg(u.job_id, ' ' order by u.retry_number) as detail
  from jobs r
  join jobs u on u.root_id = r.job_id and u.status not in ('completed', 'error', 'terminated')
  where ${roots}
  group by r.job_id
  having count(*) > 1 or bool_or(u.superseded_by is not null)
  order by r.job_id`,
  ),
  check(
    'lineage-numbers',
    'the retries of a lineage are numbered 0, 1, 2 … without a gap and without a double',
    `
  select r.job_id as id, 'numbers: ' || string_agg(l.retry_number::text, ' ' order by l.retry_number) as detail
  from jobs r
  join jobs l on l.root_id = r.job_id
  where ${roots}
  group by r.job_id
  having count(distinct l.retry_number) <> count(*) or max(l.retry_number) <> count(*) - 1 or min(l.retry_number) <> 0
  order by r.job_id`,
  ),
  check(
    'lineage-root',
    'the root that a job names is there and is retry 0',
    `
  select j.job_id as id, 'root: ' || j.root_id as detail
  from jobs j
  left join jobs r on r.job_id = j.root_id and r.retry_number = 0 and r.root_id = r.job_id
  where ${jobs} and (r.job_id is null or (j.retry_number = 0) <> (j.job_id = j.root_id))
  order by j.job_id`,
  ),
  check(
    'lineage-link',
    'a job that was retried names the next job of its lineage, and only the last one names none',
    `
  select j.job_id as id, 'names ' || coalesce(j.superseded_by, 'none') || ', next is ' || coalesce(n.job_id, 'none') as detail
  from jobs j
  left join jobs n on n.root_id = j.root_id and n.retry_number = j.retry_number + 1
  where ${jobs} and j.superseded_by is distinct from n.job_id
  order by j.job_id`,
  ),
  check(
    'lineage-superseded',
    'only a job that ended in error or was terminated has been retried',
    `
  select j.job_id as id, j.status || ', retried by ' || j.superseded_by as detail
  from jobs j
  where ${jobs} and j.superseded_by is not null and j.status not in ('error', 'terminated')
  order by j.job_id`,
  ),
  check(
    'lineage-order',
    'the id of a retry is greater than that of its predecessor',
    `
  select j.job_id as id, 'predecessor: ' || p.job_id as detail
  from jobs j
  join jobs p on p.root_id = j.root_id and p.retry_number = j.retry_number - 1
  where ${jobs} and j.job_id <= p.job_id
  order by j.job_id`,
  ),
  check(
    'retry-same-inputs',
    'a retry has the inputs, the commit, the method and the batch of its predecessor, unless the batch abandoned that',
    `
  select j.job_id as id, 'predecessor: ' || p.job_id as detail
  from jobs j
  join jobs p on p.root_id = j.root_id and p.retry_number = j.retry_number - 1
  where ${jobs}
    and (j.input_id, j.app_commit, j.module, j.method, j.batch_id)
      is distinct from (
        p.input_id, p.app_commit, p.module, p.method, case when p.abandoned_at is null then p.batch_id end
      )
  order by j.job_id`,
  ),
  check(
    'job-inputs',
    'the inputs of a job are there, of its method and its commit, and the commit is a whole one',
    `
  select j.job_id as id, j.method || ' ' || j.app_commit || ', inputs ' || j.input_id as detail
  from jobs j
  left join inputs i on i.input_id = j.input_id
  where ${jobs}
    and (
      i.input_id is null
      or i.method <> j.method
      or i.app_commit <> j.app_commit
      or j.app_commit !~ '^[0-9a-f]{40}([0-9a-f]{24})?$'
    )
  order by j.job_id`,
  ),
  check(
    'job-batch',
    'the batch of a job is there',
    `
  select j.job_id as id, 'batch: ' || j.batch_id as detail
  from jobs j
  left join batches b on b.batch_id = j.batch_id
  where ${jobs} and j.batch_id is not null and b.batch_id is null
  order by j.job_id`,
  ),
];
