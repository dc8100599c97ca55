/** The embedded store: 10,000 jobs and as many retries in one call, each against one bare statement in such a store. */
import { fileURLToPath } from 'node:url';
import { RawJson } from '../dist/contract/raw-json.js';
import { openEmbeddedDb } from '../dist/store/embedded.js';
import { migrate } from '../dist/store/migrate.js';
import { remove, seconds, temporary } from './place.mjs';
import { failBare, newRetries, newRows, paramsOf, retryBare, submitBare } from './same-rows.mjs';
import { openServer } from './server.mjs';

export async function measure(bench) {
  const items = bench.size(10_000, 500);
  const ours = { submit: [], retry: [] };
  const bare = { submit: [], retry: [] };
  const server = await openServer({ held: true });
  const database = await openBare();
  await bench.each(async (round) => {
    await measureServer(server.client, round, items, ours);
    await measureBare(database.db, round, items, bare);
    bench.say(
      `submit ${ours.submit.at(-1).toFixed(2)} s / ${bare.submit.at(-1).toFixed(2)} s, retry ${ours.retry.at(-1).toFixed(2)} s / ${bare.retry.at(-1).toFixed(2)} s`,
    );
  });
  await server.close();
  await database.close();
  const peer = 'one bare SQL statement, the same rows';
  return {
    rows: [
      { what: `submit a batch of ${items}`, unit: 's', ours: ours.submit, peer, peers: bare.submit },
      { what: `retry ${items} failed jobs`, unit: 's', ours: ours.retry, peer, peers: bare.retry },
    ],
  };
}

async function measureServer(client, round, items, into) {
  const jobs = Array.from({ length: items }, (_, n) => ({
    method: 'bench.true',
    params: new RawJson(paramsOf(round, n)),
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

async function measureBare(db, round, items, into) {
  const rows = newRows(round, items);
  into.submit.push(await seconds(() => submitBare(db, rows)));
  await failBare(db);
  const retries = newRetries(rows.map((row) => row.job_id));
  into.retry.push(await seconds(() => retryBare(db, retries)));
  await failBare(db);
}
