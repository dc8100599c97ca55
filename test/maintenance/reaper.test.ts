import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createReaper } from '../../src/maintenance/reaper.js';
import { createExternalScheduler } from '../../src/schedulers/external.js';
import { type Db, statement } from '../../src/store/db.js';
import { databases } from '../support/databases.js';
import {
  alice,
  HandScheduler,
  type Harness,
  idsOf,
  openEngine,
  retryIds,
  statusOf,
  submitJobs,
} from '../support/engine.js';

const age = statement(
  'test_age_dispatch',
  `update dispatches set seen_at = now() - interval '2 hours' where job_id = $1::text`,
);
const queue = statement(
  'test_age_queued',
  `update jobs set queued_at = now() - interval '16 days' where job_id = $1::text`,
);
const forget = statement(
  'test_forget_dispatch',
  `update dispatches set closed_at = now(), close_reason = 'lost' where job_id = $1::text`,
);
const old = statement(
  'test_age_created',
  `update jobs set created_at = now() - interval '1 year' where job_id = $1::text`,
);

/** As Slurm: any server may ask it. */
class SharedScheduler extends HandScheduler {
  override readonly host = null as never;
}

const LIMITS = { queuedMs: 15 * 86_400_000, leaseMs: 3_600_000 };

describe.each(databases)('the reaper on $name', ({ open }) => {
  let db: Db;
  let h: Harness;
  let shared: SharedScheduler;
  let clock = 0;
  beforeAll(async () => {
    db = await open();
  });
  afterAll(() => db.close());
  beforeEach(() => {
    shared = new SharedScheduler();
    h = openEngine(db, { schedulers: new Map([['local', shared]]), schedulerFor: () => shared });
    clock = 0;
  });
  /** Has been listening for longer than a lease. */
  async function listening() {
    const reaper = createReaper(h.ctx, LIMITS, () => clock);
    for (; clock <= LIMITS.leaseMs; clock += 60_000) await reaper.runOnce();
    return reaper;
  }
  const tokenOf = (jobId: string) => [...shared.given.values()].find((s) => s.jobId === jobId)!.token;
  async function started() {
    const [id] = idsOf(await submitJobs(h, 1));
    await h.dispatcher.runOnce();
    await h.engine.report([{ token: tokenOf(id!), start: { host: 'n1' } }]);
    return id!;
  }

  it('ends a started job whose runner was silent for a lease, and asks the scheduler to end what may still run', async () => {
    const id = await started();
    const reaper = await listening();
    await db.query(age, [id]);
    expect(await reaper.runOnce()).toBe(1);
    const found = (await h.engine.find(alice, [id])).get(id);
    expect(found).toMatchObject({ job: { status: 'error', failureClass: 'platform' } });
    expect([...shared.canceled]).toEqual([...shared.given.keys()]);
    // until the scheduler says that it is gone, a retry waits, and says why
    const [receipt] = (await retryIds(h, [id])).receipts;
    await h.dispatcher.runOnce();
    await h.reconciler.runOnce();
    const retry = (await h.engine.find(alice, [receipt!.retry_id!])).get(receipt!.retry_id!);
    expect(retry).toMatchObject({
      job: { status: 'created', waitReason: `waiting until the processes of its predecessor ${id} are gone` },
    });
    for (const dispatch of shared.given.keys()) shared.gone.add(dispatch);
    await h.reconciler.runOnce();
    await h.reconciler.runOnce();
    await h.dispatcher.runOnce();
    expect(await statusOf(h, receipt!.retry_id!)).toBe('queued');
  });

  it('believes no silence before it has itself listened for a lease without a break', async () => {
    const id = await started();
    await db.query(age, [id]);
    const reaper = createReaper(h.ctx, LIMITS, () => clock);
    await reaper.runOnce();
    clock += LIMITS.leaseMs + 1;
    // the machine slept: the break begins the lease anew
    await reaper.runOnce();
    expect(await statusOf(h, id)).toBe('running');
    for (let turn = 0; turn <= 60; turn += 1) {
      clock += 60_000;
      await reaper.runOnce();
    }
    expect(await statusOf(h, id)).toBe('error');
  });

  it('leaves a silent runner alone whose report came in meanwhile', async () => {
    const id = await started();
    const reaper = await listening();
    await db.query(age, [id]);
    await h.engine.report([{ token: tokenOf(id) }]);
    expect(await reaper.runOnce()).toBe(0);
    expect(await statusOf(h, id)).toBe('running');
  });

  it('counts those days from the last time when the job was handed over', async () => {
    const [id] = idsOf(await submitJobs(h, 1));
    await h.dispatcher.runOnce();
    await db.query(queue, [id!]);
    const [lost] = [...shared.given.values()].filter(({ jobId }) => jobId === id);
    shared.gone.add(lost!.dispatchId);
    await h.reconciler.runOnce();
    await h.reconciler.runOnce();
    expect(await statusOf(h, id!)).toBe('created');
    await h.dispatcher.runOnce();
    await createReaper(h.ctx, LIMITS, () => clock).runOnce();
    expect(await statusOf(h, id!)).toBe('queued');
  });

  it('ends a job that its scheduler had for 15 days, and never one that only waits to be handed over', async () => {
    const [queued] = idsOf(await submitJobs(h, 1));
    await h.dispatcher.runOnce();
    shared.free = { ...shared.free, jobs: 0 };
    const [waiting] = idsOf(await submitJobs(h, 1));
    await db.query(queue, [queued!]);
    await db.query(old, [waiting!]);
    const reaper = await listening();
    await reaper.runOnce();
    expect((await h.engine.find(alice, [queued!])).get(queued!)).toMatchObject({
      job: { status: 'error', errormsg: 'the scheduler local had the job for 15 days and did not start it' },
    });
    expect(await statusOf(h, waiting!)).toBe('created');
  });

  it('lets a queued job wait again that no scheduler has', async () => {
    const [id] = idsOf(await submitJobs(h, 1));
    await h.dispatcher.runOnce();
    await db.query(forget, [id!]);
    await createReaper(h.ctx, LIMITS, () => clock).runOnce();
    expect(await statusOf(h, id!)).toBe('created');
  });

  it("never ends a job of somebody else's worker for silence: such a worker need not know a heartbeat", async () => {
    const external = createExternalScheduler();
    h = openEngine(db, { schedulers: new Map([['external', external]]), schedulerFor: () => external });
    const [id] = idsOf(await submitJobs(h, 1));
    await h.dispatcher.runOnce();
    await h.engine.start(alice, id!, true);
    const reaper = await listening();
    await db.query(age, [id!]);
    await reaper.runOnce();
    expect(await statusOf(h, id!)).toBe('running');
    expect(await h.engine.dispatchesOf(id!)).toMatchObject([{ closeReason: null }]);
  });

  it('says of a job whose scheduler no server here has what it waits for', async () => {
    const [id] = idsOf(await submitJobs(h, 1));
    const other = createExternalScheduler();
    const elsewhere = openEngine(db, { schedulers: new Map([['external', other]]), schedulerFor: () => other });
    await elsewhere.reconciler.runOnce();
    expect((await h.engine.find(alice, [id!])).get(id!)).toMatchObject({
      job: { status: 'created', waitReason: 'waiting for a server with the scheduler local' },
    });
  });
});
