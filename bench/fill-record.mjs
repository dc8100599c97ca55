/**
 * Fills a database of ours with jobs that ended weeks ago, as many as asked, by one statement a table: batches of
 * `items`, of which every tenth failed and was completed by a retry, and every hundredth failed and was left. Every job has
 * its inputs, a closed dispatch, and the events of its creation and its end. `reprise doctor` finds nothing in it.
 */

/** Items and the retries of every tenth. */
export const JOBS_AN_ITEM = 1.1;
const DAY = 24 * 3600;
const AGE_DAYS = 60;
let fills = 0;

/**
 * `failed`: all of them failed and none was retried. Answers the ids of the batches, oldest first, and how many jobs they
 * have. `sql`: a connection of the server's owner.
 */
export async function fillRecord(sql, { owner, commit, batches, items, failed = false }) {
  fills += 1;
  const since = Math.floor(Date.now() / 1000) - (AGE_DAYS - fills) * DAY;
  await sql.query('begin');
  // the rows are right among themselves, which the doctor is asked afterwards; foreign keys would look up each
  await sql.query('set local session_replication_role = replica');
  for (const table of makePlan) await sql.query(table);
  await sql.query(planRoots, [since, fills, batches, items, failed]);
  await sql.query(planRetries);
  await sql.query(planInputs, [commit]);
  await sql.query('analyze pg_temp.planned, pg_temp.planned_inputs');
  await sql.query(addBatches, [owner]);
  await sql.query(addInputs, [commit]);
  await sql.query(addJobs, [owner, commit]);
  await sql.query(addDispatches);
  await sql.query(addEvents, [owner, commit]);
  const { rows } = await sql.query(
    `select batch_id, count(*) as jobs from pg_temp.planned group by batch_id order by batch_id`,
  );
  await sql.query('drop table pg_temp.planned, pg_temp.planned_inputs');
  await sql.query('commit');
  await sql.query('vacuum analyze');
  await sql.query('checkpoint');
  return { ids: rows.map((row) => row.batch_id), jobs: rows.reduce((sum, row) => sum + Number(row.jobs), 0) };
}

const METHOD = 'bench.true';
/** 150 characters, as parameters have. */
const TEXT = 'x'.repeat(150);
/** Of the numbers in the ids of a batch: its items begin at 1, then come their retries, then the dispatches of all. */
const RETRIES = 0x100000;
const DISPATCHES = 0x200000;

const makePlan = [
  `
  create temporary table planned (
    job_id text, batch_id text, root_id text, retry_number integer, superseded_by text, status text, dispatch_id text,
    began timestamptz, prefix text, item integer
  )`,
  'create temporary table planned_inputs (root_id text, params text, input_id text)',
];

const hex = (number, digits) => `lpad(to_hex(${number}), ${digits}, '0')`;

const planRoots = `
  insert into planned
  select
    prefix || ${hex('i', 6)}, prefix || ${hex('0', 6)}, prefix || ${hex('i', 6)}, 0,
    case when not $5::boolean and i % 10 = 0 then prefix || ${hex(`${RETRIES} + i`, 6)} end,
    case when $5::boolean or i % 10 = 0 or i % 100 = 5 then 'error' else 'completed' end,
    prefix || ${hex(`${DISPATCHES} + i`, 6)}, to_timestamp($1::bigint + b), prefix, i
  from generate_series(1, $3::integer) b
  cross join lateral (select ${hex('$1::bigint + b', 8)} || ${hex('$2::integer', 10)} as prefix) p
  cross join generate_series(1, $4::integer) i`;

const planRetries = `
  insert into planned
  select
    superseded_by, batch_id, root_id, 1, null, 'completed', prefix || ${hex(`${DISPATCHES} + ${RETRIES} + item`, 6)},
    began + interval '1 hour', prefix, item
  from planned
  where superseded_by is not null`;

/** Their ids are those that the engine computes: a hash over the parts with a zero byte between them. */
const part = (value) => `convert_to(${value}, 'UTF8')`;
const planInputs = `
  insert into planned_inputs
  select
    root_id, params,
    encode(sha256(${[`'${METHOD}'`, '$1::text', 'params', "'[]'"].map(part).join(" || '\\x00'::bytea || ")}), 'hex') as input_id
  from (
    select root_id, '{"batch":"' || batch_id || '","item":' || item::text || ',"text":"${TEXT}"}' as params
    from planned
    where retry_number = 0
  ) r`;

const addBatches = `
  with added as (
    insert into batches (batch_id, owner, batch_name, created_at, updated_at)
    select batch_id, $1::text, 'batch ' || batch_id, min(began), min(began)
    from planned
    group by batch_id
    returning batch_id, created_at
  ), counted as (
    select batch_id, count(distinct root_id) as items
    from planned
    group by batch_id
  )
  insert into events (kind, batch_id, owner, actor, at, payload)
  select 'batch.created', batch_id, $1::text, $1::text, created_at, json_build_object('items', items)::text
  from added
  join counted using (batch_id)
  order by batch_id`;

/** Batch by batch, as they come: the rows of a batch lie together. */
const addInputs = `
  insert into inputs (input_id, input_key, method, app_commit, params)
  select input_id, input_id, '${METHOD}', $1::text, params
  from planned_inputs
  order by left(root_id, 18), input_id`;

const addJobs = `
  insert into jobs (
    job_id, batch_id, root_id, retry_number, superseded_by, owner, input_id, module, method, app_commit, app_tag, cpus,
    memory_mb, timeout_ms, scheduler, status, created_at, updated_at, queued_at, running_at, finished_at, error_code,
    failure_class, errormsg, error, exit_code, job_output
  )
  select
    p.job_id, p.batch_id, p.root_id, p.retry_number, p.superseded_by, $1::text, i.input_id, 'bench', '${METHOD}', $2::text,
    'release', 1, 100, 3600000, 'local', p.status, p.began, p.began + interval '9 minutes', p.began + interval '1 minute',
    p.began + interval '2 minutes', p.began + interval '9 minutes', case p.status when 'error' then 1 end,
    case p.status when 'error' then 'app' end, case p.status when 'error' then 'exit code 3: cannot open the reference' end,
    case p.status when 'error' then '{"code":1,"name":"Job failed","message":"exit code 3"}' end,
    case p.status when 'error' then 3 else 0 end, case p.status when 'completed' then '{"reads":1234}' end
  from planned p
  join planned_inputs i on i.root_id = p.root_id
  order by p.job_id`;

const addDispatches = `
  insert into dispatches (
    dispatch_id, job_id, dispatch_number, scheduler, scheduler_host, scheduler_id, opened_at, submitted_at, started_at,
    seen_at, closed_at, close_reason, peak_memory_mb, cpu_seconds
  )
  select
    dispatch_id, job_id, 1, 'local', 'bench', dispatch_id, began, began, began + interval '2 minutes',
    began + interval '9 minutes', began + interval '9 minutes', 'finished', 12, 400
  from planned
  order by dispatch_id`;

const addEvents = `
  insert into events (kind, job_id, batch_id, owner, actor, at, payload)
  select e.kind, p.job_id, p.batch_id, $1::text, e.actor, p.began + e.after, e.payload
  from planned p
  cross join lateral (
    values
      (
        'job.created', $1::text, interval '0',
        json_build_object('method', '${METHOD}', 'commit', $2::text, 'retry_number', p.retry_number)::text
      ),
      (
        case p.status when 'completed' then 'job.completed' else 'job.failed' end, null, interval '9 minutes',
        json_build_object('previous_status', 'running', 'status', p.status)::text
      )
  ) e (kind, actor, after, payload)
  order by p.job_id`;
