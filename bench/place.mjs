/** Temporary places and clocks for the benchmarks. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '../dist/client/client.js';
import { createLog } from '../dist/log.js';
import { startServer } from '../dist/server.js';

export const temporary = () => mkdtempSync(join(tmpdir(), 'reprise-bench-'));
/** Checkouts in it are read-only directories, whose files only root could remove as they are. */
export function remove(directory) {
  execFileSync('chmod', ['-R', 'u+w', directory]);
  rmSync(directory, { recursive: true, force: true });
}

export async function seconds(work) {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1000;
}

/** A server of its own with the app `bench`, whose one method is `true` with an output. */
export async function openServer(slots) {
  const dataDir = temporary();
  const log = createLog({ level: 'silent' });
  const server = await startServer({ dataDir, host: '127.0.0.1', port: 0, cpus: slots, memoryMb: 100_000, log });
  const client = createClient({ url: server.url, token: readFileSync(join(dataDir, 'admin-token'), 'utf8').trim() });
  const repository = makeApp();
  await client.call('addApp', { repository, tag: 'release' });
  return {
    client,
    async close() {
      await server.close();
      remove(dataDir);
      remove(repository);
    },
  };
}

function makeApp() {
  const path = temporary();
  const git = (...args) =>
    execFileSync('git', ['-C', path, '-c', 'user.name=bench', '-c', 'user.email=bench@localhost', ...args]);
  git('init', '-q');
  const run = { command: ['true'], requirements: { cpus: 1, memory_mb: 10 } };
  writeFileSync(join(path, 'reprise.json'), JSON.stringify({ module: 'bench', methods: { true: run } }));
  git('add', '.');
  git('commit', '-qm', 'bench');
  return path;
}
