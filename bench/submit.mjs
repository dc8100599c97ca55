/**
 * 10,000 and 100,000 jobs in one call over HTTP, against COPY of the same rows into the same tables, and against what
 * queues take to add 10,000 in one call.
 */

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { RawJson } from '../dist/contract/raw-json.js';
import { migrate } from '../dist/store/migrate.js';
import { openPostgresDb } from '../dist/store/postgres.js';
import { copyInto } from './peers/copy.mjs';
import { withPeers } from './peers.mjs';
import { seconds } from './place.mjs';
import { newRows, paramsOf } from './same-rows.mjs';

export async function measure(bench) {
  const [few, many] = [bench.size(10_000, 1_000), bench.size(100_000, 5_000)];
  const server = await bench.server({ held: true });
  const copy = await openCopy(await bench.postgres());
  const took = { few: [], many: [], copyFew: [], copyMany: [] };
  const added = new Map();
  await withPeers(bench, async (peers) => {
    await bench.each(async (round) => {
      took.few.push(await submit(server.client, round, few));
      took.copyFew.push(await copy.write(newRows(round, few)));
      for (const peer of peers) added.set(peer.name, [...(added.get(peer.name) ?? []), await add(peer, round, few)]);
      took.many.push(await submit(server.client, round, many));
      took.copyMany.push(await copy.write(newRows(round, many)));
      const line = Object.entries(took).map(([name, all]) => `${name} ${all.at(-1).toFixed(2)} s`);
      bench.say([...line, ...[...added].map(([name, all]) => `${name} ${all.at(-1).toFixed(2)} s`)].join(', '));
    });
  });
  await server.close();
  await copy.close();
  const what = (items) => `submit ${items.toLocaleString('en')} jobs`;
  const peer = 'COPY of the same rows';
  return {
    rows: [
      { what: what(few), unit: 's', ours: took.few, peer, peers: took.copyFew },
      ...[...added].map(([name, peers]) => {
        return { what: what(few), unit: 's', ours: took.few, peer: `${name}, adding them in one call`, peers };
      }),
      { what: what(many), unit: 's', ours: took.many, peer, peers: took.copyMany },
    ],
  };
}

function submit(client, round, items) {
  const jobs = Array.from({ length: items }, (_, n) => ({
    method: 'bench.true',
    params: new RawJson(paramsOf(`${round} of ${items}`, n)),
  }));
  return seconds(async () => {
    const { accepted } = await client.call('submitBatch', { jobs });
    if (accepted !== items) throw new Error(`${accepted} of ${items} jobs were taken`);
  });
}

function add(peer, round, items) {
  const payloads = Array.from({ length: items }, (_, n) => JSON.parse(paramsOf(round, n)));
  return seconds(() => peer.add(payloads));
}

/** Our own tables in a database of their own, with all indexes and foreign keys. */
async function openCopy(postgres) {
  const url = await postgres.createDatabase();
  const db = await openPostgresDb({ url });
  await migrate(db, fileURLToPath(new URL('../migrations', import.meta.url)));
  await db.close();
  const client = await postgres.connect(url);
  return {
    async write(rows) {
      const batch = idOfBatch(rows);
      const texts = TABLES.map(({ into, line }) => [into, `${rows.map((row) => line(row, batch)).join('\n')}\n`]);
      return seconds(async () => {
        await client.query('begin');
        await client.query("insert into batches (batch_id, owner) values ($1, 'bench')", [batch]);
        for (const [into, text] of texts) await pipeline(Readable.from([text]), client.query(copyInto(into)));
        await client.query('commit');
      });
    },
    close: () => client.end(),
  };
}

/** Before those of its jobs. */
const idOfBatch = ([first]) => `${first.job_id.slice(0, 18)}${'0'.repeat(6)}`;
const COMMIT = 'a'.repeat(40);
const columns = (...values) => values.map((value) => value.replaceAll('\\', '\\\\')).join('\t');
const TABLES = [
  {
    into: 'inputs (input_id, input_key, method, app_commit, params)',
    line: ({ input_id, params }) => columns(input_id, input_id, 'bench.true', COMMIT, params),
  },
  {
    into: 'jobs (job_id, batch_id, root_id, owner, input_id, module, method, app_commit, cpus, memory_mb, timeout_ms, scheduler)',
    line: ({ job_id, input_id }, batch) =>
      columns(job_id, batch, job_id, 'bench', input_id, 'bench', 'bench.true', COMMIT, '1', '100', '60000', 'local'),
  },
  {
    into: 'events (kind, job_id, batch_id, owner, payload)',
    line: ({ job_id }, batch) =>
      columns('job.created', job_id, batch, 'bench', `{"method":"bench.true","commit":"${COMMIT}"}`),
  },
];
