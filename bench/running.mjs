/** 1,000 × `true` through the local scheduler, against a bare spawn loop and GNU parallel at the same concurrency. */
import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openServer, remove, seconds, temporary } from './place.mjs';

/** Not the one that waits: the server in this process would be deaf meanwhile. */
const execute = promisify(execFile);

const JOBS = 1000;
const SLOTS = 8;
const RUNS = 5;
/** Each look at the batch is work for the server that is measured: few while much is left, many near the end. */
const POLL_MS = { least: 20, most: 500 };

export async function measureRunning() {
  const server = await openServer(SLOTS);
  const ours = [];
  const bare = [];
  const parallel = [];
  await runBatch(server.client, 50); // the checkout is made and the host is up
  for (let run = 0; run < RUNS; run += 1) {
    ours.push(await seconds(() => runBatch(server.client, JOBS)));
    bare.push(await spawnLoop());
    parallel.push(await seconds(gnuParallel));
    console.log(
      `run ${ours.at(-1).toFixed(2)} s, spawn loop ${bare.at(-1).toFixed(2)} s, parallel ${parallel.at(-1).toFixed(2)} s`,
    );
  }
  await server.close();
  const what = `run 1,000 × true, ${SLOTS} at once`;
  return [
    { what, ours, peer: 'bare spawn loop, two pipes, no records', peerSeconds: bare, goal: '≤ 1.5×' },
    { what, ours, peer: 'GNU parallel --joblog', peerSeconds: parallel, goal: '< 1×' },
  ];
}

/** `true` leaves no output, so each job is recorded as an error of class output: a whole job all the same. */
async function runBatch(client, count) {
  const jobs = Array.from({ length: count }, () => ({ method: 'bench.true' }));
  const { batch_id: batchId } = await client.call('submitBatch', { jobs });
  const begun = performance.now();
  for (;;) {
    const { state, counts } = await client.call('getBatch', { batch_id: batchId });
    if (counts.error === count) return;
    if (state === 'completed' || state === 'terminated') throw new Error(`the batch ended as ${state}`);
    const left = ((performance.now() - begun) * (count - counts.error)) / Math.max(1, counts.error);
    const pause = Math.max(POLL_MS.least, Math.min(POLL_MS.most, left / 2));
    await new Promise((done) => setTimeout(done, pause));
  }
}

/** In a process of its own: a spawn copies its process's tables, and this one carries a whole server. */
async function spawnLoop() {
  const program = fileURLToPath(new URL('./spawn-loop.mjs', import.meta.url));
  return Number((await execute(process.execPath, [program, String(JOBS), String(SLOTS)])).stdout);
}

async function gnuParallel() {
  const home = temporary();
  mkdirSync(join(home, '.parallel'));
  await execute('sh', ['-c', `touch .parallel/will-cite; seq ${JOBS} | parallel -j${SLOTS} --joblog joblog true`], {
    cwd: home,
    env: { ...process.env, HOME: home },
  });
  remove(home);
}
