import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { prune } from '../../src/maintenance/pruner.js';
import { type Db, statement } from '../../src/store/db.js';
import { openTestDb } from '../support/databases.js';
import { alice, type Harness, idsOf, openEngine, retryIds, runAll, submitJobs } from '../support/engine.js';

const DAY = 86_400_000;
const FOREVER = { requestsMs: null, logsMs: null, eventsMs: null };
const goOn = async () => true;

const ageJobs = statement(
  'test_age_jobs',
  `
  update jobs
  set created_at = created_at - interval '30 days', finished_at = finished_at - interval '30 days'
  where job_id = any($1::text[])`,
);
const ageIds = statement(
  'test_age_events',
  `update events set at = at - interval '30 days' where job_id = any($1::text[])`,
);
const ageRequests = statement(
  'test_age_requests',
  `update requests set created_at = created_at - interval '8 days' where request_id = $1::text`,
);
const countLeft = statement<{ requests: number; receipts: number }>(
  'test_count_requests',
  `
  select
    (select count(*) from requests where request_id = $1::text) as requests,
    (select count(*) from receipts c join requests r using (request_key) where r.request_id = $1::text) as receipts`,
);
const countEvents = statement<{ events: number }>(
  'test_count_events',
  'select count(*) as events from events where job_id = $1::text',
);
describe('the pruner', () => {
  let db: Db;
  let h: Harness;
  beforeAll(async () => {
    db = await openTestDb();
  });
  afterAll(() => db.close());
  beforeEach(() => {
    h = openEngine(db);
  });

  async function ended(lines: number): Promise<string> {
    const [id] = idsOf(await submitJobs(h, 1));
    if (lines > 0)
      await h.engine.addLogs(
        alice,
        id!,
        Array.from({ length: lines }, (_, n) => line(n)),
      );
    await runAll(h, () => 'fail');
    return id!;
  }
  const line = (n: number) => ({ line: `line ${n}`, isError: false, ts: 1 });

  it('removes requests with their receipts after their time, and only then', async () => {
    const id = await ended(0);
    await retryIds(h, [id], { requestId: 'old' });
    await runAll(h, () => 'fail');
    await retryIds(h, [id], { requestId: 'young' });
    await db.query(ageRequests, ['old']);
    expect(await prune(db, { ...FOREVER, requestsMs: 7 * DAY }, goOn)).toMatchObject({ requests: 1 });
    expect(await db.query(countLeft, ['old'])).toEqual([{ requests: 0, receipts: 0 }]);
    expect(await db.query(countLeft, ['young'])).toEqual([{ requests: 1, receipts: 1 }]);
    await runAll(h, () => 'ok');
  });

  it('removes events of jobs that ended long ago, and none of an unfinished job however old', async () => {
    const finished = await ended(0);
    const young = await ended(0);
    const [waiting] = idsOf(await submitJobs(h, 1));
    await db.query(ageJobs, [[finished, waiting!]]);
    await db.query(ageIds, [[finished, waiting!]]);
    const pruned = await prune(db, { ...FOREVER, eventsMs: 7 * DAY }, goOn);
    expect(pruned.events).toBeGreaterThanOrEqual(4);
    expect(await db.query(countEvents, [finished])).toEqual([{ events: 0 }]);
    expect((await db.query(countEvents, [young]))[0]?.events).toBeGreaterThan(3);
    expect(await db.query(countEvents, [waiting!])).toEqual([{ events: 1 }]);
    await runAll(h, () => 'ok');
  });
});

describe('logs', () => {
  let db: Db;
  beforeAll(async () => {
    db = await openTestDb();
  });
  afterAll(() => db.close());

  it('are removed from the beginning in small steps; positions of what comes later do not change', async () => {
    const h = openEngine(db);
    const [id] = idsOf(await submitJobs(h, 1));
    const lines = Array.from({ length: 1200 }, (_, n) => ({ line: `line ${n}`, isError: false, ts: 1 }));
    await h.engine.addLogs(alice, id!, lines);
    // of the unfinished job nothing goes, whatever its age
    const soon = { ...FOREVER, logsMs: -100_000 };
    expect(await prune(db, soon, goOn)).toMatchObject({ logChunks: 0 });
    await runAll(h, () => 'ok');
    expect(await prune(db, { ...FOREVER, logsMs: DAY }, goOn)).toMatchObject({ logChunks: 0 });
    // stopped after its first step, as by kill -9
    await prune(db, soon, async () => false);
    await prune(db, soon, goOn);
    const { page } = await h.engine.logs(alice, id!, 0, null);
    expect(page).toMatchObject({ lines: [], total: 1200, next: 1200 });
    await h.engine.addLogs(alice, id!, [{ line: 'late', isError: false, ts: 2 }]);
    expect((await h.engine.logs(alice, id!, 0, null)).page.lines).toMatchObject([{ line: 'late', position: 1200 }]);
  });
});
