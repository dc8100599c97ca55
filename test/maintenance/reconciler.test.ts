import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Db } from '../../src/store/db.js';
import { openTestDb } from '../support/databases.js';
import { alice, DONE, type Harness, idsOf, openEngine, statusOf, submitJobs } from '../support/engine.js';

let db: Db;
let h: Harness;
beforeAll(async () => {
  db = await openTestDb();
});
afterAll(() => db.close());
beforeEach(() => {
  h = openEngine(db);
});

const submissionOf = (jobId: string) => [...h.scheduler.given.values()].find((s) => s.jobId === jobId)!;

describe('the dispatcher', () => {
  it('hands over in turns between owners: ten thousand jobs of one do not starve one of another', async () => {
    await submitJobs(h, 2000);
    const [late] = idsOf(await submitJobs(h, 1, { actor: { ...alice, user: 'zoe' } }));
    h.scheduler.free = { ...h.scheduler.free, jobs: 10, cpus: 10 };
    await h.dispatcher.runOnce().catch(() => {});
    const order = [...h.scheduler.given.values()].map((submission) => submission.jobId);
    expect(order.indexOf(late!)).toBeGreaterThanOrEqual(0);
    expect(order.indexOf(late!)).toBeLessThan(3);
    h.scheduler.free = { ...h.scheduler.free, jobs: 10_000, cpus: 10_000 };
    await h.dispatcher.runOnce();
  });

  it('records a rejection as an error of class submission, with the reason', async () => {
    const [id] = idsOf(await submitJobs(h, 1));
    h.scheduler.next = 'rejected';
    await h.dispatcher.runOnce();
    expect((await h.engine.find(alice, [id!])).get(id!)).toMatchObject({
      job: {
        status: 'error',
        errorCode: 6,
        failureClass: 'submission',
        errormsg: 'Cannot submit to local because it was told to',
      },
    });
  });

  it('leaves jobs waiting with a reason while the scheduler is full', async () => {
    const [id] = idsOf(await submitJobs(h, 1));
    h.scheduler.next = 'full';
    await h.dispatcher.runOnce();
    expect((await h.engine.find(alice, [id!])).get(id!)).toMatchObject({
      job: { status: 'created', waitReason: 'the local scheduler is full' },
    });
    h.scheduler.next = 'accepted';
    await h.dispatcher.runOnce();
    expect(await statusOf(h, id!)).toBe('queued');
  });
});

describe('a scheduler that runs what it says that it did not take', () => {
  it.each(['full', 'rejected'] as const)('is believed by its process, not by its answer: %s', async (said) => {
    const [id] = idsOf(await submitJobs(h, 1));
    const answer = h.scheduler.submitMany.bind(h.scheduler);
    h.scheduler.submitMany = async (submissions) => {
      await h.engine.report(submissions.map(({ token }) => ({ token, start: { host: 'n1' } })));
      h.scheduler.next = 'accepted';
      const taken = await answer(submissions);
      return taken.map((one) => ({ ...one, outcome: said, schedulerId: null }));
    };
    await h.dispatcher.runOnce();
    expect(await statusOf(h, id!)).toBe('running');
    expect((await h.engine.dispatchesOf(id!)).map(({ closeReason }) => closeReason)).toEqual([null]);
    await h.reconciler.runOnce();
    await h.reconciler.runOnce();
    await h.engine.report([{ token: submissionOf(id!).token, finish: DONE, gone: true }]);
    expect(await statusOf(h, id!)).toBe('completed');
  });
});

describe('the reconciler', () => {
  it('adopts a submission whose answer was lost, and never submits it again', async () => {
    h.scheduler.next = 'unknown';
    const [id] = idsOf(await submitJobs(h, 1));
    await h.dispatcher.runOnce();
    expect(await statusOf(h, id!)).toBe('created');
    await h.reconciler.runOnce();
    expect(await statusOf(h, id!)).toBe('queued');
    expect(await h.engine.dispatchesOf(id!)).toHaveLength(1);
  });

  it('lets a job wait again whose dispatch no scheduler knows', async () => {
    const [id] = idsOf(await submitJobs(h, 1));
    await h.dispatcher.runOnce();
    h.scheduler.given.delete(submissionOf(id!).dispatchId);
    await h.reconciler.runOnce();
    expect(await statusOf(h, id!)).toBe('queued');
    await h.reconciler.runOnce();
    expect(await statusOf(h, id!)).toBe('created');
  });

  it('does nothing while the scheduler can not be asked', async () => {
    const [id] = idsOf(await submitJobs(h, 1));
    await h.dispatcher.runOnce();
    h.scheduler.gone.add(submissionOf(id!).dispatchId);
    h.scheduler.down = true;
    await expect(h.reconciler.runOnce()).rejects.toThrow('does not answer');
    expect(await statusOf(h, id!)).toBe('queued');
  });

  it('cancels again what runs for a job that has ended', async () => {
    const [id] = idsOf(await submitJobs(h, 1));
    await h.dispatcher.runOnce();
    await h.engine.report([{ token: submissionOf(id!).token, start: { host: 'here' } }]);
    await h.engine.cancel(alice, [id!], null);
    h.scheduler.canceled.clear();
    await h.reconciler.runOnce();
    expect(h.scheduler.canceled.has(submissionOf(id!).dispatchId)).toBe(true);
  });
});
