/** Calls that meet: nothing is claimed, ended or linked twice, and nobody waits for ever. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawJson } from '../../src/contract/raw-json.js';
import { type Db, statement } from '../../src/store/db.js';
import { openTestDb } from '../support/databases.js';
import {
  admin,
  alice,
  HandScheduler,
  type Harness,
  idsOf,
  newBatch,
  openEngine,
  retryIds,
  runAll,
  submitJobs,
} from '../support/engine.js';

let db: Db;
beforeAll(async () => {
  db = await openTestDb();
});
afterAll(() => db.close());

const countDispatches = statement<{ jobs: number; dispatches: number; hosts: number }>(
  'test_count_dispatches',
  `
  select
    count(distinct job_id) as jobs, count(*) as dispatches, count(distinct scheduler_host) as hosts
  from dispatches
  where job_id = any($1::text[])`,
);
const countDeadlocks = statement<{ deadlocks: number }>(
  'test_count_deadlocks',
  'select deadlocks from pg_stat_database where datname = current_database()',
);
const ended = { failure_class: 'app', error_message: 'it broke', exit_code: 3, exit_signal: null } as const;
const usage = { output: null, peak_memory_mb: null, cpu_seconds: null };

describe('two dispatchers', () => {
  it('hand every job over once, and none stops while there is room', async () => {
    const machines = ['left', 'right'].map((host) => openEngine(db, {}, new HandScheduler(`${host}-dispatchers`)));
    const ids = idsOf(await submitJobs(machines[0]!, 1500));
    for (const { scheduler } of machines) scheduler.free = { ...scheduler.free, jobs: 90 };
    const handed = await Promise.all(
      machines.map(async (h) => {
        // room for ninety at a time, as slots become free, until nothing is left
        let sum = 0;
        for (let round = 1; round > 0; sum += round) round = await h.dispatcher.runOnce();
        return sum;
      }),
    );
    expect(handed.reduce((sum, count) => sum + count)).toBe(1500);
    const [counted] = await db.query(countDispatches, [ids]);
    expect(counted).toMatchObject({ jobs: 1500, dispatches: 1500 });
    const given = machines.flatMap((h) => [...h.scheduler.given.values()].map((one) => one.jobId));
    expect(given.toSorted()).toEqual(ids.toSorted());
    for (const h of machines) await runAll(h, () => 'ok');
  });
});

describe('reports, cancels and outcomes of the same jobs at once', () => {
  it('come to one end each, without a deadlock', async () => {
    const h = openEngine(db, {}, new HandScheduler('at-once'));
    const before = db.kind === 'postgres' ? (await db.query(countDeadlocks))[0]?.deadlocks : 0;
    for (let round = 0; round < 6; round += 1) await oneRound(h, round);
    const after = db.kind === 'postgres' ? (await db.query(countDeadlocks))[0]?.deadlocks : 0;
    expect(after).toBe(before);
  });

  async function oneRound(h: Harness, round: number): Promise<void> {
    const { batch_id: batchId, items } = await submitJobs(h, 60, { target: newBatch });
    const ids = items.map((item) => item.job_id as string);
    const shuffled = ids.toSorted((a, b) => ((a > b ? 1 : -1) * (round % 2 === 0 ? -1 : 1)) as number);
    await h.dispatcher.runOnce();
    const mine = [...h.scheduler.given.values()].filter((one) => ids.includes(one.jobId));
    const tokens = shuffled.map((id) => mine.find((one) => one.jobId === id)!.token);
    const answers = await Promise.all([
      h.engine.report(tokens.map((token) => ({ token, start: { host: 'here' } }))),
      h.engine.cancel(alice, [batchId!], null),
      h.engine.report(tokens.toReversed().map((token) => ({ token, finish: { ...ended, ...usage }, gone: true }))),
      h.engine.cancel(alice, shuffled.slice(0, 30), null),
      h.reconciler.runOnce(),
      retryIds(h, shuffled),
    ]);
    expect(answers).toHaveLength(6);
    for (const { dispatchId } of mine) h.scheduler.gone.add(dispatchId);
    const jobs = await h.engine.find(admin, ids);
    const statuses = [...jobs.values()].map((one) => (one.kind === 'job' ? one.job.status : 'none'));
    for (const status of statuses) expect(['error', 'terminated']).toContain(status);
    await h.engine.cancel(alice, [batchId!], null);
  }
});

describe('submissions with the same new inputs in different order', () => {
  it('store them once and do not wait for each other in a circle', async () => {
    const h = openEngine(db, {}, new HandScheduler('inputs'));
    const jobs = Array.from({ length: 300 }, (_, n) => ({
      method: 'demo.run',
      params: new RawJson(JSON.stringify(`the same ${n}`)),
    }));
    const submit = (some: typeof jobs, n: number) =>
      h.engine.submit(alice, {
        jobs: some,
        target: { kind: 'jobs' },
        allOrNothing: false,
        dryRun: false,
        repeat: { operation: 'submit', requestId: undefined, body: String(n) },
      });
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, n) => submit(n % 2 === 0 ? jobs : jobs.toReversed(), n)),
    );
    expect(results.map((result) => result.accepted)).toEqual(Array(8).fill(300));
  });
});

describe('sixteen callers', () => {
  it('make one retry of each of fifty lineages, whichever of its ids they name', async () => {
    const machines = ['left', 'right'].map((host) => openEngine(db, {}, new HandScheduler(`${host}-retries`)));
    const [one] = machines as [Harness, Harness];
    const roots = idsOf(await submitJobs(one, 50));
    await runAll(one, () => 'fail');
    const first = await retryIds(one, roots);
    await runAll(one, () => 'fail');
    const heads = first.receipts.map((receipt) => receipt.retry_id as string);
    const results = await Promise.all(
      Array.from({ length: 16 }, (_, n) =>
        retryIds(machines[n % 2]!, n % 3 === 0 ? roots : n % 3 === 1 ? heads : heads.toReversed()),
      ),
    );
    const accepted = results.flatMap((result) => result.receipts).filter((receipt) => receipt.accepted);
    expect(accepted).toHaveLength(50);
    expect(new Set(accepted.map((receipt) => receipt.root_id)).size).toBe(50);
    expect(new Set(accepted.map((receipt) => receipt.retry_number))).toEqual(new Set([2]));
    const late = results.flatMap((result) => result.receipts).filter((receipt) => !receipt.accepted);
    expect(new Set(late.map((receipt) => receipt.code))).toEqual(new Set(['IN_FLIGHT']));
  });
});
