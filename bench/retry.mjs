/**
 * 10,000 failed jobs of a large record retried in one call over HTTP, with links, receipts and events, against the bare
 * statement that adds new rows, the one that writes all the rows of ours, and the queues' own retries, which write nothing new.
 */
import { openPostgresDb } from '../dist/store/postgres.js';
import { fillRecord } from './fill-record.mjs';
import { withPeers } from './peers.mjs';
import { seconds } from './place.mjs';
import { newRetries, paramsOf, retryBare } from './same-rows.mjs';

const MESSAGE = 'exit code 3: cannot open the reference';

export async function measure(bench) {
  const items = bench.size(10_000, 1_000);
  const record = await bench.large();
  const server = await bench.server({ database: record.database, held: true });
  const sql = await (await bench.postgres()).connect(record.database);
  const db = await openPostgresDb({ url: record.database });
  const bare = await openBareTable(bench, record.jobs, items);
  const failed = () => fillRecord(sql, { ...record, batches: 1, items, failed: true });
  const took = { ours: [], bare: [], same: [] };
  const retried = new Map();
  const known = new Map();
  await withPeers(bench, async (peers) => {
    await bench.each(async (round) => {
      const [batchId] = (await failed()).ids;
      took.ours.push(await retry(server.client, batchId, items));
      took.bare.push(await bare.retry(round));
      const ids = await failedIds(sql, (await failed()).ids[0]);
      const retries = newRetries(ids);
      took.same.push(await seconds(() => retryBare(db, retries)));
      if (round === 0) known.set('Reprise', await knows(server.client, batchId));
      for (const peer of peers) {
        const payloads = Array.from({ length: items }, (_, n) => JSON.parse(paramsOf(round, n)));
        const peerIds = await peer.fail(payloads, MESSAGE);
        retried.set(peer.name, [...(retried.get(peer.name) ?? []), await seconds(() => peer.retry(peerIds))]);
        if (round === 0) known.set(peer.name, await peer.knows(peerIds));
      }
      const line = [...Object.entries(took), ...retried].map(([name, all]) => `${name} ${all.at(-1).toFixed(2)} s`);
      bench.say(line.join(', '));
    });
  });
  await server.close();
  await Promise.all([db.close(), sql.end(), bare.close()]);
  const what = `retry ${items.toLocaleString('en')} failed of ${record.jobs.toLocaleString('en')} jobs`;
  const row = (peer, peers, goal) => ({ what, unit: 's', ours: took.ours, peer, peers, goal });
  return {
    rows: [
      row('one bare statement: new rows in a table of 15 columns and 5 indexes', took.bare, '≤ 2.5×'),
      row('one bare statement: the same rows as ours (links, jobs, events, receipts)', took.same),
      ...[...retried].map(([name, peers]) => row(`${name}, in place`, peers)),
    ],
    notes: [knowledge(known)],
  };
}

function retry(client, batchId, items) {
  return seconds(async () => {
    const { accepted, receipts } = await client.call('retryBatch', { batch_id: batchId, states: ['error'] });
    if (accepted !== items || receipts.length !== items) throw new Error(`${accepted} of ${items} were retried`);
  });
}

async function failedIds(sql, batchId) {
  const { rows } = await sql.query('select job_id from jobs where batch_id = $1 order by job_id', [batchId]);
  return rows.map((row) => row.job_id);
}

/** Of the first attempt, after its retry. */
async function knows(client, batchId) {
  const { items } = await client.call('listItems', {
    batch_id: batchId,
    latest_only: false,
    state: ['error'],
    limit: 1,
  });
  const { jobs } = await client.call('getLineage', { job_id: items[0].job_id });
  const [{ status, failure, running_at, finished_at, superseded_by }] = jobs;
  return { status, failure, running_at, finished_at, superseded_by };
}

function knowledge(known) {
  const lines = [...known].map(
    ([name, facts]) => `- ${name}: \`${JSON.stringify(facts, (_, value) => value ?? null)}\``,
  );
  return ['After the retry, each still knows of the failed attempt:', '', ...lines].join('\n');
}

/** The table of a queue that keeps retries as rows, as small as it can be, with as many rows as the record of ours. */
async function openBareTable(bench, jobs, items) {
  const postgres = await bench.postgres();
  const sql = await postgres.connect(await postgres.createDatabase());
  for (const statement of BARE_TABLE) await sql.query(statement);
  await sql.query(fillBare, [jobs, items]);
  await sql.query('vacuum analyze bare_jobs');
  return {
    retry: (round) =>
      seconds(async () => {
        const { rowCount } = await sql.query(retryBatch, [round]);
        if (rowCount !== items) throw new Error(`${rowCount} of ${items} were retried`);
      }),
    close: () => sql.end(),
  };
}

const BARE_TABLE = [
  `
  create table bare_jobs (
    id uuid primary key default gen_random_uuid(), batch_id integer not null, retry_root uuid not null,
    attempt integer not null default 0, status text not null, owner text not null, method text not null,
    params jsonb not null, cpus integer not null, memory_mb integer not null, created_at timestamptz not null default now(),
    started_at timestamptz, finished_at timestamptz, error text, output text
  )`,
  'create index on bare_jobs (batch_id, id)',
  "create index on bare_jobs (created_at) where status = 'queued'",
  'create unique index on bare_jobs (retry_root, attempt)',
  `create unique index bare_live on bare_jobs (retry_root) where status not in ('completed', 'error', 'terminated')`,
];

/** The first batches failed, a batch a round. */
const fillBare = `
  insert into bare_jobs (id, batch_id, retry_root, status, owner, method, params, cpus, memory_mb, finished_at)
  select
    id, n / $2::integer, id, case when n / $2::integer < 20 then 'error' else 'completed' end, 'bench', 'bench.true',
    jsonb_build_object('n', n, 'text', repeat('x', 150)), 1, 100, now()
  from (select n, gen_random_uuid() as id from generate_series(0, $1::integer - 1) n) t`;

const retryBatch = `
  insert into bare_jobs (batch_id, retry_root, attempt, status, owner, method, params, cpus, memory_mb)
  select batch_id, retry_root, attempt + 1, 'queued', owner, method, params, cpus, memory_mb
  from bare_jobs j
  where batch_id = $1::integer and status = 'error'
    and not exists (select from bare_jobs n where n.retry_root = j.retry_root and n.attempt > j.attempt)
  on conflict do nothing
  returning id`;
