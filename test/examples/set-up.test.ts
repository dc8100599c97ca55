import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const scripts = fileURLToPath(new URL('../../scripts', import.meta.url));
let clone: string;

/** The scripts find the clone they work on by their own place. */
beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), 'reprise-clone-'));
  cpSync(scripts, join(clone, 'scripts'), { recursive: true });
});
afterEach(() => rmSync(clone, { recursive: true }));

function put(path: string, content: unknown): void {
  mkdirSync(dirname(join(clone, path)), { recursive: true });
  writeFileSync(join(clone, path), typeof content === 'string' ? content : JSON.stringify(content));
}

function evaluate(expression: string): unknown {
  const code = `import * as state from './scripts/setup-state.mjs'; console.log(JSON.stringify(${expression}) ?? null);`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', code], {
    cwd: clone,
    encoding: 'utf8',
  });
  if (stderr !== '') throw new Error(stderr);
  return JSON.parse(stdout);
}

describe('the lock of the set-up', () => {
  /** Each process notes when it has the lock and when it gives it up. */
  const contender = `
    import { appendFileSync } from 'node:fs';
    import { setImmediate } from 'node:timers/promises';
    import { lockSetup } from './scripts/setup-lock.mjs';
    const unlock = await lockSetup(() => {});
    appendFileSync('turns', process.pid + ' in\\n');
    for (let turn = 0; turn < 1000; turn += 1) await setImmediate();
    appendFileSync('turns', process.pid + ' out\\n');
    unlock();`;

  const TAKE = "import { lockSetup } from './scripts/setup-lock.mjs'; const unlock = await lockSetup(console.log);";

  async function contend(): Promise<void> {
    const args = ['--input-type=module', '--eval', contender];
    await Promise.all(Array.from({ length: 5 }, () => promisify(execFile)(process.execPath, args, { cwd: clone })));
    const turns = readFileSync(join(clone, 'turns'), 'utf8').trim().split('\n');
    expect(turns).toHaveLength(10);
    const pairs = turns.filter((_, index) => index % 2 === 0);
    for (const [index, entered] of pairs.entries()) expect(turns[index * 2 + 1]).toBe(entered.replace(' in', ' out'));
  }

  test('lets several set-ups of one directory take turns', contend);

  test('is free when its process has died, and taken by one only', async () => {
    const evaluated = (more: string) => ['--input-type=module', '--eval', `${TAKE} ${more}`];
    const holder = spawn(process.execPath, evaluated("console.log('in'); setTimeout(() => {}, 300_000);"), {
      cwd: clone,
    });
    expect(String(await once(holder.stdout, 'data'))).toBe('in\n');
    const waiting = spawn(process.execPath, evaluated(''), { cwd: clone });
    expect(String(await once(waiting.stdout, 'data'))).toMatch(/^another process is setting up this directory/);
    const contending = contend();
    holder.kill('SIGKILL');
    await contending;
    if (waiting.exitCode === null) await once(waiting, 'exit');
  });
});

describe('what is installed', () => {
  const wanted = {
    packages: {
      '': { name: 'reprise' },
      'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
      'node_modules/elsewhere': { version: '1.0.0', optional: true },
    },
  };
  const found = { packages: { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' } } };

  test('counts when every package is there as locked, but for those of other platforms', () => {
    put('package-lock.json', wanted);
    expect(evaluate('state.isInstalled()')).toBe(false);
    put('node_modules/.package-lock.json', found);
    expect(evaluate('state.isInstalled()')).toBe(true);
  });

  test('does not count when the lock file asks for another version, content or package', () => {
    put('node_modules/.package-lock.json', found);
    for (const other of [
      { 'node_modules/a': { version: '1.0.1', integrity: 'sha512-a' } },
      { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-b' } },
      { ...found.packages, 'node_modules/b': { version: '1.0.0' } },
    ]) {
      put('package-lock.json', { packages: other });
      expect(evaluate('state.isInstalled()'), JSON.stringify(other)).toBe(false);
    }
  });

  test('is looked at in each directory with packages of its own', () => {
    put('package-lock.json', wanted);
    put('node_modules/.package-lock.json', found);
    put('bench/peers/package-lock.json', wanted);
    expect(evaluate("state.isInstalled('bench/peers')")).toBe(false);
    put('bench/peers/node_modules/.package-lock.json', found);
    expect(evaluate("state.isInstalled('bench/peers')")).toBe(true);
  });
});

describe('what is built', () => {
  beforeEach(() => {
    put('src/one.ts', 'export {};');
    put('dist/one.js', 'export {};');
    evaluate('state.recordBuild(state.sourceHash())');
    expect(evaluate('state.isBuilt()')).toBe(true);
  });

  test('is out of date when a source changes, even if it keeps its length', () => {
    put('src/one.ts', 'export [];');
    expect(evaluate('state.isBuilt()')).toBe(false);
  });

  test('is out of date when a migration is added', () => {
    put('migrations/0002_more.sql', 'select 1;');
    expect(evaluate('state.isBuilt()')).toBe(false);
  });

  test('is out of date when dist is gone', () => {
    rmSync(join(clone, 'dist'), { recursive: true });
    expect(evaluate('state.isBuilt()')).toBe(false);
  });
});

test('a set-up without git says so, and how to get it', () => {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/ensure.mjs'], {
    cwd: clone,
    env: { PATH: '/nonexistent' },
    encoding: 'utf8',
  });
  expect(status).toBe(1);
  expect(stderr).toContain('git is missing');
  expect(stderr).toContain('apt-get install git');
});
