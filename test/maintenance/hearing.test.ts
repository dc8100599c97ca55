/** When silence is believed. */
import { beforeEach, expect, it } from 'vitest';
import { createHearing, type Hearing } from '../../src/maintenance/hearing.js';

const [LEASE, INTERVAL] = [90, 5];
let clock = 0;
let hearing: Hearing;
beforeEach(() => {
  clock = 1_000;
  hearing = createHearing(LEASE, INTERVAL, () => clock);
});

const turn = () => hearing.turn(async (hears) => hears);
/** Turns for so long; what the last one was told. */
async function turnsFor(length: number): Promise<boolean> {
  let hears = false;
  for (const end = clock + length; clock < end; ) {
    clock += INTERVAL;
    hears = await turn();
  }
  return hears;
}

it('not before a whole lease of turns, and from then on', async () => {
  expect(await turn()).toBe(false);
  expect(await turnsFor(LEASE - INTERVAL)).toBe(false);
  expect(await turnsFor(INTERVAL)).toBe(true);
  expect(await turnsFor(10 * LEASE)).toBe(true);
});

it('not for a lease after a break, as of a machine that slept', async () => {
  await turnsFor(2 * LEASE);
  clock += 3 * INTERVAL + 1;
  expect(await turn()).toBe(false);
  expect(await turnsFor(LEASE - INTERVAL)).toBe(false);
  expect(await turnsFor(INTERVAL)).toBe(true);
});

it('not for a lease after turns that failed, as while the database was away', async () => {
  await turnsFor(2 * LEASE);
  for (let failed = 0; failed < 4; failed += 1) {
    clock += INTERVAL;
    await expect(hearing.turn(() => Promise.reject(new Error('away')))).rejects.toThrow('away');
  }
  expect(await turn()).toBe(false);
  expect(await turnsFor(LEASE)).toBe(true);
});
