/** The bare statements that write the rows of ours: what a submission and a retry cost the database alone. */
import { randomBytes } from 'node:crypto';
import { createIdSource } from '../dist/contract/ids.js';
import { statement } from '../dist/store/db.js';

const COMMIT = 'a'.repeat(40);
export const paramsOf = (round, n) => JSON.stringify({ round, n, text: 'x'.repeat(150) });

/** Inputs of their own each, as ours have. */
export function newRows(round, count) {
  const ids = createIdSource(Date.now, randomBytes);
  return Array.from({ length: count }, (_, n) => ({
    job_id: ids.next(),
    input_id: randomBytes(32).toString('hex'),
    params: paramsOf(round, n),
  }));
}

export const submitBare = (db, rows) => {
  const text = JSON.stringify(rows);
  return db.transaction((tx) => tx.query(insertAll, [text, COMMIT, createIdSource(Date.now, randomBytes).next()]));
};

/** Every job, with the id of its retry. Prepared before the clock runs. */
export function newRetries(jobIds) {
  const ids = createIdSource(Date.now, randomBytes);
  return { text: JSON.stringify(jobIds.map((id) => ({ job_id: id, new_id: ids.next(id) }))), requestKey: ids.next() };
}

export const retryBare = (db, { text, requestKey }) => db.transaction((tx) => tx.query(retryAll, [text, requestKey]));

/** All jobs that have not ended. */
export const failBare = (db) => db.query(failAll);

const insertAll = statement(
  'bench_insert_all',
  `
  with wanted as (
    select *
    from json_to_recordset($1::json) as t (job_id text, input_id text, params text)
  ), batch as (
    insert into batches (batch_id, owner)
    values ($3::text, 'bench')
    returning batch_id
  ), stored as (
    insert into inputs (input_id, input_key, method, app_commit, params)
    select input_id, input_id, 'bench.true', $2::text, params
    from wanted
    returning input_id
  ), added as (
    insert into jobs (
      job_id, batch_id, root_id, owner, input_id, module, method, app_commit, cpus, memory_mb, timeout_ms, scheduler
    )
    select job_id, batch_id, job_id, 'bench', input_id, 'bench', 'bench.true', $2::text, 1, 10, 60000, 'local'
    from wanted
    cross join batch
    returning job_id, batch_id
  )
  insert into events (kind, job_id, batch_id, owner, payload)
  select 'job.created', job_id, batch_id, 'bench', '{"method":"bench.true","retry_number":0}'
  from added`,
);

const failAll = statement(
  'bench_fail_all',
  `
  update jobs
  set status = 'error', finished_at = now()
  where status = 'created'`,
);

const retryAll = statement(
  'bench_retry_all',
  `
  with linked as (
    update jobs j
    set superseded_by = t.new_id
    from json_to_recordset($1::json) as t (job_id text, new_id text)
    where j.job_id = t.job_id
    returning j.*
  ), added as (
    insert into jobs (
      job_id, batch_id, root_id, retry_number, owner, input_id, module, method, app_commit, cpus, memory_mb, timeout_ms,
      scheduler
    )
    select
      superseded_by, batch_id, root_id, retry_number + 1, owner, input_id, module, method, app_commit, 1, 10, 60000,
      'local'
    from linked
    returning job_id, batch_id, root_id, retry_number
  ), noted as (
    insert into events (kind, job_id, batch_id, owner, payload)
    select 'job.created', job_id, batch_id, 'bench', '{"method":"bench.true","retry_number":1}'
    from added
  ), request as (
    insert into requests (request_key, caller, operation, body_hash)
    values ($2::text, 'bench', 'bench', '')
    returning request_key
  )
  insert into receipts (request_key, item, requested_id, root_id, retry_id, retry_number)
  select request_key, row_number() over (order by job_id) - 1, root_id, root_id, job_id, retry_number
  from added
  cross join request`,
);
