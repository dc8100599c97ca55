/** Clocks of servers that jump: what was decided must not depend on them. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createIdSource } from '../../src/contract/ids.js';
import { examineFor } from '../../src/maintenance/doctor.js';
import type { Db } from '../../src/store/db.js';
import { openTestDb } from '../support/databases.js';
import { alice, idsOf, newBatch, openEngine, retryIds, runAll, submitJobs } from '../support/engine.js';

const HOUR = 3_600_000;
const NOON = Date.UTC(2030, 0, 1, 12);

let db: Db;
beforeAll(async () => {
  db = await openTestDb();
});
afterAll(() => db.close());

it('lineages grow in order and the record stays whole, whatever the clocks of two servers do', async () => {
  let now = NOON;
  // two servers, the second a day behind
  const servers = [0, -24 * HOUR].map((behind) =>
    openEngine(db, { ids: createIdSource(() => now + behind, randomBytes) }),
  );
  const [first] = servers;
  const roots = idsOf(await submitJobs(first!, 3, { target: newBatch }));
  for (const [turn, jump] of [HOUR, -30 * HOUR, 0, 400 * 24 * HOUR, -400 * 24 * HOUR].entries()) {
    now += jump;
    const server = servers[turn % 2]!;
    await runAll(first!, () => 'fail');
    const { accepted } = await retryIds(server, roots);
    expect(accepted).toBe(roots.length);
    await submitJobs(server, 2);
  }
  await runAll(first!, () => 'ok');
  for (const root of roots) {
    const line = await first!.engine.lineage(alice, root);
    expect(line.map((job) => job.retryNumber)).toEqual([0, 1, 2, 3, 4, 5]);
    const ids = line.map((job) => job.jobId);
    expect(ids).toEqual([...ids].sort());
  }
  expect((await examineFor(db, null, { repair: false, budgetMs: 60_000 })).findings).toEqual([]);
});
