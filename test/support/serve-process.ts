/** A server as a process of its own, to be killed. Runs from dist, as an installed one does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Client, createClient } from '../../src/client/client.js';
import type { ServerOptions } from '../../src/server.js';
import { until } from './until.js';

const dist = resolve(import.meta.dirname, '../../dist');
const PROGRAM = `
import { startServer } from '${dist}/server.js';
import { createLog } from '${dist}/log.js';
const options = JSON.parse(process.argv[1]);
const server = await startServer({ host: '127.0.0.1', port: 0, memoryMb: 4000, ...options, log: createLog({ level: 'silent' }) });
process.once('SIGTERM', () => server.close().then(() => process.exit()));
process.stdout.write(server.url + '\\n');
`;

export interface ServeProcess {
  readonly child: ChildProcess;
  readonly client: Client;
  readonly url: string;
  readonly dataDir: string;
  readonly token: string;
  /** SIGTERM; resolves when the process has ended by itself. */
  stop(): Promise<void>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
}

type More = Pick<ServerOptions, 'database' | 'hostLeaseMs' | 'port' | 'config' | 'upkeep'>;

/** Rejects if it ends before it listens. `within`: a command that runs the command that is appended to it. */
export async function serve(
  dataDir: string,
  cpus: number,
  more: Partial<More> = {},
  env: NodeJS.ProcessEnv = {},
  within: readonly string[] = [],
): Promise<ServeProcess> {
  const options = JSON.stringify({ dataDir, cpus, ...more });
  const [command, ...args] = [...within, process.execPath, '--input-type=module', '-e', PROGRAM, options];
  const child = spawn(command as string, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
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
  const listening = async () => {
    const how = child.exitCode ?? child.signalCode;
    if (how !== null) throw new Error(`the server ended with ${how}: ${complained}`);
    return said.includes('\n') && said.trim();
  };
  const url = await until('the server to listen', listening, 120);
  const token = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim();
  return {
    child,
    client: createClient({ url, token }),
    url,
    dataDir,
    token,
    async stop() {
      child.kill('SIGTERM');
      await gone;
    },
    async kill() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}
