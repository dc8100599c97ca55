/** What can be mended without inventing history; each with an event, each guarded by what makes it a flaw. */
import { type Queryable, statement } from './db.js';

const noted = (check: string, source: string) => `
  insert into events (kind, job_id, batch_id, owner, payload)
  select
    'job.repaired', j.job_id, j.batch_id, j.owner, json_build_object('check', '${check}', 'was', s.was)::text
  from ${source} s
  join jobs j on j.job_id = s.job_id
  order by j.job_id`;

const relinkJobs = statement<{ job_id: string }>(
  'doctor_repair_links',
  `
  with wrong as (
    select j.job_id, j.superseded_by as was, n.job_id as next_id
    from jobs j
    left join jobs n on n.root_id = j.root_id and n.retry_number = j.retry_number + 1
    where j.job_id = any($1::text[]) and j.superseded_by is distinct from n.job_id
    order by j.job_id
    for update of j
  ), mended as (
    update jobs j
    set superseded_by = w.next_id
    from wrong w
    where j.job_id = w.job_id
    returning j.job_id, w.was
  ), noted as (${noted('lineage-link', 'mended')}
  )
  select job_id
  from mended`,
);

const deleteTokensOfEnded = statement<{ job_id: string }>(
  'doctor_repair_tokens',
  `
  with mended as (
    delete from job_tokens t
    using jobs j
    where t.job_id = any($1::text[]) and j.job_id = t.job_id and j.status in ('completed', 'error', 'terminated')
    returning t.job_id, null::text as was
  ), noted as (${noted('job-token', 'mended')}
  )
  select job_id
  from mended`,
);

/** Only where no line is missing: the count is wrong, the lines are right. */
const recountLogs = statement<{ job_id: string }>(
  'doctor_repair_log_counts',
  `
  with kept as (
    select l.job_id, min(l.first_line) as first_line, max(l.first_line + l.line_count) as upto, sum(l.line_count) as lines
    from log_chunks l
    where l.job_id = any($1::text[])
    group by l.job_id
  ), mended as (
    update log_counters c
    set line_count = k.upto, removed_lines = k.first_line
    from kept k
    where c.job_id = k.job_id and k.lines = k.upto - k.first_line
      and (k.first_line = c.removed_lines or c.removed_lines > k.first_line)
      and (c.line_count <> k.upto or c.removed_lines <> k.first_line)
    returning c.job_id, null::text as was
  ), noted as (${noted('log-lines', 'mended')}
  )
  select job_id
  from mended`,
);

const REPAIRS = {
  'lineage-link': relinkJobs,
  'job-token': deleteTokensOfEnded,
  'log-lines': recountLogs,
} as const;
export type DirectRepair = keyof typeof REPAIRS;

export const isDirectRepair = (name: string): name is DirectRepair => name in REPAIRS;

/** The ids that were mended. */
export async function repairDirectly(tx: Queryable, name: DirectRepair, ids: readonly string[]): Promise<Set<string>> {
  return new Set((await tx.query(REPAIRS[name], [ids])).map((row) => row.job_id));
}

const rekeyInputs = statement<{ input_id: string }>(
  'doctor_repair_input_keys',
  `
  update inputs i
  set input_key = t.input_key
  from json_to_recordset($1::json) as t (input_id text, input_key text)
  where i.input_id = t.input_id
  returning i.input_id`,
);

/** The key is computed from what the id vouches for. */
export async function repairInputKeys(tx: Queryable, rows: readonly { input_id: string; input_key: string }[]) {
  return new Set((await tx.query(rekeyInputs, [JSON.stringify(rows)])).map((row) => row.input_id));
}
