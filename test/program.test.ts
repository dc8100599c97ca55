import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type ProgramOptions, runProgram } from '../src/program.js';
import { isAlive } from '../src/runner/tree.js';
import { removeTree } from './support/remove-tree.js';
import { until } from './support/until.js';

const directory = mkdtempSync(join(tmpdir(), 'reprise-program-'));
afterAll(() => removeTree(directory));

const OPTIONS: ProgramOptions = { env: { PATH: process.env.PATH }, timeoutMs: 20_000, maxBytes: 1000 };
const sh = (script: string, options: Partial<ProgramOptions> = {}) =>
  runProgram('sh', ['-c', script], { ...OPTIONS, ...options });

it('answers what it printed, what it complained and its code', async () => {
  const ran = await sh('cat; echo no >&2; exit 3', { input: 'grüße' });
  expect(ran).toEqual({ code: 3, stdout: 'grüße', stderr: 'no\n', how: 'ended' });
});

it('has the environment that it is given, and no other', async () => {
  const { stdout } = await sh('env', { env: { PATH: process.env.PATH, ONE: '1' } });
  expect(stdout).toContain('ONE=1');
  expect(stdout).not.toContain('HOME=');
});

it('may end without reading what it is told', async () => {
  expect(await sh('exit 0', { input: 'x'.repeat(1_000_000) })).toMatchObject({ code: 0, how: 'ended' });
});

it('says when it was killed by somebody else, and when it is not there', async () => {
  expect(await sh('echo half; kill -9 $$')).toMatchObject({ code: null, stdout: 'half\n', how: 'killed' });
  const missing = await runProgram(join(directory, 'nothing'), [], OPTIONS);
  expect(missing).toMatchObject({ code: null, how: 'missing', stderr: expect.stringContaining('ENOENT') });
});

describe('with a program of its own that holds its output open', () => {
  const pidFile = join(directory, 'pid');
  const inner = `sh -c 'echo $$ > ${pidFile}; `;

  async function eachIsGone(): Promise<void> {
    const pid = Number(readFileSync(pidFile, 'utf8'));
    await until('the inner program to end', async () => !isAlive(pid));
  }

  it('is killed with that when its time is up', async () => {
    const ran = sh(`${inner} echo well; sleep 60'; echo never`, { timeoutMs: 3_000 });
    expect(await ran).toEqual({ code: null, stdout: 'well\n', stderr: '', how: 'late' });
    await eachIsGone();
  });

  it('is killed with that when it complains of what it is stopped for, in two parts', async () => {
    const ran = sh(`${inner} printf sleep >&2; sleep 0.1; echo ing >&2; sleep 60'; echo never`, { stopAt: /sleeping/ });
    expect(await ran).toEqual({ code: null, stdout: '', stderr: 'sleeping\n', how: 'stopped' });
    await eachIsGone();
  });

  it('is killed with that when it prints too much', async () => {
    expect(await sh(`${inner} yes'; echo never`)).toMatchObject({ code: null, how: 'too-much' });
    await eachIsGone();
  });
});

describe('with a daemon that has left it and holds its output open', () => {
  const daemon = (seconds: number) => `setsid sleep ${seconds} & `;

  it('answers soon after its end, with all that it printed', async () => {
    const began = Date.now();
    const ran = await sh(`${daemon(15)} yes | head -c 300000`, { maxBytes: 1_000_000 });
    expect(ran).toMatchObject({ code: 0, how: 'ended' });
    expect(ran.stdout).toHaveLength(300_000);
    expect(Date.now() - began).toBeLessThan(10_000);
  });

  it('answers soon after it was killed', async () => {
    const began = Date.now();
    expect(await sh(`${daemon(15)} sleep 15`, { timeoutMs: 500 })).toMatchObject({ code: null, how: 'late' });
    expect(Date.now() - began).toBeLessThan(10_000);
  });

  it('reads what had arrived while this process was busy', async () => {
    const ran = sh(`${daemon(15)} sleep 0.3; echo last`);
    await new Promise((resolve) => setTimeout(resolve, 200));
    for (const end = Date.now() + 2500; Date.now() < end; );
    expect(await ran).toMatchObject({ code: 0, stdout: 'last\n', how: 'ended' });
  });
});

it('keeps the end of what it complained', async () => {
  const { stderr } = await sh('yes first | head -c 100000 >&2; echo last >&2');
  expect(stderr).toHaveLength(64 * 1024);
  expect(stderr.endsWith('last\n')).toBe(true);
});
