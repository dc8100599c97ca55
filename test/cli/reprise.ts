/** The built program as child processes, and a server that it started. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { until } from '../support/server.js';

export const PROGRAM = resolve(import.meta.dirname, '../../dist/cli/main.js');

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  /** So far. */
  readonly said: { stdout: string; stderr: string };
  readonly ended: Promise<Ran>;
}

/** Nothing of the caller's own set-up leaks in. */
const environment = (dataDir: string, more: Record<string, string> = {}) => ({
  PATH: process.env.PATH ?? '',
  HOME: dataDir,
  REPRISE_DATA_DIR: dataDir,
  ...more,
});

function watch(child: ChildProcess, input?: string): Running {
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
      said[name] += chunk;
    });
  }
  child.stdin?.on('error', () => {});
  child.stdin?.end(input ?? '');
  const ended = new Promise<Ran>((done) => child.once('close', (status) => done({ status, ...said })));
  return { child, said, ended };
}

export interface Cli {
  readonly dataDir: string;
  /** Runs one command to its end. */
  run(args: readonly string[], more?: { input?: string; env?: Record<string, string>; cwd?: string }): Promise<Ran>;
  /** Runs it and looks on. */
  start(args: readonly string[], env?: Record<string, string>): Running;
  /** A line of a shell in which `reprise` is a command; pipefail is on. */
  shell(line: string): Promise<Ran>;
  /** Standard output of a command that must succeed, without the last line end. */
  out(...args: string[]): Promise<string>;
  /** Standard output of a command with --json that must succeed. */
  json<T>(...args: string[]): Promise<T>;
  /** `reprise serve` on the data directory; resolves when it has said its address. */
  serve(...args: string[]): Promise<Running & { url: string }>;
  /** Ends servers that still run, and removes the directory. */
  close(): Promise<void>;
}

export function createCli(): Cli {
  const dataDir = mkdtempSync(join(tmpdir(), 'reprise-cli-'));
  const servers: Running[] = [];
  const start = (args: readonly string[], env = {}, input?: string, cwd?: string) =>
    watch(spawn(process.execPath, [PROGRAM, ...args], { env: environment(dataDir, env), cwd }), input);
  const cli: Cli = {
    dataDir,
    run: (args, { input, env, cwd } = {}) => start(args, env, input, cwd).ended,
    start: (args, env) => start(args, env),
    shell(line) {
      const script = `set -o pipefail; reprise() { '${process.execPath}' '${PROGRAM}' "$@"; }; ${line}`;
      return watch(spawn('bash', ['-c', script], { env: environment(dataDir) })).ended;
    },
    async out(...args) {
      const { status, stdout, stderr } = await cli.run(args);
      if (status !== 0) throw new Error(`reprise ${args.join(' ')} ended with ${status}: ${stderr}`);
      return stdout.replace(/\n$/, '');
    },
    json: async <T>(...args: string[]) => JSON.parse(await cli.out(...args, '--json')) as T,
    async serve(...args) {
      const server = start(['serve', '--port', '0', '--cpus', '4', '--memory', '2G', ...args]);
      servers.push(server);
      const url = await until('the server to say its address', async () => {
        if (server.child.exitCode !== null) throw new Error(`serve ended: ${server.said.stderr}`);
        return server.said.stdout.includes('\n') && server.said.stdout.trim();
      });
      return { ...server, url };
    },
    async close() {
      for (const { child, ended } of servers) {
        child.kill('SIGTERM');
        await ended;
      }
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
  return cli;
}
