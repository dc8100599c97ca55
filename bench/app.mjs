/**
 * Real processes through the local scheduler, from the call to the last recorded end: `true`, and a window of a genome (a
 * node program of about 50 ms), on both stores; against a bare loop that spawns the same at the same concurrency and records
 * nothing, and against GNU parallel with its log of jobs.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { RawJson } from '../dist/contract/raw-json.js';
import { runBatch } from './batch.mjs';
import { remove, seconds, temporary } from './place.mjs';
import { openServer } from './server.mjs';

const execute = promisify(execFile);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const SLOTS = 8;
const params = (n) => new RawJson(JSON.stringify({ ...WINDOW, start: 1 + 500 * n }));
const WINDOW = {
  genome: here('../test/fixtures/carsonella_ASM44157v1.fna.gz'),
  core_length: 60_000,
  overlap: 8_000,
  codon_table: here('../examples/genome/codon-table.json'),
};

export async function measure(bench) {
  const servers = { embedded: await openServer({ slots: SLOTS }), PostgreSQL: await bench.server({ slots: SLOTS }) };
  const place = temporary();
  writeFileSync(join(place, 'input.json'), JSON.stringify({ ...WINDOW, start: 1 }));
  const program = here('../examples/genome/app-v1/window.mjs');
  const kinds = [
    { name: 'true', count: bench.size(1000, 50), method: 'bench.true', command: ['true'] },
    {
      name: 'a window of a genome',
      count: bench.size(200, 16),
      method: 'bench.window',
      command: ['node', program],
      params,
    },
  ];
  const rows = [];
  for (const kind of kinds) {
    for (const { client } of Object.values(servers)) await runBatch(client, { ...kind, count: SLOTS }); // the host is up
    rows.push(...(await measureKind(bench, servers, kind, place)));
  }
  for (const server of Object.values(servers)) await server.close();
  remove(place);
  return { rows };
}

async function measureKind(bench, servers, kind, place) {
  const ours = new Map(Object.keys(servers).map((store) => [store, []]));
  const bare = [];
  const parallel = [];
  await bench.each(async () => {
    for (const [store, { client }] of Object.entries(servers)) {
      ours.get(store).push(await seconds(() => runBatch(client, kind)));
    }
    bare.push(await spawnLoop(kind, place));
    parallel.push(await seconds(() => gnuParallel(kind, place)));
    const line = [...ours, ['spawn loop', bare], ['parallel', parallel]];
    bench.say(`${kind.name}: ${line.map(([name, all]) => `${name} ${all.at(-1).toFixed(2)} s`).join(', ')}`);
  });
  return [...ours].flatMap(([store, mine]) => {
    const what = `${kind.count.toLocaleString('en')} × ${kind.name}, ${SLOTS} at once, ${store}`;
    return [
      { what, unit: 's', ours: mine, peer: 'bare spawn loop, two pipes, no records', peers: bare, goal: '≤ 1.5×' },
      { what, unit: 's', ours: mine, peer: 'GNU parallel --joblog', peers: parallel, goal: '< 1×' },
    ];
  });
}

/** In a process of its own, as small as can be: a spawn copies its process's tables. */
async function spawnLoop({ count, command }, cwd) {
  const args = [here('spawn-loop.mjs'), String(count), String(SLOTS), ...command];
  return Number((await execute(process.execPath, args, { cwd })).stdout);
}

async function gnuParallel({ count, command }, cwd) {
  const home = temporary();
  mkdirSync(join(home, '.parallel'));
  writeFileSync(join(home, '.parallel', 'will-cite'), '');
  const script = 'seq "$1" | parallel -N0 "-j$2" --joblog "$HOME/joblog" "$3"';
  const options = { cwd, env: { ...process.env, HOME: home } };
  await execute('sh', ['-c', script, 'sh', String(count), String(SLOTS), command.join(' ')], options);
  remove(home);
}
