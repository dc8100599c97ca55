/** Any interleaving of run, finish, fail, cancel, retry and bulk retry keeps the books (docs/architecture.md, invariants). */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isTerminal, type Status } from '../../src/contract/status.js';
import type { JobRecord } from '../../src/engine/engine.js';
import type { Db } from '../../src/store/db.js';
import { openTestDb } from '../support/databases.js';
import {
  admin,
  alice,
  eventsSettled,
  type Harness,
  idsOf,
  newBatch,
  openEngine,
  retryBatch,
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

type Step =
  | { kind: 'run'; failing: number }
  | { kind: 'start' }
  | { kind: 'cancel'; at: number }
  | { kind: 'retry'; at: readonly number[] }
  | { kind: 'retryBatch'; states: readonly Status[] }
  | { kind: 'retryTwice'; at: number }
  | { kind: 'cancelBatch' }
  | { kind: 'extend' }
  | { kind: 'lose' };

const at = fc.nat({ max: 30 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('run' as const), failing: fc.nat({ max: 7 }) }),
  fc.record({ kind: fc.constant('start' as const) }),
  fc.record({ kind: fc.constant('cancel' as const), at }),
  fc.record({ kind: fc.constant('retry' as const), at: fc.array(at, { minLength: 1, maxLength: 6 }) }),
  fc.record({
    kind: fc.constant('retryBatch' as const),
    states: fc.subarray<Status>(['error', 'terminated', 'completed', 'running'], { minLength: 1 }),
  }),
  fc.record({ kind: fc.constant('retryTwice' as const), at }),
  fc.record({ kind: fc.constant('cancelBatch' as const) }),
  fc.record({ kind: fc.constant('extend' as const) }),
  fc.record({ kind: fc.constant('lose' as const) }),
);

async function allJobs(batchId: string): Promise<JobRecord[]> {
  const found = (await h.engine.find(admin, [batchId])).get(batchId);
  if (found?.kind !== 'batch') throw new Error('the batch is gone');
  const jobs = await h.engine.find(admin, found.batch.childIds);
  return [...jobs.values()].flatMap((job) => (job.kind === 'job' ? [job.job] : []));
}

async function carryOut(step: Step, batchId: string): Promise<void> {
  const jobs = await allJobs(batchId);
  const pick = (index: number) => jobs[index % jobs.length]!.jobId;
  if (step.kind === 'run') {
    // which jobs fail differs from step to step and from job to job
    const bit = (id: string) => Number.parseInt(id.slice(-1), 16) & 7;
    await runAll(h, (id) => ((bit(id) ^ step.failing) % 2 === 0 ? 'ok' : 'fail'));
  } else if (step.kind === 'start') {
    await h.dispatcher.runOnce();
    const open = [...h.scheduler.given.values()].filter((s) => !h.scheduler.gone.has(s.dispatchId));
    await h.engine.report(open.map(({ token }) => ({ token, start: { host: 'here' } })));
  } else if (step.kind === 'cancel') await h.engine.cancel(alice, [pick(step.at)], null);
  else if (step.kind === 'retry') await retryIds(h, step.at.map(pick));
  else if (step.kind === 'retryBatch') await retryBatch(h, batchId, step.states);
  else if (step.kind === 'retryTwice') {
    await Promise.all([retryIds(h, [pick(step.at)]), retryBatch(h, batchId, ['error']), retryIds(h, [pick(step.at)])]);
  } else if (step.kind === 'cancelBatch') await h.engine.cancel(alice, [batchId], null);
  else if (step.kind === 'extend') {
    await submitJobs(h, 1, { target: { kind: 'extend', batchId } }).catch((error: { code?: string }) => {
      expect(error.code).toBe('BATCH_CANCELLED');
    });
  } else {
    for (const id of h.scheduler.given.keys()) h.scheduler.gone.add(id);
    await h.reconciler.runOnce();
    await h.reconciler.runOnce();
  }
}

async function checkBooks(batchId: string): Promise<void> {
  const jobs = await allJobs(batchId);
  const lineages = new Map<string, JobRecord[]>();
  for (const job of jobs) lineages.set(job.rootId, [...(lineages.get(job.rootId) ?? []), job]);
  const heads: JobRecord[] = [];
  for (const [rootId, unordered] of lineages) {
    const line = unordered.toSorted((a, b) => a.retryNumber - b.retryNumber);
    expect(line.map((job) => job.retryNumber)).toEqual(line.map((_, index) => index));
    expect(line[0]!.jobId).toBe(rootId);
    expect(line.map((job) => job.supersededBy)).toEqual([...line.slice(1).map((job) => job.jobId), null]);
    expect(line.slice(0, -1).every((job) => ['error', 'terminated'].includes(job.status))).toBe(true);
    expect(line.filter((job) => !isTerminal(job.status)).length).toBeLessThanOrEqual(1);
    expect(line.map((job) => job.jobId)).toEqual(line.map((job) => job.jobId).sort());
    expect(new Set(line.map((job) => `${job.appCommit} ${job.params} ${job.inputKey}`)).size).toBe(1);
    for (const job of line) expect(job.retryIds).toEqual(line.slice(1).map((retry) => retry.jobId));
    heads.push(line.at(-1)!);
  }
  const { items, retries, counts } = await h.engine.batch(admin, batchId);
  expect(items).toBe(heads.length);
  expect(retries).toBe(jobs.length - heads.length);
  for (const [status, count] of Object.entries(counts)) {
    expect(count).toBe(heads.filter((head) => head.status === status).length);
  }
}

/** Each event of a job's life continues from the status the one before left. */
async function checkEvents(batchId: string): Promise<void> {
  await eventsSettled(h);
  const { items } = await h.engine.listEvents(admin, { jobId: null, batchId, after: null, limit: 100_000 });
  const statusAfter: Record<string, Status> = {
    'job.created': 'created',
    'job.queued': 'queued',
    'job.started': 'running',
    'job.completed': 'completed',
    'job.failed': 'error',
    'job.terminated': 'terminated',
    'job.requeued': 'created',
  };
  const now = new Map<string, Status>();
  for (const event of items) {
    const next = statusAfter[event.kind];
    if (event.job_id === null || next === undefined) continue;
    const { previous_status: previous } = event.payload.parse() as { previous_status?: Status };
    expect(previous, `${event.kind} of ${event.job_id}`).toBe(now.get(event.job_id));
    now.set(event.job_id, next);
  }
  for (const job of await allJobs(batchId)) expect(now.get(job.jobId)).toBe(job.status);
}

describe('the books', () => {
  it('are whole after any interleaving of run, fail, cancel, retry, bulk retry and loss', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), async (steps) => {
        const { batch_id: batchId, items } = await submitJobs(h, 5, { target: newBatch });
        expect(items).toHaveLength(5);
        for (const one of steps) await carryOut(one, batchId!);
        await checkBooks(batchId!);
        await checkEvents(batchId!);
      }),
      { numRuns: 40 },
    );
  });

  it('answer the bulk and the single path with the same verdict on the same job', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 8 }), async (steps) => {
        const { batch_id: batchId } = await submitJobs(h, 4, { target: newBatch });
        for (const one of steps) await carryOut(one, batchId!);
        const jobs = await allJobs(batchId!);
        for (const job of jobs) {
          const [bulk] = (await retryIds(h, [job.jobId, 'other'], { dryRun: true })).receipts;
          const [single] = (await retryIds(h, [job.jobId], { dryRun: true })).receipts;
          expect(bulk).toEqual(single);
        }
      }),
      { numRuns: 15 },
    );
  });
});

it('submits a job whose id is larger than every id before it', async () => {
  const ids = idsOf(await submitJobs(h, 500));
  expect(ids).toEqual([...ids].sort());
});
