/**
 * The scheduler `slurm` beside bare Slurm, on a cluster of 8 slurmd: handing over recorded jobs; many short jobs to all
 * results in the record, against arrays whose tasks start less and less of what ours start; from submission to the first
 * instruction of a job.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createDispatchTokens } from '../dist/auth/job-token.js';
import { batchScript } from '../dist/schedulers/slurm-script.js';
import { runBatch } from './batch.mjs';
import { openCluster } from './cluster.mjs';
import { remove, seconds, temporary } from './place.mjs';
import { median } from './results.mjs';
import { openServer, until } from './server.mjs';

const PACKAGE = fileURLToPath(new URL('..', import.meta.url));
const node = process.execPath;
const TASK = join(PACKAGE, 'dist/runner/task.cjs');
/** Tasks of an array of ours. */
const A_CALL = 1000;
const SAMPLES = 20;

export async function measure(bench) {
  const handing = await measureHandOver(bench);
  const statements = await (await bench.postgres()).profile();
  if (statements.length > 0) console.table(statements);
  const cluster = await openCluster(bench);
  const server = await bench.server({ scheduler: 'slurm', settings: cluster.settings });
  await runBatch(server.client, { count: 8, method: 'bench.true' }); // the checkout is there
  const short = await measureShort(bench, cluster, server);
  const first = await measureFirst(bench, cluster, server);
  const version = (await cluster.run('sinfo', ['--version'])).trim();
  await cluster.close();
  await server.close();
  return {
    rows: [...handing.rows, ...short.rows, ...first.rows],
    notes: [`On ${version}. ${handing.note} ${short.note}`],
  };
}

// ── handing over

async function measureHandOver(bench) {
  const count = bench.size(10_000, 2_000);
  const stores = { embedded: openServer, PostgreSQL: bench.server };
  const took = new Map([...Object.keys(stores), 'bare'].map((name) => [name, []]));
  const calls = new Set();
  await bench.each(async () => {
    for (const [store, open] of Object.entries(stores)) {
      const handed = await handOver(bench, open, count);
      took.get(store).push(handed.seconds);
      calls.add(handed.calls);
    }
    took.get('bare').push(await bareHandOver(bench, count));
    bench.say(`hand-over: ${[...took].map(([name, all]) => `${name} ${all.at(-1).toFixed(2)} s`).join(', ')}`);
  });
  const peers = took.get('bare');
  const rows = Object.keys(stores).map((store) => ({
    what: `hand over ${count.toLocaleString('en')} recorded jobs, ${store}`,
    unit: 's',
    ours: took.get(store),
    peer: `${count / A_CALL} × bare sbatch of the same scripts`,
    peers,
    goal: '≤ 1 s',
  }));
  return { rows, note: `Ours handed them over in ${[...calls].join(' or ')} calls of sbatch.` };
}

/** It takes jobs and runs none. */
async function openIdle(bench) {
  const cluster = await openCluster(bench);
  await cluster.run('scontrol', ['update', 'PartitionName=main', 'State=DOWN']);
  return cluster;
}

/**
 * While the jobs are recorded the controller keeps its answers to itself, shorter than it would be given up for dead. From
 * the first answer to the record of all ids, which is one transaction.
 */
async function handOver(bench, open, count) {
  const cluster = await openIdle(bench);
  const gate = makeGate();
  const settings = { ...cluster.settings, REPRISE_SLURM_BIN_DIRECTORY: gate.directory };
  const { client, close } = await open({ scheduler: 'slurm', settings });
  gate.close();
  const { batch_id, items } = await client.call('submitBatch', {
    jobs: Array.from({ length: count }, () => ({ method: 'bench.true' })),
  });
  const last = { job_id: items.at(-1).job_id };
  const { status, wait_reason } = await client.call('getJob', last);
  if (status !== 'created' || wait_reason !== null) bench.say(`begun before its time: ${status}, ${wait_reason}`);
  gate.open();
  await until(async () => (await client.call('getJob', last)).status === 'queued', 10);
  // parts of them are recorded side by side
  await until(async () => (await client.call('getBatch', { batch_id })).counts.queued === count, 10);
  const took = Date.now() / 1000 - gate.opened();
  await cluster.close();
  await close();
  const calls = gate.calls();
  remove(gate.root);
  return { seconds: took, calls };
}

/** Slurm's programs, with a gate before scontrol; and it is counted how often sbatch is called. */
function makeGate() {
  const root = temporary();
  const directory = join(root, 'bin');
  const file = (name) => join(root, name);
  mkdirSync(directory);
  const programs = {
    scontrol: [
      `if [ -e ${file('closed')} ]; then`,
      `  while [ -e ${file('closed')} ]; do sleep 0.01; done`,
      `  [ -e ${file('opened')} ] || date +%s%N > ${file('opened')}`,
      'fi',
    ],
    sbatch: [`echo >> ${file('calls')}`],
    squeue: [],
    sinfo: [],
    scancel: [],
  };
  for (const [name, lines] of Object.entries(programs)) {
    writeFileSync(join(directory, name), ['#!/bin/sh', ...lines, `exec /usr/bin/${name} "$@"`, ''].join('\n'));
    chmodSync(join(directory, name), 0o755);
  }
  return {
    root,
    directory,
    close: () => writeFileSync(file('closed'), ''),
    open: () => rmSync(file('closed')),
    /** Who waited at it first went on, in seconds since the epoch. */
    opened: () => Number(readFileSync(file('opened'), 'utf8')) / 1e9,
    calls: () => readFileSync(file('calls'), 'utf8').length,
  };
}

async function bareHandOver(bench, count) {
  const cluster = await openIdle(bench);
  const { mint } = createDispatchTokens(randomBytes(32));
  const tasks = Array.from({ length: A_CALL }, (_, index) => {
    const dispatchId = randomBytes(12).toString('hex');
    return { index, dispatchId, token: mint(dispatchId) };
  });
  const script = batchScript(
    { nodeCommand: node, packageDirectory: PACKAGE, directory: '/tmp', url: 'http://127.0.0.1', reuseSeconds: 30 },
    tasks,
  );
  const took = await seconds(async () => {
    for (let at = 0; at < count; at += A_CALL) await cluster.submit(script, `0-${A_CALL - 1}`, '--output=/dev/null');
  });
  await cluster.close();
  return took;
}

// ── many short jobs

/** `true` leaves no output, so it fails, and its task ends: a task goes on only after a job that went well. */
const SHORT = { true: 'bench.true', 'echo 1 > output.json': 'bench.one' };

async function measureShort(bench, cluster, { client }) {
  const count = bench.size(1000, 40);
  const bare = {
    'what starts our runner, and nothing else': `exec ${node} ${TASK} < /dev/null`,
    'node -e 0': `exec ${node} -e 0`,
    '/bin/true': 'exec /bin/true',
  };
  const ours = new Map(Object.keys(SHORT).map((what) => [what, []]));
  const tasks = [];
  const peers = new Map(Object.keys(bare).map((name) => [name, []]));
  await bench.each(async () => {
    for (const [what, method] of Object.entries(SHORT)) {
      const before = await cluster.countCompleted();
      ours.get(what).push(await seconds(() => runBatch(client, { count, method })));
      await cluster.idle();
      if (method === 'bench.one') tasks.push((await cluster.countCompleted()) - before);
    }
    for (const [name, line] of Object.entries(bare)) {
      peers.get(name).push(await seconds(() => cluster.runArray(`#!/bin/sh\n${line}\n`, count)));
    }
    const line = [...ours, ...peers].map(([name, all]) => `${name} ${all.at(-1).toFixed(1)} s`);
    bench.say(`${count} short jobs: ${line.join(', ')}`);
  });
  const rows = [...ours].flatMap(([what, own]) =>
    [...peers].map(([name, all], at) => ({
      what: `${count.toLocaleString('en')} × ${what} on 8 slurmd, to all results in the record`,
      unit: 's',
      ours: own,
      peer: `bare array of ${name}`,
      peers: all,
      goal: at === 0 ? '≤ 1.15×' : undefined,
    })),
  );
  const [runner, , nothing] = [...peers.values()].map(median);
  const most = ((1000 * (runner - nothing)) / count).toFixed(0);
  const note =
    `To start our runner takes ${most} ms of a task (its array against that of /bin/true). A task whose job was short and went ` +
    `well goes on with others of its array: ${[...new Set(tasks)].join(', ')} tasks carried ${count} of these jobs out.`;
  return { rows, note };
}

// ── the first instruction

async function measureFirst(bench, cluster, { client }) {
  const samples = Math.ceil(bench.size(SAMPLES, 4) / bench.rounds);
  const place = temporary();
  const ours = [];
  const peers = [];
  await bench.each(async (round) => {
    for (let sample = 0; sample < samples; sample += 1) {
      // anywhere in the controller's turn of a second
      await idleFor(cluster, 1000 * Math.random());
      ours.push(await ourFirst(client));
      await idleFor(cluster, 1000 * Math.random());
      peers.push(await bareFirst(cluster, join(place, `${round}-${sample}`)));
    }
    bench.say(`first instruction: ours ${ours.at(-1).toFixed(0)} ms, bare sbatch ${peers.at(-1).toFixed(0)} ms`);
  });
  remove(place);
  const what = `from submission to the first instruction of a job on an idle cluster, ${ours.length} times`;
  return { rows: [{ what, unit: 'ms', ours, peer: 'bare sbatch', peers }] };
}

async function idleFor(cluster, ms) {
  await cluster.idle();
  await sleep(ms);
}

/** The job's output is the time when it began. */
async function ourFirst(client) {
  const begun = Date.now();
  const { items } = await client.call('submitJobs', { jobs: [{ method: 'bench.now' }] });
  let output = null;
  await until(async () => {
    const job = await client.call('getJob', { job_id: items[0].job_id });
    output = job.output;
    return job.finished_at !== null;
  });
  return Number(output.text) / 1e6 - begun;
}

async function bareFirst(cluster, file) {
  const begun = Date.now();
  await cluster.submit(
    `#!/bin/sh\ndate +%s%N > ${file}.draft && mv ${file}.draft ${file}\n`,
    '0',
    '--output=/dev/null',
  );
  await until(async () => existsSync(file));
  return Number(readFileSync(file, 'utf8')) / 1e6 - begun;
}
