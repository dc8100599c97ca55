/** A catalog that can not be asked stops new jobs, and nothing else. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RepriseError } from '../../src/contract/errors.js';
import type { Db } from '../../src/store/db.js';
import { openTestDb } from '../support/databases.js';
import { alice, idsOf, openEngine, retryIds, runAll, statusOf, submitJobs } from '../support/engine.js';

let db: Db;
beforeAll(async () => {
  db = await openTestDb();
});
afterAll(() => db.close());

it('recorded jobs are handed over, start, end, are cancelled and retried; a new job is refused with the reason', async () => {
  const h = openEngine(db);
  const [failed, ended, cancelled] = idsOf(await submitJobs(h, 3)) as [string, string, string];
  h.catalog.resolve = () => Promise.reject(new RepriseError('UNAVAILABLE', 'the catalog is down; try again later'));
  await expect(submitJobs(h, 1)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await h.engine.cancel(alice, [cancelled], null);
  await runAll(h, (id) => (id === ended ? 'ok' : 'fail'));
  expect(await Promise.all([failed, ended, cancelled].map((id) => statusOf(h, id)))).toEqual([
    'error',
    'completed',
    'terminated',
  ]);
  const { receipts } = await retryIds(h, [failed, cancelled]);
  expect(receipts.map(({ accepted }) => accepted)).toEqual([true, true]);
  await runAll(h, () => 'ok');
  expect(await statusOf(h, receipts[0]!.retry_id!)).toBe('completed');
});
