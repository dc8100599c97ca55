/** One process per data directory, whatever became of the last one. */
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { lockDirectory } from '../../src/store/embedded-lock.js';
import { type DatabaseProcess, opened, startDatabaseProcess } from '../support/database-process.js';
import { until } from '../support/until.js';

const QUICK = { beatMs: 40, watchMs: 1_000 };
let dataDir: string;
let file: string;
let started: DatabaseProcess[];
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'reprise-lock-'));
  file = join(dataDir, 'pg.lock');
  started = [];
});
afterEach(async () => {
  for (const one of started) await one.kill();
  rmSync(dataDir, { recursive: true, force: true });
});

function start(options: Parameters<typeof startDatabaseProcess>[1] = {}): DatabaseProcess {
  const one = startDatabaseProcess(dataDir, options);
  started.push(one);
  return one;
}

const lock = (onLost: (error: Error) => void = () => undefined) => lockDirectory(dataDir, onLost, QUICK);
const readFile = () => JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;

/** As a process that is gone left it, with some of it changed. */
async function leaveFile(changes: Record<string, unknown>): Promise<void> {
  const held = await lock();
  const left = readFile();
  await held.release();
  writeFileSync(file, JSON.stringify({ ...left, token: 'of another', ...changes }));
}

it('a second process is refused with a sentence that names the first, and free after kill -9', async () => {
  const first = start();
  await opened(first);
  const refused = /is in use by process \d+; stop it first, or give this one another --data-dir/;
  await expect(lock()).rejects.toMatchObject({ code: 'DATA_DIR_IN_USE', message: expect.stringMatching(refused) });
  await expect(lock()).rejects.toThrow(`process ${first.child.pid};`);
  const second = start();
  await until('the second process to be refused', async () =>
    second.lines().some((line) => line.startsWith('refused')),
  );
  expect(second.lines()[0]).toContain(`DATA_DIR_IN_USE`);
  expect(second.lines()[0]).toContain(`process ${first.child.pid};`);
  await first.kill();
  await (await lock()).release();
});

it('the same process is refused too, by any path to the directory', async () => {
  const held = await lock();
  await expect(lockDirectory(`${dataDir}/../${dataDir.split('/').at(-1)}`, () => undefined, QUICK)).rejects.toThrow(
    `process ${process.pid};`,
  );
  await held.release();
  await (await lock()).release();
});

it('a killed process that nobody has reaped holds nothing', async () => {
  const holder = start({ unreaped: true });
  await opened(holder);
  const told = await until('its pid', async () => holder.lines().find((line) => line.startsWith('pid ')));
  const pid = Number(told.slice(4));
  process.kill(pid, 'SIGKILL');
  await until('a zombie', async () => /^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8')));
  expect(readFile().pid).toBe(pid);
  await (await lock()).release();
});

it.each([
  ['a number no process has', { pid: 4_194_303 }],
  ['the number of a process that started later', { pid: process.pid, started: '1' }],
  ['a number from before the machine was started again', { pid: process.pid, boot: 'another boot' }],
])('a file with %s is taken over at once', async (_, changes) => {
  await leaveFile(changes);
  const held = await lock();
  expect(readFile()).toMatchObject({ pid: process.pid });
  await held.release();
});

it('a file that is damaged is taken over', async () => {
  writeFileSync(file, '{"pid": 1');
  await (await lock()).release();
});

it.each([
  ['another machine', { host: 'elsewhere' }],
  ['another container of this machine', { pids: 'pid:[1]' }],
])('a file of %s is taken over only when nobody touches it any more', async (_, changes) => {
  await leaveFile(changes);
  const touching = setInterval(() => utimesSync(file, new Date(), new Date()), QUICK.beatMs);
  await expect(lock()).rejects.toMatchObject({ code: 'DATA_DIR_IN_USE', message: expect.stringMatching(/ on \S+;/) });
  clearInterval(touching);
  const held = await lock();
  expect(readFile()).toMatchObject({ pid: process.pid });
  await held.release();
});

it('a holder touches its file, and stops when another has taken it', async () => {
  const lost: Error[] = [];
  const held = await lock((error) => lost.push(error));
  utimesSync(file, new Date(0), new Date(0));
  await until('the file to be touched', async () => readFile() && (await import('node:fs')).statSync(file).mtimeMs > 0);
  writeFileSync(file, JSON.stringify({ ...readFile(), token: 'of another', host: 'elsewhere' }));
  await until('the loss to be noticed', async () => lost.length > 0);
  expect(lost[0]?.message).toContain('on elsewhere');
  await held.release();
  expect(readFile().token).toBe('of another');
});
