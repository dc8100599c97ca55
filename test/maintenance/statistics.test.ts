/** Execution statistics reach KBase's Catalog later and once, and no state change waits for them. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createStatisticsSink } from '../../src/catalog/kbase-statistics.js';
import { Secret } from '../../src/contract/secret.js';
import { createHttp } from '../../src/kbase/http.js';
import { createStatistics } from '../../src/maintenance/statistics.js';
import type { Db } from '../../src/store/db.js';
import { openTestDb } from '../support/databases.js';
import { alice, COMMIT, type Harness, idsOf, openEngine, runAll, submitJobs } from '../support/engine.js';
import { KbaseFake } from '../support/kbase-fake.js';
import { until } from '../support/until.js';

const LOG = 'Catalog.log_exec_stats';
let db: Db;
let kbase: KbaseFake;
let h: Harness;
let clock: number;
beforeAll(async () => {
  [db, kbase] = await Promise.all([openTestDb(), new KbaseFake().start()]);
});
afterAll(() => Promise.all([db.close(), kbase.stop()]));
beforeEach(async () => {
  h = openEngine(db);
  clock = Date.now();
  kbase.faults.clear();
  kbase.refuseStats = () => null;
  kbase.before = () => {};
  await settled();
  await open().runOnce();
  kbase.calls.length = 0;
  kbase.stats.length = 0;
  await freeClaim();
});

/** Each a server of its own. */
function open(token = kbase.adminToken) {
  const http = createHttp({ timeoutMs: 10_000, tries: 3, random: () => 0 });
  const send = createStatisticsSink({ http, url: `${kbase.url}/catalog`, token: new Secret(token) });
  const said: string[] = [];
  const statistics = createStatistics({
    db,
    server: randomUUID(),
    send,
    now: () => clock,
    log: (message) => said.push(message),
  });
  return { ...statistics, said };
}
const freeClaim = () => db.query({ name: 'free', text: 'update relays set claimed_until = now()' });
/** What others on the same database server still write is not read yet: a late commit must not be skipped. */
const settled = () =>
  until('all events to be settled', async () => {
    const text = 'select count(*)::int as open from events where txid >= pg_snapshot_xmin(pg_current_snapshot())';
    return (await db.query<{ open: number }>({ name: 'open', text }))[0]?.open === 0;
  });
async function end(how: Parameters<typeof runAll>[1]): Promise<void> {
  await runAll(h, how);
  await settled();
}
const sentIds = () => kbase.stats.map((one) => one.job_id).sort();

it('tell of each job that had started how it ended, and of no other', async () => {
  const ids = idsOf(await submitJobs(h, 2, { job: { app_id: 'demo/run_app' } }));
  const [never, cancelled] = idsOf(await submitJobs(h, 2)) as [string, string];
  await h.engine.finish(alice, never, { errorMessage: 'no', errorCode: null, error: null, output: null });
  await h.engine.cancel(alice, [cancelled], null);
  await end((id) => (id === ids[0] ? 'ok' : 'fail'));
  expect(await open().runOnce()).toBe(2);
  expect(sentIds()).toEqual([...ids].sort());
  const [good, bad] = ids.map((id) => kbase.stats.find((one) => one.job_id === id));
  expect(good).toEqual({
    user_id: 'alice',
    func_module_name: 'demo',
    func_name: 'run',
    git_commit_hash: COMMIT,
    creation_time: expect.any(Number),
    exec_start_time: expect.any(Number),
    finish_time: expect.any(Number),
    is_error: 0,
    job_id: ids[0],
    app_module_name: 'demo',
    app_id: 'demo/run_app',
  });
  expect(bad).toMatchObject({ is_error: 1 });
  expect(good?.finish_time as number).toBeGreaterThan(1.6e9);
  expect(good?.finish_time as number).toBeLessThan(1e11);
});

it('are kept through an outage that no end of a job notices, and sent once when it is over', async () => {
  kbase.fail(LOG, 'html', Number.POSITIVE_INFINITY);
  const statistics = open();
  const ids = idsOf(await submitJobs(h, 5));
  await end(() => 'ok');
  expect(await statistics.runOnce()).toBe(0);
  expect(await statistics.runOnce()).toBe(0);
  expect(kbase.countOf(LOG)).toBe(1);
  for (let hour = 0; hour < 3; hour += 1) {
    clock += 3_600_000;
    await statistics.runOnce();
  }
  expect(statistics.said).toHaveLength(1);
  kbase.faults.clear();
  clock += 3_600_000;
  expect(await statistics.runOnce()).toBe(5);
  expect(await statistics.runOnce()).toBe(0);
  expect(sentIds()).toEqual([...ids].sort());
});

it('are sent by one of several servers', async () => {
  const ids = idsOf(await submitJobs(h, 20));
  await end(() => 'ok');
  kbase.before = () => new Promise((done) => setTimeout(done, 3));
  const sent = await Promise.all([open(), open(), open()].map((server) => server.runOnce()));
  kbase.before = () => {};
  expect(sent.reduce((a, b) => a + b)).toBe(20);
  expect(sentIds()).toEqual([...ids].sort());
});

it('are sent by another server when the one that was at it died, and what it had sent is not sent again', async () => {
  const ids = idsOf(await submitJobs(h, 10));
  await end(() => 'ok');
  let answered = 0;
  kbase.before = () => {
    answered += 1;
    if (answered > 4) kbase.fail(LOG, 'refuse', Number.POSITIVE_INFINITY);
  };
  expect(await open().runOnce()).toBe(4);
  kbase.before = () => {};
  kbase.faults.clear();
  expect(await open().runOnce()).toBe(0);
  await freeClaim();
  expect(await open().runOnce()).toBe(6);
  expect(sentIds()).toEqual([...ids].sort());
});

it('wait while they are refused, as by a wrong token, and a single bad one is passed over in the end', async () => {
  const ids = idsOf(await submitJobs(h, 3)) as [string, string, string];
  await end(() => 'ok');
  kbase.refuseStats = ({ job_id }) => (job_id === ids[0] ? 'this record is odd' : null);
  const statistics = open();
  expect(await statistics.runOnce()).toBe(0);
  clock += 3_599_000;
  expect(await statistics.runOnce()).toBe(0);
  clock += 301_000;
  expect(await statistics.runOnce()).toBe(3);
  expect(sentIds()).toEqual([ids[1], ids[2]].sort());
  expect(statistics.said.at(-1)).toMatch(/passed over/);
});

it('leave a server that stops after the answer it waits for; the next server goes on there', async () => {
  const ids = idsOf(await submitJobs(h, 5));
  await end(() => 'ok');
  const statistics = open();
  kbase.before = () => {
    if (kbase.calls.length === 2) statistics.stop();
  };
  expect(await statistics.runOnce()).toBe(2);
  kbase.before = () => {};
  await freeClaim();
  expect(await open().runOnce()).toBe(3);
  expect(sentIds()).toEqual([...ids].sort());
});

it('go through more events than fit into one reading', async () => {
  const ids = idsOf(await submitJobs(h, 150));
  await end(() => 'ok');
  expect(await open().runOnce()).toBe(150);
  expect(sentIds()).toEqual([...ids].sort());
});
