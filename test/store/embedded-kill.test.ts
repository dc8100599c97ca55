/** kill -9 of a writing process: what was acknowledged is there, and no transaction is there by half. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { statement } from '../../src/store/db.js';
import { openEmbeddedDb } from '../../src/store/embedded.js';
import { startDatabaseProcess } from '../support/database-process.js';
import { until } from '../support/until.js';

const KILLS = 12;
let dataDir: string;
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'reprise-kill-'));
  const db = await openEmbeddedDb({ dataDir });
  await db.script('create table written (number integer primary key)');
  await db.close();
});
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

const readWritten = statement<{ number: number }>('test_written', 'select number from written order by number');

it(`loses nothing that was acknowledged in ${KILLS} kills`, async () => {
  const acknowledged = new Set<number>();
  let next = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    const writer = startDatabaseProcess(dataDir, { from: next });
    // some are killed while they open, most at some commit or other
    const commits = (kill * 7) % 40;
    await until('the writer to have written', async () => kill % 6 === 5 || writer.lines().length > commits);
    for (const line of await writer.kill()) {
      expect(line).toMatch(/^(open|\d+)$/);
      if (line !== 'open') for (let n = 0; n < 10; n += 1) acknowledged.add(Number(line) + n);
    }
    // the last transaction may be there without having been acknowledged
    next += 10_000;
  }
  const db = await openEmbeddedDb({ dataDir });
  try {
    const written = new Set((await db.query(readWritten)).map((row) => row.number));
    expect(acknowledged.size).toBeGreaterThan(500);
    expect([...acknowledged].filter((number) => !written.has(number))).toEqual([]);
    const tens = groupByTen(written);
    expect([...tens].filter(([, count]) => count !== 10)).toEqual([]);
  } finally {
    await db.close();
  }
}, 240_000);

function groupByTen(numbers: Iterable<number>): Map<number, number> {
  const tens = new Map<number, number>();
  for (const number of numbers) tens.set(Math.floor(number / 10), (tens.get(Math.floor(number / 10)) ?? 0) + 1);
  return tens;
}

it('starts after a first start that was killed at any moment', async () => {
  for (const pause of [150, 400, 700, 1_000]) {
    const fresh = mkdtempSync(join(tmpdir(), 'reprise-kill-'));
    const starting = startDatabaseProcess(fresh);
    await new Promise((resolve) => setTimeout(resolve, pause));
    await starting.kill();
    const db = await openEmbeddedDb({ dataDir: fresh });
    await db.script('create table fine (number integer)');
    await db.close();
    rmSync(fresh, { recursive: true });
  }
}, 240_000);
