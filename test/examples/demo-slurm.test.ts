import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeTree } from '../support/remove-tree.js';
import { openCluster } from '../support/slurm-cluster.js';
import { until } from '../support/until.js';

const program = fileURLToPath(new URL('../../dist/cli/demo.js', import.meta.url));
let place: string;

beforeEach(() => {
  // short: the demo's own cluster has a socket in it, whose path has a limit
  place = mkdtempSync(join(tmpdir(), 'demo-'));
});
afterEach(() => removeTree(place));

/** Works in `place`, for temporary files too. */
function startDemo(env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [program, '--scheduler', 'slurm'], {
    cwd: place,
    env: { ...process.env, TMPDIR: place, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
    });
  }
  return { child, said };
}

async function endOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode;
}

/** Command lines of processes that were started by a demo in `place`, or work there. */
function processesOf(directory: string): string[] {
  const look = (read: () => string) => {
    try {
      return read();
    } catch {
      return '';
    }
  };
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const line = look(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ');
      const traces = [
        line,
        look(() => readFileSync(`/proc/${pid}/environ`, 'utf8')),
        look(() => readlinkSync(`/proc/${pid}/cwd`)),
      ];
      return line !== '' && traces.some((text) => text.includes(directory)) ? [line] : [];
    });
}

/** The directory that every demo leaves. */
const LEFT = ['.demo'];

test('the demo on a Slurm of its own keeps the same books, in 80 columns, and leaves nothing of it', async () => {
  const { child, said } = startDemo({ SLURM_CONF: join(place, 'none.conf') });
  const status = await endOf(child);
  expect({ status, stderr: said.stderr }, said.stdout).toEqual({ status: 0, stderr: '' });
  expect(said.stdout).toContain('No Slurm answers here');
  expect(said.stdout).toContain('6 x class app, exit code 3, windows 4, 11, 18, 25, 32, 39');
  expect(said.stdout).toMatch(/\[ok\] these 40 jobs were carried out by \d+ tasks of Slurm's/);
  expect(said.stdout).toContain('40 windows, 6 retries, 46 jobs; the batch is completed');
  expect(said.stdout).toContain('Every check holds.');
  const tooLong = said.stdout.split('\n').filter((line) => line.length > 80 && line.trim().includes(' '));
  expect(tooLong).toEqual([]);
  expect(readdirSync(place)).toEqual(LEFT);
  expect(processesOf(place)).toEqual([]);
}, 180_000);

test('the demo takes the cluster that answers, and when it is stopped its jobs end and the cluster stays', async () => {
  const cluster = await openCluster();
  try {
    const { child, said } = startDemo(cluster.env);
    await until('jobs to run', async () => (await cluster.run('squeue', '--noheader', '--states=running')) !== '');
    child.kill('SIGTERM');
    expect(await endOf(child)).toBe(1);
    expect(said.stdout).toContain('Slurm answers here; nodes that take jobs: 1.');
    expect(said.stderr).toContain('error: stopped by a signal before the end');
    await until('the jobs to end', async () => (await cluster.run('squeue', '--noheader')) === '');
    await until('the processes to end', async () => processesOf(place).length === 0);
    expect(readdirSync(place)).toEqual(LEFT);
    expect(await cluster.run('scontrol', 'ping')).toContain('is UP');
  } finally {
    await cluster.down();
  }
}, 180_000);
