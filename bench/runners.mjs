/**
 * 500 runners as EE2's are: each asks once a second whether its job was cancelled, and once a second adds what was logged
 * since, every second time nothing. Each has a connection of its own, and its calls are due at fixed times: what waits
 * longer than that is latency, whoever it waited for. Against a bare server that parses the call and looks up a row.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { keptCalls } from './calls.mjs';
import { cpuSeconds } from './place.mjs';
import { percentile } from './results.mjs';
import { until } from './server.mjs';

const CALLS_A_SECOND = 2;

export async function measure(bench) {
  const runners = bench.size(500, 50);
  const server = await bench.server({ scheduler: 'external' });
  const postgres = await bench.postgres();
  const jobIds = await startJobs(server, runners);
  const bare = await openBare(server.database);
  const sides = [server, bare].map((one) => ({ ...one, calls: keptCalls({ ...one, token: server.token }, runners) }));
  const measured = [[], []];
  await bench.each(async () => {
    for (const [at, side] of sides.entries()) {
      measured[at].push(await run(side, postgres.pid, jobIds, bench.size(20, 4)));
    }
    bench.say(measured.map((all) => JSON.stringify(all.at(-1))).join(' / '));
  });
  for (const { calls } of sides) calls.close();
  bare.close();
  await server.close();
  const what = `${runners} runners, ${runners * CALLS_A_SECOND} calls a second`;
  const row = (name, unit, field, goal) => {
    const [ours, peers] = measured.map((all) => all.map((one) => one[field]));
    return { what: `${what}: ${name}`, unit, ours, peer: 'bare node:http, one row looked up', peers, goal };
  };
  return {
    rows: [
      row('cpu of the server, of one core', '%', 'cpu'),
      row('cpu of PostgreSQL, of one core', '%', 'database'),
      row('latency, p50', 'ms', 'p50'),
      row('latency, p99', 'ms', 'p99'),
    ],
  };
}

/** Running, by the calls of EE2. */
export async function startJobs(server, count) {
  const jobs = Array.from({ length: count }, () => ({ method: 'bench.true' }));
  const { batch_id: batchId, items } = await server.client.call('submitBatch', { jobs });
  await until(async () => (await server.client.call('getBatch', { batch_id: batchId })).counts.queued === count);
  const ids = items.map((item) => item.job_id);
  for (const id of ids) await server.rpc('start_job', [{ job_id: id, skip_estimation: true }]);
  return ids;
}

/** The peer, in a process of its own as ours is. */
async function openBare(database) {
  const child = fork(fileURLToPath(new URL('bare-server.mjs', import.meta.url)), [database]);
  process.once('exit', () => child.kill('SIGKILL'));
  const [url] = await once(child, 'message');
  return { url, pid: child.pid, close: () => child.kill('SIGKILL') };
}

async function run({ calls, pid }, databasePid, jobIds, seconds) {
  const database = () => cpuSeconds(databasePid, { children: true });
  const [own, theirs, begun] = [cpuSeconds(pid), database(), performance.now()];
  const latencies = (await Promise.all(jobIds.map((id, at) => runner(calls, id, at / jobIds.length, seconds)))).flat();
  const passed = (performance.now() - begun) / 1000;
  return {
    cpu: (100 * (cpuSeconds(pid) - own)) / passed,
    database: (100 * (database() - theirs)) / passed,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
  };
}

/** `phase`: which part of a second after the others it begins. Its latencies in ms. */
async function runner(calls, jobId, phase, seconds) {
  const begun = performance.now() + 1000 * phase;
  const latencies = [];
  for (let turn = 0; turn < seconds * CALLS_A_SECOND; turn += 1) {
    const due = begun + (turn * 1000) / CALLS_A_SECOND;
    await new Promise((done) => setTimeout(done, due - performance.now()));
    if (turn % 2 === 0) await calls.rpc('check_job_canceled', [{ job_id: jobId }]);
    else await calls.rpc('add_job_logs', [{ job_id: jobId }, linesOf(turn)]);
    latencies.push(performance.now() - due);
  }
  return latencies;
}

const linesOf = (turn) => (turn % 4 === 1 ? [{ line: `${turn}: aligned 1,000 reads of 52,344`, is_error: 0 }] : []);
