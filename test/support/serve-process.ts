/** A server as a process of its own, to be killed. Runs from dist, as an installed one does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Client, createClient } from '../../src/client/client.js';
import { until } from './server.js';

const dist = resolve(import.meta.dirname, '../../dist');
const PROGRAM = `
import { startServer } from '${dist}/server.js';
import { createLog } from '${dist}/log.js';
const [dataDir, cpus] = process.argv.slice(1);
const { url } = await startServer({ dataDir, host: '127.0.0.1', port: 0, cpus: Number(cpus), memoryMb: 4000, log: createLog({ level: 'silent' }) });
process.stdout.write(url + '\\n');
`;

export interface ServeProcess {
  readonly child: ChildProcess;
  readonly client: Client;
  readonly url: string;
  readonly token: string;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
}

export async function serve(dataDir: string, cpus: number): Promise<ServeProcess> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM, dataDir, String(cpus)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  let complained = '';
  child.stdout.on('data', (chunk) => {
    said += chunk;
  });
  child.stderr.on('data', (chunk) => {
    complained += chunk;
  });
  const gone = new Promise<void>((done) => child.once('exit', () => done()));
  const url = await until('the server to listen', async () => {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}: ${complained}`);
    return said.includes('\n') && said.trim();
  });
  const token = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim();
  return {
    child,
    client: createClient({ url, token }),
    url,
    token,
    async kill() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}
