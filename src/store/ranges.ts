/** Jobs and batch parents by the time of their creation, which stands in their ids, and by members of their EE2 record. */
import { type Queryable, statement } from './db.js';

/**
 * Of each record what a filter may name, in EE2's names; times are in ms. A filter is contained in it, whatever it names:
 * `{"status": "error", "job_input": {"app_id": "a/b"}}`.
 */
const inRange = `
  with records as (
    select
      j.job_id as id,
      jsonb_build_object(
        'user', j.owner, 'authstrat', 'kbaseworkspace', 'wsid', j.wsid, 'status', j.status, 'batch_job', false,
        'batch_id', j.batch_id, 'retry_parent', case when j.retry_number > 0 then j.root_id end,
        'retry_saved_toggle', j.retry_number > 0, 'scheduler_type', case when j.queued_at is not null then j.scheduler end,
        'errormsg', j.errormsg, 'error_code', j.error_code, 'terminated_code', j.terminated_code,
        'job_input', jsonb_build_object(
          'method', j.method, 'service_ver', j.app_commit, 'app_id', j.app_id, 'wsid', j.wsid,
          'parent_job_id', j.parent_job_id, 'narrative_cell_info', j.meta::jsonb,
          'requirements', jsonb_build_object(
            'clientgroup', coalesce(j.client_group, j.scheduler), 'cpu', j.cpus, 'memory', j.memory_mb,
            'disk', coalesce(j.disk_gb, 0)
          )
        )
      ) as record
    from jobs j
    where j.job_id > $1::text and j.job_id < $2::text
      and ($3::text is null or j.owner = $3)
      and ($5::text is null or exists (
        select
        from dispatches d
        where d.job_id = j.job_id and d.scheduler_id = $5
      ))
    union all
    select
      b.batch_id,
      jsonb_build_object(
        'user', b.owner, 'authstrat', 'kbaseworkspace', 'wsid', b.wsid, 'status', b.status, 'batch_job', true,
        'retry_saved_toggle', false, 'terminated_code', b.terminated_code,
        'job_input', jsonb_build_object(
          'method', 'batch', 'service_ver', 'batch', 'app_id', 'batch', 'narrative_cell_info', b.meta::jsonb
        )
      )
    from batches b
    where b.batch_id > $1::text and b.batch_id < $2::text
      and ($3::text is null or b.owner = $3)
      and $5::text is null
  )`;

export interface Range {
  /** Ids strictly between these. */
  readonly after: string;
  readonly before: string;
  /** Null = everyone's. */
  readonly owner: string | null;
  /** JSON object that a record must contain. */
  readonly filter: string;
  readonly schedulerId: string | null;
}

const countInRange = statement<{ records: number }>(
  'count_in_range',
  `
  ${inRange}
  select count(*) as records
  from records
  where ($4::text = '{}' or record @> $4::jsonb)`,
);

export async function countRange(db: Queryable, range: Range): Promise<number> {
  return (await db.query(countInRange, paramsOf(range)))[0]?.records ?? 0;
}

const selectInRangeAscending = statement<{ id: string }>(
  'select_in_range_ascending',
  `
  ${inRange}
  select id
  from records
  where ($4::text = '{}' or record @> $4::jsonb)
  order by id
  offset $6::bigint
  limit $7::bigint`,
);

const selectInRangeDescending = statement<{ id: string }>(
  'select_in_range_descending',
  `
  ${inRange}
  select id
  from records
  where ($4::text = '{}' or record @> $4::jsonb)
  order by id desc
  offset $6::bigint
  limit $7::bigint`,
);

export async function findIdsInRange(
  db: Queryable,
  range: Range,
  page: { ascending: boolean; skip: number; limit: number },
): Promise<string[]> {
  const select = page.ascending ? selectInRangeAscending : selectInRangeDescending;
  return (await db.query(select, [...paramsOf(range), page.skip, page.limit])).map((row) => row.id);
}

function paramsOf(range: Range) {
  return [range.after, range.before, range.owner, range.filter, range.schedulerId] as const;
}
