/** The server and the runner host are killed at each named point between two durable steps, and then at random moments. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { FAULT_POINTS } from '../../src/faults.js';
import { until } from '../support/until.js';
import { random, STORES, type Verdict, World } from './world.js';

/** While one waits for what a crash left behind, the others go on to the next. */
const CLIENTS = 3;
const KILLS = Number(process.env.REPRISE_CRASH_ROUNDS ?? 30);

/** Clients go on all the time; the servers are killed under them. Whoever fails stops the others, and is told. */
async function underClients(world: World, kills: (isOver: () => boolean) => Promise<void>): Promise<void> {
  let over = false;
  const isOver = () => over;
  const client = async () => {
    do await world.round();
    while (!over);
  };
  const end = () => {
    over = true;
  };
  const both = [kills(isOver).finally(end), Promise.all(Array.from({ length: CLIENTS }, client)).finally(end)];
  for (const one of await Promise.allSettled(both)) if (one.status === 'rejected') throw one.reason;
}

async function killAtEachPoint(world: World, isOver: () => boolean): Promise<void> {
  for (const point of FAULT_POINTS) {
    if (isOver()) return;
    const mark = join(world.dataDir, `died-${point}`);
    await world.kill();
    if (point.startsWith('host.')) world.killHosts();
    // it may die while it starts: what was left to do is done then
    await world.start({ point, mark }).catch((error) => {
      if (!world.isMarked(mark)) throw error;
    });
    await until(`something to die at ${point}`, async () => world.isMarked(mark), 120);
  }
  await world.kill();
  await world.start();
}

/** A server must live for a few seconds to believe that a dispatch is gone: now and then it may. */
const KILLS_WITHOUT_REST = 15;

async function killAtRandom(world: World, times: number, seed: number, isOver: () => boolean): Promise<void> {
  const chance = random(seed);
  for (let kill = 0; kill < times && !isOver(); kill += 1) {
    if (kill % KILLS_WITHOUT_REST === KILLS_WITHOUT_REST - 1) await world.rest(isOver);
    await sleep(30 + chance() * 900);
    const what = chance();
    if (what < 0.2) world.killHosts();
    if (what < 0.1) continue;
    if (what > 0.85 && world.postgres !== null) {
      await world.postgres.stop('kill');
      await sleep(chance() * 300);
      await world.postgres.start();
      continue;
    }
    await world.kill();
    await world.start();
  }
}

function sentenceOf(store: string, { rounds }: World, { jobs, lost, doubled, flaws }: Verdict): string {
  const done = `${FAULT_POINTS.length} points, ${KILLS} random kills, ${rounds.length} rounds of clients, ${jobs} jobs`;
  const sum = `${store}: ${done}: ${lost.length} lost, ${doubled.length} doubled, ${flaws.length} to repair`;
  // at once: whoever stops the run would not hear of it
  return [sum, ...lost, ...doubled, ...flaws.map((flaw) => JSON.stringify(flaw))].join('\n');
}

describe.each(STORES)('on %s', (store) => {
  it('nothing is lost or done twice, and the record is whole, whatever is killed when', {
    timeout: 3_600_000 + KILLS * 10_000,
  }, async () => {
    const world = await World.open(store);
    try {
      await underClients(world, async (isOver) => {
        await killAtEachPoint(world, isOver);
        await killAtRandom(world, KILLS, 4711, isOver);
      });
      const verdict = await world.verify();
      console.log(sentenceOf(store, world, verdict));
      expect(verdict).toMatchObject({ lost: [], doubled: [], flaws: [] });
    } finally {
      await world.close();
    }
  });
});
