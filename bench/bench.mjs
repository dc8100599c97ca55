/** One run of the benchmarks: how large, and what its parts share. */
import { readFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { fillRecord, JOBS_AN_ITEM } from './fill-record.mjs';
import { startPostgres } from './postgres.mjs';
import { redisVersion } from './redis.mjs';
import { openServer } from './server.mjs';

/** `jobs`: of the large record. What is kept is closed with the run. */
export function openBench({ small, profile, rounds, jobs }) {
  const closing = [];
  const keep = (thing) => {
    closing.push(() => thing.close());
    return thing;
  };
  const postgres = once(async () => keep(await startPostgres({ profiled: profile })));
  const bench = {
    rounds,
    postgres,
    keep,
    size: (full, inSmall) => (small ? inSmall : full),
    say: (line) => console.log(`   ${line}`),
    /** Its number for every round. */
    each: (work) => inTurn(rounds, work),
    /** A server of ours on a new database of PostgreSQL, or on one that is there already; closed with the run at the latest. */
    async server(options = {}) {
      const database = options.database ?? (await (await postgres()).createDatabase());
      return keep(await openServer({ ...options, database }));
    },
    /** A record with about `jobs` jobs, and one with a single batch: made once a run, the first time that a part needs it. */
    large: once(() => makeRecord(bench, small ? 20_000 : jobs)),
    little: once(() => makeRecord(bench, 1)),
    async machine() {
      const [{ model }] = cpus();
      const node = `Node ${process.versions.node}, PostgreSQL ${await (await postgres()).version()}`;
      const where = `${cpus().length} cores (${model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB`;
      const when = `load ${loadavg()[0].toFixed(1)} at the end`;
      return `${node}, ${peerVersions()}. ${where}, ${when}. Median (least–most) of ${rounds} rounds.`;
    },
    /** Once: who breaks off waits for the whole of it, whoever began it. */
    close: once(async () => {
      for (const step of closing.splice(0).reverse()) await step();
    }),
  };
  return bench;
}

function once(make) {
  let made;
  return () => {
    made ??= make();
    return made;
  };
}

async function inTurn(rounds, work) {
  for (let round = 0; round < rounds; round += 1) await work(round);
}

function peerVersions() {
  const { dependencies } = JSON.parse(readFileSync(new URL('peers/package.json', import.meta.url), 'utf8'));
  const names = ['pg-boss', 'graphile-worker', 'bullmq'].map((name) => `${name} ${dependencies[name]}`);
  return `${names.join(', ')}, Redis ${redisVersion()}`;
}

/** Made by the server itself, so that it is migrated and has the app; then filled. */
async function makeRecord(bench, jobs) {
  const postgres = await bench.postgres();
  const database = await postgres.createDatabase();
  const server = await openServer({ database, scheduler: 'external' });
  const { user: owner } = await server.client.call('whoAmI', {});
  const { commit } = server;
  await server.close();
  const sql = await postgres.connect(database);
  const begun = performance.now();
  const items = bench.size(10_000, 2_000);
  const batches = Math.max(1, Math.round(jobs / (items * JOBS_AN_ITEM)));
  const filled = await fillRecord(sql, { owner, commit, batches, items });
  await sql.end();
  bench.say(`a record of ${filled.jobs} jobs made in ${((performance.now() - begun) / 1000).toFixed(0)} s`);
  return { database, owner, commit, ...filled };
}
