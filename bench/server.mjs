/** `reprise serve` as it is installed, in a process of its own, with the app `bench`; and a client. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient } from '../dist/client/client.js';
import { remove, temporary } from './place.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Without `database` on the embedded store. `held`: a job holds the only slot, so that all others wait. `settings`: variables. */
export async function openServer({ slots = 1, database, scheduler = 'local', held = false, settings = {} } = {}) {
  const dataDir = temporary();
  const args = ['serve', '--port', '0', '--data-dir', dataDir, '--log-level', 'error', '--cpus', String(slots)];
  const env = {
    ...process.env,
    ...settings,
    REPRISE_SCHEDULER: scheduler,
    ...(database && { REPRISE_DATABASE_URL: database }),
  };
  const child = spawn(process.execPath, [here('../dist/cli/main.js'), ...args, '--memory', '100000'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env,
  });
  const end = () => child.kill('SIGKILL');
  process.once('exit', end);
  const url = await announced(child);
  const token = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim();
  const client = createClient({ url, token });
  const repository = makeApp();
  const { commit } = await client.call('addApp', { repository, tag: 'release' });
  const holder = held ? await hold(client) : null;
  return {
    url,
    token,
    client,
    commit,
    dataDir,
    database,
    pid: child.pid,
    rpc: (method, params) => rpc(url, token, method, params),
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      if (holder !== null) await release(client, holder);
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
      process.removeListener('exit', end);
      remove(dataDir);
      remove(repository);
    },
  };
}

async function announced(child) {
  let complained = '';
  child.stderr.on('data', (text) => {
    complained += text;
  });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the server ended with ${code}: ${complained}`);
  });
  ended.catch(() => undefined);
  const [line] = await Promise.race([once(child.stdout.setEncoding('utf8'), 'data'), ended]);
  return line.trim();
}

const METHODS = {
  true: { command: ['true'] },
  one: { command: ['sh', '-c', 'echo 1 > output.json'] },
  hold: { command: ['sleep', '86400'] },
  now: { command: ['sh', '-c', 'date +%s%N > output.json'] },
  window: { command: ['node', '{app}/window.mjs'] },
};

/** The example's app, with methods that do nothing. The same commit every time: a record may have it already. */
function makeApp() {
  const path = temporary();
  cpSync(here('../examples/genome/app-v1'), path, { recursive: true });
  const requirements = { cpus: 1, memory_mb: 100 };
  const methods = Object.fromEntries(Object.entries(METHODS).map(([name, one]) => [name, { ...one, requirements }]));
  writeFileSync(join(path, 'reprise.json'), JSON.stringify({ module: 'bench', methods }));
  const then = '2026-01-01T00:00:00Z';
  const env = { ...process.env, GIT_AUTHOR_DATE: then, GIT_COMMITTER_DATE: then };
  const git = (...args) =>
    execFileSync('git', ['-C', path, '-c', 'user.name=bench', '-c', 'user.email=bench@localhost', ...args], { env });
  git('init', '-q');
  git('add', '.');
  git('commit', '-qm', 'bench');
  return path;
}

async function hold(client) {
  const { items } = await client.call('submitJobs', { jobs: [{ method: 'bench.hold' }] });
  await until(async () => (await client.call('getJob', { job_id: items[0].job_id })).status === 'running');
  return items[0].job_id;
}

async function release(client, holder) {
  await client.call('cancelJob', { job_id: holder });
  await until(async () => {
    const { dispatches } = await client.call('getJob', { job_id: holder });
    return dispatches[0].closed_at !== null;
  });
}

export async function until(isSo, everyMs = 50) {
  while (!(await isSo())) await new Promise((done) => setTimeout(done, everyMs));
}

/** The texts of calls that EE2's clients and runners make. */
export const rpcBody = (method, params) =>
  JSON.stringify({ method: `execution_engine2.${method}`, params, version: '1.1', id: '1' });

async function rpc(url, token, method, params) {
  const init = { method: 'POST', headers: { authorization: token }, body: rpcBody(method, params) };
  const answer = await fetch(`${url}/services/ee2`, init);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method}: ${text}`);
  return JSON.parse(text).result;
}
