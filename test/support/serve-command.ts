/** `reprise serve` as its users start it: the built command in a process of its own, with a data directory of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { removeTree } from './remove-tree.js';
import { until } from './until.js';

const main = resolve(import.meta.dirname, '../../dist/cli/main.js');

export interface ServeCommand {
  readonly url: string;
  readonly dataDir: string;
  readonly child: ChildProcess;
  /** What it has said on standard error so far. */
  said(): string;
  /** Ends it in good order, with all it left on the disk. */
  stop(): Promise<number | null>;
}

export async function serveCommand(options: {
  readonly config?: object;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A bound socket, given as systemd gives one. */
  readonly socket?: number;
}): Promise<ServeCommand> {
  const dataDir = mkdtempSync(join(tmpdir(), 'reprise-serve-'));
  if (options.config !== undefined) writeFileSync(join(dataDir, 'reprise.config.json'), JSON.stringify(options.config));
  const args = [
    main,
    'serve',
    '--data-dir',
    dataDir,
    '--port',
    '0',
    '--cpus',
    '4',
    '--memory',
    '4000',
    ...(options.args ?? []),
  ];
  // the pid is known only to the process itself
  const named = ['sh', '-c', 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"', 'sh'];
  const [program = '', ...words] = [...(options.socket === undefined ? [] : named), process.execPath, ...args];
  const child = spawn(program, words, {
    env: { PATH: process.env.PATH ?? '', HOME: dataDir, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe', ...(options.socket === undefined ? [] : [options.socket])],
  }) as ChildProcess & { readonly stdout: Readable; readonly stderr: Readable };
  let printed = '';
  let said = '';
  child.stdout.on('data', (chunk) => {
    printed += chunk;
  });
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  const exited = new Promise<number | null>((done) => child.once('exit', done));
  const address = async () => {
    if (child.exitCode !== null) throw new Error(`serve ended with ${child.exitCode}: ${said}`);
    return printed.includes('\n') && printed.split('\n')[0];
  };
  const url = await until('the server to listen', address, 100).catch((error: unknown) => {
    child.kill('SIGKILL');
    removeTree(dataDir);
    throw error;
  });
  return {
    url,
    dataDir,
    child,
    said: () => said,
    async stop() {
      child.kill('SIGTERM');
      const code = await exited;
      // the runner host outlives servers, and goes with its directory
      removeTree(dataDir);
      return code;
    },
  };
}
