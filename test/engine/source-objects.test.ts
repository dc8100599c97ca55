/** Jobs that name workspace objects run only for who can read them. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { Secret } from '../../src/contract/secret.js';
import type { Db } from '../../src/store/db.js';
import { openTestDb } from '../support/databases.js';
import { alice, type Harness, idsOf, openEngine, retryIds, runAll, submitJobs } from '../support/engine.js';

let db: Db;
let h: Harness;
beforeAll(async () => {
  db = await openTestDb();
});
afterAll(() => db.close());
beforeEach(() => {
  h = openEngine(db);
});

const SENTENCE = 'Some workspace object is inaccessible';

it('are refused one by one at submission, before the catalog is asked', async () => {
  h.unreadable.add('2/2/2');
  const result = await submitJobs(h, 2, { job: { source_ws_objects: ['1/1/1', ' 2 / 2/2 '] } });
  expect(result.items.map((item) => item.error)).toEqual([
    { code: 'FORBIDDEN', message: SENTENCE },
    { code: 'FORBIDDEN', message: SENTENCE },
  ]);
  expect((await submitJobs(h, 1, { job: { source_ws_objects: ['1/1/1'] } })).accepted).toBe(1);
});

it('are refused at a retry when an object can not be read any more; other jobs of the call are retried', async () => {
  const reading = idsOf(await submitJobs(h, 1, { job: { source_ws_objects: ['3/3/3'] } }));
  const plain = idsOf(await submitJobs(h, 1));
  await runAll(h, () => 'fail');
  h.unreadable.add('3/3/3');
  const { receipts } = await retryIds(h, [...reading, ...plain]);
  expect(receipts.map(({ accepted, message }) => [accepted, message])).toEqual([
    [false, SENTENCE],
    [true, null],
  ]);
});

it('are asked about once for a whole call, with what the caller called with', async () => {
  const asked: [readonly string[], string | undefined][] = [];
  const ctx = { ...h.ctx.workspaces };
  h.ctx.workspaces.unreadableObjects = async (_user, refs, token) => {
    asked.push([refs, token?.reveal()]);
    return new Set<string>();
  };
  const actor = { ...alice, token: new Secret('HUSH') };
  await submitJobs(h, 100, { actor, job: { source_ws_objects: ['1/1/1', '1/2/1'] } });
  Object.assign(h.ctx.workspaces, ctx);
  expect(asked).toEqual([[['1/1/1', '1/2/1'], 'HUSH']]);
  const texts = await Promise.all(['jobs', 'inputs', 'events', 'requests'].map((table) => textOf(table)));
  expect(texts.join()).not.toContain('HUSH');
});

async function textOf(table: string): Promise<string> {
  return JSON.stringify(await db.query({ name: `all_of_${table}`, text: `select t::text from ${table} t` }));
}
