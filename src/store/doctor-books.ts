/** Checks of logs, batches, requests and receipts (invariants 2, 6 and 7). */
import { type Check, check } from './doctor.js';

const counters = 'c.job_id > $1::text and c.job_id <= $2::text';
const batches = 'b.batch_id > $1::text and b.batch_id <= $2::text';
const requests = 'r.request_key > $1::text and r.request_key <= $2::text';

export const LOG_CHECKS: readonly Check[] = [
  check(
    'log-lines',
    'the lines of a log are there from the first that retention kept to the last that is counted, each once',
    `
  with chunks as (
    select
      c.job_id, c.line_count as counted, c.removed_lines, l.first_line, l.line_count,
      coalesce(lag(l.first_line + l.line_count) over (partition by c.job_id order by l.first_line), c.removed_lines) as due
    from log_counters c
    left join log_chunks l on l.job_id = c.job_id
    where ${counters}
  )
  select
    k.job_id as id,
    'counted ' || max(k.counted)::text || ', removed ' || max(k.removed_lines)::text || ', there '
      || coalesce(sum(k.line_count), 0)::text || ' up to ' || coalesce(max(k.first_line + k.line_count), 0)::text as detail
  from chunks k
  group by k.job_id
  having coalesce(bool_or(k.first_line <> k.due), false)
    or coalesce(max(k.first_line + k.line_count), max(k.removed_lines)) <> max(k.counted)
  order by k.job_id`,
  ),
  check(
    'log-chunk',
    'a chunk of a log has as many lines as it says',
    `
  select c.job_id as id, 'lines from ' || l.first_line::text as detail
  from log_counters c
  join log_chunks l on l.job_id = c.job_id
  where ${counters} and json_array_length(l.lines::json) <> l.line_count
  order by c.job_id, l.first_line`,
  ),
];

export const BATCH_CHECKS: readonly Check[] = [
  check(
    'batch-times',
    'a batch has the time of its cancellation when it was cancelled, and only then',
    `
  select b.batch_id as id, b.status as detail
  from batches b
  where ${batches} and (b.status = 'terminated') <> (b.finished_at is not null)
  order by b.batch_id`,
  ),
  check(
    'batch-created-event',
    'that a batch was created is recorded once',
    `
  select b.batch_id as id, 'recorded: ' || count(e.event_id)::text as detail
  from batches b
  left join events e on e.batch_id = b.batch_id and e.kind = 'batch.created'
  where ${batches} and not exists (select from event_horizon h where h.removed_before > b.created_at)
  group by b.batch_id
  having count(e.event_id) <> 1
  order by b.batch_id`,
  ),
];

export const REQUEST_CHECKS: readonly Check[] = [
  check(
    'request-answer',
    'a request that is remembered has its answer or its receipts',
    `
  select r.request_key as id, r.operation || coalesce(' ' || r.request_id, '') as detail
  from requests r
  where ${requests}
    and r.remembered
    and r.answer = ''
    and not exists (
      select
      from receipts c
      where c.request_key = r.request_key
    )
  order by r.request_key`,
  ),
  check(
    'request-jobs',
    'the jobs that an answer names are there',
    `
  select r.request_key as id, i.item ->> 'job_id' as detail
  from requests r
  cross join lateral json_array_elements(case when r.answer <> '' then r.answer::json -> 'items' end) as i (item)
  where ${requests}
    and i.item ->> 'job_id' is not null
    and not exists (
      select
      from jobs j
      where j.job_id = i.item ->> 'job_id'
    )
  order by r.request_key`,
  ),
  check(
    'receipt-items',
    'a request has a receipt for every item',
    `
  select r.request_key as id, count(*)::text || ' receipts up to item ' || max(c.item)::text as detail
  from requests r
  join receipts c on c.request_key = r.request_key
  where ${requests}
  group by r.request_key
  having min(c.item) <> 0 or max(c.item) <> count(*) - 1
  order by r.request_key`,
  ),
  check(
    'receipt-retry',
    'the retry that a receipt names is there, in that lineage and with that number',
    `
  select r.request_key as id, 'item ' || c.item::text || ': ' || c.retry_id as detail
  from requests r
  join receipts c on c.request_key = r.request_key
  left join jobs j on j.job_id = c.retry_id
  where ${requests}
    and c.retry_id is not null
    and (j.root_id, j.retry_number) is distinct from (c.root_id, c.retry_number)
  order by r.request_key, c.item`,
  ),
];
