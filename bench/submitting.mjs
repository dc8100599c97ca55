/** 10,000 jobs in one call, and 10,000 retries in one call, against one bare statement that writes the same rows. */
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { createIdSource } from '../dist/contract/ids.js';
import { RawJson } from '../dist/contract/raw-json.js';
import { statement } from '../dist/store/db.js';
import { openEmbeddedDb } from '../dist/store/embedded.js';
import { migrate } from '../dist/store/migrate.js';
import { openServer, remove, seconds, temporary } from './place.mjs';

const ITEMS = 10_000;
const RUNS = 5;

export async function measureSubmitting() {
  const ours = { submit: [], retry: [] };
  const bare = { submit: [], retry: [] };
  const server = await openServer(1);
  const database = await openBare();
  for (let run = 0; run < RUNS; run += 1) {
    await measureServer(server.client, run, ours);
    await measureBare(database.db, run, bare);
    console.log(
      `submit ${ours.submit.at(-1).toFixed(2)} s / ${bare.submit.at(-1).toFixed(2)} s, retry ${ours.retry.at(-1).toFixed(2)} s / ${bare.retry.at(-1).toFixed(2)} s`,
    );
  }
  await server.close();
  await database.close();
  const peer = 'one bare SQL statement';
  return [
    { what: 'submit a batch of 10,000', ours: ours.submit, peer, peerSeconds: bare.submit, goal: '–' },
    { what: 'retry 10,000 failed jobs', ours: ours.retry, peer, peerSeconds: bare.retry, goal: '–' },
  ];
}

async function measureServer(client, run, into) {
  const jobs = Array.from({ length: ITEMS }, (_, n) => ({
    method: 'bench.true',
    params: new RawJson(paramsOf(run, n)),
  }));
  let batchId;
  into.submit.push(
    await seconds(async () => {
      batchId = (await client.call('submitBatch', { jobs })).batch_id;
    }),
  );
  await client.call('cancelBatch', { batch_id: batchId });
  into.retry.push(
    await seconds(async () => {
      const { refused } = await client.call('retryBatch', { batch_id: batchId, states: ['terminated', 'error'] });
      if (refused > 0) throw new Error(`${refused} retries were refused`);
    }),
  );
  await client.call('cancelBatch', { batch_id: batchId });
}

const paramsOf = (run, n) => JSON.stringify({ run, n, text: 'x'.repeat(150) });

async function openBare() {
  const dataDir = temporary();
  const db = await openEmbeddedDb({ dataDir });
  await migrate(db, fileURLToPath(new URL('../migrations', import.meta.url)));
  return {
    db,
    async close() {
      await db.close();
      remove(dataDir);
    },
  };
}

const insertAll = statement(
  'bench_insert_all',
  `
  with wanted as (
    select *
    from json_to_recordset($1::json) as t (job_id text, input_id text, params text)
  ), stored as (
    insert into inputs (input_id, input_key, method, app_commit, params)
    select input_id, input_id, 'bench.true', $2::text, params
    from wanted
    returning input_id
  ), added as (
    insert into jobs (job_id, root_id, owner, input_id, module, method, app_commit, cpus, memory_mb, timeout_ms, scheduler)
    select job_id, job_id, 'bench', input_id, 'bench', 'bench.true', $2::text, 1, 10, 60000, 'bench'
    from wanted
    returning job_id
  )
  insert into events (kind, job_id, owner, payload)
  select 'job.created', job_id, 'bench', '{"method":"bench.true","retry_number":0}'
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
      job_id, root_id, retry_number, owner, input_id, module, method, app_commit, cpus, memory_mb, timeout_ms, scheduler
    )
    select superseded_by, root_id, retry_number + 1, owner, input_id, module, method, app_commit, 1, 10, 60000, 'bench'
    from linked
    returning job_id, root_id, retry_number
  ), noted as (
    insert into events (kind, job_id, owner, payload)
    select 'job.created', job_id, 'bench', '{"method":"bench.true","retry_number":1}'
    from added
  ), request as (
    insert into requests (request_key, caller, operation, body_hash)
    values ($2::text, 'bench', 'bench', '')
    returning request_key
  )
  insert into receipts (request_key, item, requested_id, root_id, retry_id, retry_number)
  select request_key, row_number() over (order by job_id), root_id, root_id, job_id, retry_number
  from added
  cross join request`,
);

async function measureBare(db, run, into) {
  const ids = createIdSource(Date.now, randomBytes);
  const rows = Array.from({ length: ITEMS }, (_, n) => ({
    job_id: ids.next(),
    input_id: randomBytes(32).toString('hex'),
    params: paramsOf(run, n),
  }));
  const text = JSON.stringify(rows);
  into.submit.push(await seconds(() => db.transaction((tx) => tx.query(insertAll, [text, 'a'.repeat(40)]))));
  await db.query(failAll);
  const retries = JSON.stringify(rows.map((row) => ({ job_id: row.job_id, new_id: ids.next() })));
  into.retry.push(await seconds(() => db.transaction((tx) => tx.query(retryAll, [retries, ids.next()]))));
  await db.query(failAll);
}
