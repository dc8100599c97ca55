/** What becomes of jobs whose runner did not speak, when their scheduler knows how they ended, why they wait, or nothing. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { DispatchEnd } from '../../src/schedulers/scheduler.js';
import type { Db } from '../../src/store/db.js';
import { startJobs } from '../../src/store/lifecycle.js';
import { openTestDb } from '../support/databases.js';
import {
  admin,
  alice,
  HandScheduler,
  type Harness,
  idsOf,
  openEngine,
  retryIds,
  submitJobs,
} from '../support/engine.js';

let db: Db;
let h: Harness;
beforeAll(async () => {
  db = await openTestDb();
});
afterAll(() => db.close());
beforeEach(() => {
  h = openEngine(db, {}, new HandScheduler());
  // jobs of earlier tests are not to be handed over again
  h.scheduler.free = { ...h.scheduler.free, jobs: 10_000 };
});

const submissionOf = (jobId: string) => [...h.scheduler.given.values()].findLast((one) => one.jobId === jobId)!;
const jobOf = async (id: string) => {
  const found = (await h.engine.find(admin, [id])).get(id);
  return found?.kind === 'job' ? found.job : undefined;
};
async function submitted(): Promise<string> {
  const [id] = idsOf(await submitJobs(h, 1));
  await h.dispatcher.runOnce();
  return id as string;
}
async function started(): Promise<string> {
  const id = await submitted();
  await h.engine.report([{ token: submissionOf(id).token, start: { host: 'here' } }]);
  return id;
}
/** "gone" is believed when it is said twice. */
async function ends(id: string, end: DispatchEnd | null): Promise<void> {
  const { dispatchId } = submissionOf(id);
  if (end === null) h.scheduler.gone.add(dispatchId);
  else h.scheduler.ends.set(dispatchId, end);
  await h.reconciler.runOnce();
  await h.reconciler.runOnce();
}
const closeReasons = async (id: string) => (await h.engine.dispatchesOf(id)).map((one) => one.closeReason);

const TIMEOUT: DispatchEnd = {
  status: 'error',
  failureClass: 'time',
  message: 'it took too long',
  exitCode: null,
  exitSignal: 'SIGTERM',
};
const BROKEN: DispatchEnd = {
  ...TIMEOUT,
  failureClass: 'platform',
  message: 'it could not be launched',
  exitSignal: null,
};
const CANCELED: DispatchEnd = {
  ...TIMEOUT,
  status: 'terminated',
  failureClass: 'user',
  message: 'scancel by somebody',
};

describe('a job that had started', () => {
  it('ends as its scheduler says, with code, class, sentence and exit', async () => {
    const id = await started();
    await ends(id, TIMEOUT);
    expect(await jobOf(id)).toMatchObject({
      status: 'error',
      errorCode: 3,
      failureClass: 'time',
      errormsg: 'it took too long',
      exitSignal: 'SIGTERM',
    });
    expect(await closeReasons(id)).toEqual(['lost']);
  });

  it('ends as a platform failure where nothing is known', async () => {
    const id = await started();
    await ends(id, null);
    expect(await jobOf(id)).toMatchObject({ status: 'error', errorCode: 2, failureClass: 'platform' });
  });

  it('is terminated if it was cancelled at its scheduler, and its log says so', async () => {
    const id = await started();
    await ends(id, CANCELED);
    expect(await jobOf(id)).toMatchObject({ status: 'terminated', failureClass: 'user' });
    expect(await closeReasons(id)).toEqual(['canceled']);
    const { page } = await h.engine.logs(alice, id, 0, 10);
    expect(page.lines.map((line) => line.line)).toEqual(['scancel by somebody']);
  });

  it('waits again only where the operator wants that, and its first runner can change nothing any more', async () => {
    const id = await started();
    const { token } = submissionOf(id);
    await ends(id, { ...BROKEN, again: true });
    expect(await jobOf(id)).toMatchObject({ status: 'created' });
    await h.dispatcher.runOnce();
    const finish = { exit_code: 0, exit_signal: null, output: '1', peak_memory_mb: null, cpu_seconds: null };
    const [answer] = await h.engine.report([{ token, finish }]);
    expect(answer).toMatchObject({ ok: false, canceled: true });
    const { token: second } = submissionOf(id);
    await h.engine.report([{ token: second, start: { host: 'there' }, finish, gone: true }]);
    expect(await jobOf(id)).toMatchObject({ status: 'completed' });
    expect(await closeReasons(id)).toEqual(['lost', 'finished']);
  });

  it('waits again from estimating too, as another runner has it, and goes on as a new one', async () => {
    const id = await submitted();
    await db.transaction((tx) => startJobs(tx, [{ job_id: id, host: null, estimating: true, actor: null }]));
    expect(await jobOf(id)).toMatchObject({ status: 'estimating', estimatingAt: expect.any(Date) });
    await ends(id, { ...BROKEN, again: true });
    expect(await jobOf(id)).toMatchObject({ status: 'created', estimatingAt: null });
    expect(await closeReasons(id)).toEqual(['lost']);
    await h.dispatcher.runOnce();
    expect(await jobOf(id)).toMatchObject({ status: 'queued' });
  });

  it('keeps the end that its runner told in between', async () => {
    const id = await started();
    h.scheduler.ends.set(submissionOf(id).dispatchId, TIMEOUT);
    await h.reconciler.runOnce();
    const finish = { exit_code: 0, exit_signal: null, output: '1', peak_memory_mb: null, cpu_seconds: null };
    await h.engine.report([{ token: submissionOf(id).token, finish }]);
    await h.reconciler.runOnce();
    expect(await jobOf(id)).toMatchObject({ status: 'completed' });
    expect(await closeReasons(id)).toEqual(['finished']);
  });
});

describe('a job that had not started', () => {
  it('waits again, and after three ends without a beginning it is told why', async () => {
    const id = await submitted();
    for (const turn of [1, 2]) {
      await ends(id, BROKEN);
      expect(await jobOf(id)).toMatchObject({ status: 'created' });
      expect(await closeReasons(id)).toHaveLength(turn);
      await h.dispatcher.runOnce();
    }
    await ends(id, BROKEN);
    expect(await jobOf(id)).toMatchObject({ status: 'error', errorCode: 2, errormsg: 'it could not be launched' });
    expect(await closeReasons(id)).toEqual(['lost', 'lost', 'lost']);
  });

  it('waits again as often as it is forgotten', async () => {
    const id = await submitted();
    for (let turn = 0; turn < 4; turn += 1) {
      await ends(id, null);
      expect(await jobOf(id)).toMatchObject({ status: 'created' });
      await h.dispatcher.runOnce();
    }
  });

  it('is terminated if it was cancelled at its scheduler', async () => {
    const id = await submitted();
    await ends(id, CANCELED);
    expect(await jobOf(id)).toMatchObject({ status: 'terminated' });
    expect(await closeReasons(id)).toEqual(['canceled']);
  });

  it('says why it waits as long as its scheduler says it, and no longer', async () => {
    const id = await submitted();
    const { dispatchId } = submissionOf(id);
    h.scheduler.reasons.set(dispatchId, 'Slurm: JobHeldUser');
    await h.reconciler.runOnce();
    expect(await jobOf(id)).toMatchObject({ status: 'queued', waitReason: 'Slurm: JobHeldUser' });
    h.scheduler.reasons.delete(dispatchId);
    await h.reconciler.runOnce();
    expect(await jobOf(id)).toMatchObject({ status: 'queued', waitReason: null });
  });
});

describe('a scheduler that takes nothing', () => {
  it('tells all its waiting jobs why, also those that come later, and takes it back', async () => {
    const room = h.scheduler.free;
    h.scheduler.free = { ...room, jobs: 0, reason: 'slurmctld is down' };
    const [first] = idsOf(await submitJobs(h, 3));
    await h.dispatcher.runOnce();
    const [second] = idsOf(await submitJobs(h, 1));
    await h.dispatcher.runOnce();
    for (const id of [first!, second!]) {
      expect(await jobOf(id)).toMatchObject({ status: 'created', waitReason: 'slurmctld is down' });
    }
    h.scheduler.free = { ...room, jobs: 1 };
    h.scheduler.next = 'full';
    await h.dispatcher.runOnce();
    const reasons = [(await jobOf(first!))?.waitReason, (await jobOf(second!))?.waitReason];
    expect(reasons).toEqual(['the local scheduler is full', null]);
  });

  it('does not tell a retry that waits for the processes of its predecessor', async () => {
    const id = await started();
    await h.engine.cancel(alice, [id], null);
    const retried = (await retryIds(h, [id])).receipts[0]!.retry_id as string;
    await h.reconciler.runOnce();
    h.scheduler.free = { ...h.scheduler.free, jobs: 0, reason: 'slurmctld is down' };
    await h.dispatcher.runOnce();
    expect((await jobOf(retried))?.waitReason).toMatch(/^waiting until the processes of its predecessor/);
  });
});

describe('a submission whose scheduler does not answer', () => {
  it('keeps its dispatch, and its job says what is awaited', async () => {
    h.scheduler.next = 'unknown';
    const id = await submitted();
    expect(await jobOf(id)).toMatchObject({ status: 'created', waitReason: 'the local scheduler did not answer' });
    expect(await closeReasons(id)).toEqual([null]);
  });
});
