/** Lists for people who look at ten thousand items, and the search in logs. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Status } from '../../src/contract/status.js';
import type { Db } from '../../src/store/db.js';
import { openTestDb } from '../support/databases.js';
import {
  alice,
  bob,
  COMMIT,
  eventsSettled,
  type Harness,
  idsOf,
  newBatch,
  openEngine,
  retryIds,
  runAll,
  submitJobs,
} from '../support/engine.js';

let db: Db;
let h: Harness;
beforeAll(async () => {
  db = await openTestDb();
  h = openEngine(db);
});
afterAll(() => db.close());

const all = { states: null, latestOnly: true, limit: 100, cursor: null };

describe('the jobs in some states', () => {
  it('are those of all jobs, newest first, page by page, however they are mixed', async () => {
    const { batch_id: batchId, items } = await submitJobs(h, 9, { target: newBatch });
    const ids = items.map((item) => item.job_id as string);
    await runAll(h, (id) => (ids.indexOf(id) % 3 === 0 ? 'fail' : 'ok'));
    await retryIds(h, [ids[3]!]);
    const filter = { user: null, app: null, batchId: batchId!, wsid: null, inputKey: null, latestOnly: false };
    const pages = async (states: readonly Status[] | null, limit: number) => {
      const seen: string[] = [];
      for (let cursor: string | null = ''; cursor !== null; ) {
        const page = await h.engine.listJobs(alice, { ...filter, states, limit, cursor: cursor || null });
        seen.push(...page.items.map((job) => job.job_id));
        cursor = page.nextCursor;
      }
      return seen;
    };
    const whole = await pages(null, 100);
    expect(whole).toHaveLength(10);
    const failed = whole.filter((id) => ids.indexOf(id) >= 0 && ids.indexOf(id) % 3 === 0);
    for (const limit of [1, 2, 3, 100]) {
      expect(await pages(['error', 'completed', 'error'], limit)).toEqual(whole.slice(1));
      expect(await pages(['error'], limit)).toEqual(failed);
      expect(await pages(['created', 'error'], limit)).toEqual([whole[0], ...failed]);
      expect(await pages(['running'], limit)).toEqual([]);
    }
  });
});

describe('the items of a batch', () => {
  it('are one row each, with the newest job; superseded jobs come on demand', async () => {
    const { batch_id: batchId, items } = await submitJobs(h, 3, { target: newBatch });
    const ids = items.map((item) => item.job_id as string);
    await runAll(h, (id) => (id === ids[1] ? 'fail' : 'ok'));
    const { receipts } = await retryIds(h, [ids[1]!]);
    const heads = await h.engine.listItems(alice, { ...all, batchId: batchId! });
    expect(heads.items.map((item) => [item.job_id, item.root_id, item.status])).toEqual([
      [ids[0], ids[0], 'completed'],
      [ids[2], ids[2], 'completed'],
      [receipts[0]!.retry_id, ids[1], 'created'],
    ]);
    expect(heads.items[2]).toMatchObject({ retry_number: 1, params_start: '1', method: 'demo.run', commit: COMMIT });
    const whole = await h.engine.listItems(alice, { ...all, batchId: batchId!, latestOnly: false });
    expect(whole.items).toHaveLength(4);
    expect(whole.items[1]).toMatchObject({
      superseded: true,
      status: 'error',
      failure_class: 'app',
      error_start: 'exit code 3: it broke',
    });
  });

  it('are read page by page without a gap, also when one is retried between two pages', async () => {
    const { batch_id: batchId, items } = await submitJobs(h, 5, { target: newBatch });
    await runAll(h, () => 'fail');
    const first = await h.engine.listItems(alice, { ...all, batchId: batchId!, limit: 2 });
    await retryIds(h, [items[0]!.job_id!, items[4]!.job_id!]);
    const roots = first.items.map((item) => item.root_id);
    for (let cursor = first.nextCursor; cursor !== null; ) {
      const page = await h.engine.listItems(alice, { ...all, batchId: batchId!, limit: 2, cursor });
      roots.push(...page.items.map((item) => item.root_id));
      cursor = page.nextCursor;
    }
    expect(new Set(roots)).toEqual(new Set(idsOf({ items } as never)));
  });

  it('are for those who may read the batch', async () => {
    const { batch_id: batchId } = await submitJobs(h, 1, { target: newBatch });
    await expect(h.engine.listItems(bob, { ...all, batchId: batchId! })).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });
});

describe('the list of batches', () => {
  it('says what a batch runs and is searched by name and by the beginning of an id', async () => {
    const { batch_id: batchId } = await submitJobs(h, 1, { target: { ...newBatch, name: '50% of PhiX_7' } as never });
    const search = async (text: string) => {
      const filter = { states: null, user: null, app: null, wsid: null, limit: 100, cursor: null };
      return (await h.engine.listBatches(alice, { ...filter, search: text })).items.map((batch) => batch.batch_id);
    };
    expect(await search('phix_')).toEqual([batchId]);
    expect(await search('%')).toEqual([batchId]);
    expect(await search(batchId!.slice(0, 23))).toContain(batchId);
    expect(await search('phix-')).toEqual([]);
    const shown = await h.engine.batch(alice, batchId!);
    expect(shown.app).toEqual({ method: 'demo.run', commit: COMMIT, tag: 'release' });
  });
});

describe('a log', () => {
  it('is searched by text and by error mark, and read on at `next` without a gap', async () => {
    const [id] = idsOf(await submitJobs(h, 1));
    const line = (n: number) => ({ line: `Line ${n}${n % 100 === 0 ? ' WHEEL' : ''}`, isError: n % 1000 === 0, ts: n });
    await h.engine.addLogs(
      alice,
      id!,
      Array.from({ length: 12_000 }, (_, n) => line(n)),
    );
    const found: number[] = [];
    for (let skip = 0; skip < 12_000; ) {
      const page = await h.engine.searchLogs(alice, id!, { skip, limit: 7, contains: 'wheel', errorsOnly: false });
      found.push(...page.lines.map((one) => one.position));
      expect(page.next).toBeGreaterThan(skip);
      skip = page.next;
    }
    expect(found).toEqual(Array.from({ length: 120 }, (_, n) => n * 100));
    const errors = await h.engine.searchLogs(alice, id!, { skip: 500, limit: 100, contains: null, errorsOnly: true });
    expect(errors.lines.map((one) => one.position)).toEqual(Array.from({ length: 11 }, (_, n) => (n + 1) * 1000));
    expect(errors.next).toBe(12_000);
  });
});

describe('events after `now`', () => {
  it('begin where the first look was, not where the last one was', async () => {
    const filter = { jobId: null, batchId: null, after: 'now', limit: 10 };
    await eventsSettled(h);
    const { items, nextCursor } = await h.engine.listEvents(alice, filter);
    expect(items).toEqual([]);
    const [id] = idsOf(await submitJobs(h, 1));
    await eventsSettled(h);
    const later = await h.engine.listEvents(alice, { ...filter, after: nextCursor });
    expect(later.items.map((event) => event.job_id)).toEqual([id]);
  });
});
