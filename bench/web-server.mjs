/**
 * A real server with batches for the pages to show. One job holds its only slot, so all others wait, and the measure
 * itself starts and ends them by EE2's calls: the record, the API and the events are real, only the work is not done.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '../dist/client/client.js';
import { RawJson } from '../dist/contract/raw-json.js';
import { createLog } from '../dist/log.js';
import { startServer } from '../dist/server.js';

const method = (script) => ({ command: ['sh', '-c', script], requirements: { cpus: 1, memory_mb: 50 } });
const MANIFEST = {
  module: 'phix',
  methods: { hold: method('sleep 86400'), align: method('cp input.json output.json'), count: method('true') },
};
const AT_ONCE = 16;

export async function startWebServer() {
  const dir = mkdtempSync(join(tmpdir(), 'reprise-web-'));
  const dataDir = join(dir, 'data');
  const server = await startServer({
    dataDir,
    host: '127.0.0.1',
    port: 0,
    cpus: 1,
    memoryMb: 1000,
    log: createLog({ level: 'silent' }),
  });
  const token = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim();
  const client = createClient({ url: server.url, token });
  await client.call('addApp', { repository: makeApp(join(dir, 'phix')), tag: 'release' });
  const { items } = await client.call('submitJobs', { jobs: [{ method: 'phix.hold' }] });
  const holder = items[0].job_id;
  while ((await client.call('getJob', { job_id: holder })).status !== 'running') await tick(100);
  return {
    url: server.url,
    token,
    client,
    submit: (name, count) => submit(client, name, count),
    rpc: (name, params) => rpc(server.url, token, name, params),
    async close() {
      await client.call('cancelJob', { job_id: holder });
      while ((await client.call('getJob', { job_id: holder })).dispatches[0].closed_at === null) await tick(100);
      await server.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

const tick = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function makeApp(repository) {
  mkdirSync(repository, { recursive: true });
  writeFileSync(join(repository, 'reprise.json'), JSON.stringify(MANIFEST));
  const git = (...args) =>
    execFileSync('git', ['-C', repository, '-c', 'user.name=Bench', '-c', 'user.email=bench@example.org', ...args]);
  git('init', '-q');
  git('add', '.');
  git('commit', '-q', '-m', 'First version');
  return repository;
}

/** The ids of the batch and of its jobs. */
async function submit(client, name, count) {
  const jobs = Array.from({ length: count }, (_, index) => ({
    method: 'phix.align',
    params: new RawJson(JSON.stringify({ sample: `S${String(index + 1).padStart(5, '0')}`, reads: 1000 + 37 * index })),
  }));
  const { batch_id: batchId, items } = await client.call('submitBatch', { name, jobs });
  return { batchId, ids: items.map((item) => item.job_id) };
}

async function rpc(url, token, name, params) {
  const body = JSON.stringify({ method: `execution_engine2.${name}`, params: [params], version: '1.1', id: '1' });
  const answer = await fetch(`${url}/services/ee2`, { method: 'POST', headers: { authorization: token }, body });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${name}: ${text}`);
  return text;
}

/** Runs `work` on every item, some at once. */
export async function onEach(items, work, atOnce = AT_ONCE) {
  const queue = items.entries();
  const worker = async () => {
    for (const [index, item] of queue) await work(item, index);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

const ERRORS = [
  'exit code 3: cannot open the reference /data/phix.fa: no such file',
  'exit code 1: read S too short: 17 < 35',
  'killed: used more than its 50 MB of memory',
];

export const start = (server, id) => server.rpc('start_job', { job_id: id, skip_estimation: true });

export function finish(server, id, failure) {
  if (failure === null) {
    const output = { version: '1.1', id, result: [{ aligned: 0.97 }] };
    return server.rpc('finish_job', { job_id: id, job_output: output });
  }
  return server.rpc('finish_job', { job_id: id, error_message: failure, error_code: 1 });
}

/** What becomes of item `index`: every seventeenth fails, in one of three ways. */
export const failureOf = (index) => (index % 17 === 3 ? ERRORS[index % ERRORS.length] : null);
