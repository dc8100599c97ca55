/** A runner that has done its job goes on with another that waits at its scheduler as a task of the same array. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { WorkerAnswer } from '../../src/contract/worker.js';
import type { DispatchRef, Submission } from '../../src/schedulers/scheduler.js';
import { type Db, statement } from '../../src/store/db.js';
import { findOpenDispatches } from '../../src/store/dispatches.js';
import { openTestDb } from '../support/databases.js';
import { alice, HandScheduler, type Harness, idsOf, openEngine, statusOf, submitJobs } from '../support/engine.js';
import { until } from '../support/until.js';

/** All that is handed over at once is one array. */
class ArrayScheduler extends HandScheduler {
  readonly polled: (readonly DispatchRef[])[] = [];
  readonly takenBack: DispatchRef[] = [];
  plan(submissions: readonly Submission[]) {
    return submissions.map((_, at) => `reprise-${submissions[0]?.dispatchId}/${at}`);
  }
  goesOn(name: string) {
    return { names: name.replace(/\d+$/, ''), reasons: ['its turn'] };
  }
  onPoll: (refs: readonly DispatchRef[]) => Promise<void> = async () => {};
  override async poll(refs: readonly DispatchRef[]) {
    this.polled.push(refs);
    await this.onPoll(refs);
    return super.poll(refs);
  }
  override async cancel(refs: readonly DispatchRef[]) {
    this.takenBack.push(...refs);
  }
}

let db: Db;
let h: Harness;
let scheduler: ArrayScheduler;
beforeAll(async () => {
  db = await openTestDb();
});
afterAll(() => db.close());
beforeEach(async () => {
  // what earlier tests left waiting is of their schedulers
  scheduler = new ArrayScheduler(`hand-${Math.random()}`);
  h = openEngine(db, {}, scheduler);
});

interface Mine {
  readonly jobId: string;
  readonly dispatchId: string;
  readonly token: string;
  readonly name: string;
}

async function handOver(count: number): Promise<Mine[]> {
  const ids = idsOf(await submitJobs(h, count));
  await h.dispatcher.runOnce();
  const given = [...scheduler.given.values()];
  return ids.map((jobId) => {
    const { dispatchId, token, name } = given.find((one) => one.jobId === jobId) as Submission;
    return { jobId, dispatchId, token, name: name as string };
  });
}

const GOOD = { exit_code: 0, exit_signal: null, output: '1', peak_memory_mb: 1, cpu_seconds: 1 };
const say = async (token: string, report: object) => (await h.engine.report([{ token, ...report }]))[0] as WorkerAnswer;
const begin = ({ token }: Mine, run = 'r1') => say(token, { start: { host: 'node1', run } });
const over = (token: string, run: string, more: object = {}) =>
  say(token, { finish: GOOD, gone: true, next: { host: 'node1', run, ...more } });
const dispatchOf = async (jobId: string) => (await h.engine.dispatchesOf(jobId)).at(-1);

const schedulerId = ({ dispatchId }: Mine) => `h-${dispatchId}`;

it('is given one that waits, started, as a task of its own: the scheduler is asked about that from now on', async () => {
  const [mine, other] = (await handOver(2)) as [Mine, Mine];
  await begin(mine);
  const { next } = await over(mine.token, 'r2');
  expect(next).toMatchObject({
    dispatch_id: other.dispatchId,
    answer: { ok: true, canceled: false, status: 'running', job: { job_id: other.jobId, command: ['true'] } },
  });
  expect(await dispatchOf(other.jobId)).toMatchObject({ schedulerId: schedulerId(mine), closedAt: null });
  await h.reconciler.runOnce();
  expect(scheduler.polled.at(-1)).toEqual([
    { dispatchId: other.dispatchId, name: mine.name, schedulerId: schedulerId(mine) },
  ]);
  // its own task is not needed any more
  const was = { dispatchId: other.dispatchId, name: other.name, schedulerId: schedulerId(other) };
  await until('the task to be taken back', async () => scheduler.takenBack.length > 0);
  expect(scheduler.takenBack).toEqual([was]);
  // and one that had begun all the same is refused
  expect(await begin(other, 'its own')).toMatchObject({ ok: false, error: { code: 'CONFLICT' } });
  const token = next?.token as string;
  expect(await say(token, { finish: GOOD, gone: true })).toMatchObject({ ok: true, status: 'completed' });
  expect([await statusOf(h, mine.jobId), await statusOf(h, other.jobId)]).toEqual(['completed', 'completed']);
});

it('goes on and on, and in the end there is nothing', async () => {
  const jobs = await handOver(4);
  await begin(jobs[0] as Mine);
  let token = jobs[0]?.token as string;
  const carried: string[] = [];
  for (let turn = 0; ; turn += 1) {
    const { next } = await over(token, `r${turn}`);
    if (next === undefined) break;
    carried.push(next.answer.job?.job_id as string);
    token = next.token;
  }
  expect(carried.sort()).toEqual(jobs.slice(1).map(({ jobId }) => jobId));
  expect(await findOpenDispatches(db, 'local', scheduler.host)).toEqual([]);
});

it('asks again after a lost answer and is given the same; too late, it is given nothing else', async () => {
  const [mine] = (await handOver(3)) as [Mine, Mine, Mine];
  await begin(mine);
  const first = await over(mine.token, 'r2');
  const again = await over(mine.token, 'r2');
  expect(again.next).toMatchObject({ dispatch_id: first.next?.dispatch_id, answer: { ok: true } });
  expect(again.next?.answer.job).toEqual(first.next?.answer.job);
  expect((await over(mine.token, 'r2', { only_given: true })).next?.dispatch_id).toBe(first.next?.dispatch_id);
  // another run of the same task, which Slurm may begin
  expect((await over(mine.token, 'other run')).next).toBeUndefined();
  const token = first.next?.token as string;
  expect((await over(token, 'r3', { only_given: true })).next).toBeUndefined();
});

it('many at once are given different ones', async () => {
  const jobs = await handOver(40);
  const runners = jobs.slice(0, 20);
  await h.engine.report(runners.map(({ token }, at) => ({ token, start: { host: 'node1', run: `r${at}` } })));
  const answers = await Promise.all(runners.map(({ token }, at) => over(token, `next ${at}`)));
  // who finds another's hand on one looks at the next
  const given = answers.flatMap(({ next }) => next?.dispatch_id ?? []);
  expect(new Set(given).size).toBe(given.length);
  expect(given.length).toBeGreaterThan(10);
  const waiting = jobs.slice(20).map(({ dispatchId }) => dispatchId);
  expect(given.filter((id) => !waiting.includes(id))).toEqual([]);
});

it('several in one call are given different ones', async () => {
  const jobs = await handOver(4);
  const runners = jobs.slice(0, 2);
  await h.engine.report(runners.map(({ token }, at) => ({ token, start: { host: 'node1', run: `r${at}` } })));
  const answers = await h.engine.report(
    runners.map(({ token }, at) => ({ token, finish: GOOD, gone: true, next: { host: 'node1', run: `next ${at}` } })),
  );
  expect(answers.map(({ next }) => next?.dispatch_id).sort()).toEqual(
    jobs.slice(2).map(({ dispatchId }) => dispatchId),
  );
});

const clearReason = statement('test_clear_reason', 'update jobs set wait_reason = null where job_id = $1::text');
const forgetSubmission = statement(
  'test_forget_submission',
  'update dispatches set submitted_at = null where dispatch_id = $1::text',
);

it('is given none that another array has, that is held, begun, cancelled, or whose submission is unsure', async () => {
  const [elsewhere] = (await handOver(1)) as [Mine];
  const [mine, held, begun, cancelled, unsure, turn] = (await handOver(6)) as [Mine, Mine, Mine, Mine, Mine, Mine];
  await begin(mine);
  await begin(begun, 'own');
  await h.engine.cancel(alice, [cancelled.jobId], null);
  scheduler.reasons.set(held.dispatchId, 'held by the operator');
  scheduler.reasons.set(turn.dispatchId, 'its turn');
  await h.reconciler.runOnce();
  await db.query(forgetSubmission, [unsure.dispatchId]);
  const { next } = await over(mine.token, 'r2');
  expect(next?.dispatch_id).toBe(turn.dispatchId);
  expect((await over(next?.token as string, 'r3')).next).toBeUndefined();
  expect(await statusOf(h, elsewhere.jobId)).toBe('queued');
});

it('whose job was cancelled is given none: the cancel may be on its way to its task', async () => {
  const [mine, other] = (await handOver(2)) as [Mine, Mine];
  await begin(mine);
  await h.engine.cancel(alice, [mine.jobId], null);
  expect(await over(mine.token, 'r2')).not.toHaveProperty('next');
  expect(await statusOf(h, other.jobId)).toBe('queued');
});

it('whose end was on record before its dispatch was closed is given none: somebody may have seen that', async () => {
  const [mine, other] = (await handOver(2)) as [Mine, Mine];
  await begin(mine);
  await say(mine.token, { finish: GOOD });
  expect(await over(mine.token, 'r2')).not.toHaveProperty('next');
  expect(await statusOf(h, other.jobId)).toBe('queued');
});

it('whose job failed is given none: its node may be why', async () => {
  const [mine, other] = (await handOver(2)) as [Mine, Mine];
  await begin(mine);
  const failed = { ...GOOD, output: null, failure_class: 'app', error_message: 'command not found', exit_code: 127 };
  const answer = await say(mine.token, { finish: failed, gone: true, next: { host: 'node1', run: 'r2' } });
  expect([answer.status, answer.next]).toEqual(['error', undefined]);
  expect(await statusOf(h, other.jobId)).toBe('queued');
});

it('is not given one that its scheduler had not any more when it was asked', async () => {
  const [mine, vanished] = (await handOver(2)) as [Mine, Mine];
  await begin(mine);
  scheduler.gone.add(vanished.dispatchId);
  await h.reconciler.runOnce();
  expect(await over(mine.token, 'r2')).not.toHaveProperty('next');
});

it('keeps what it was given while the scheduler was asked about the task that this had before', async () => {
  const [mine, other] = (await handOver(2)) as [Mine, Mine];
  await begin(mine);
  const forgotten = (refs: readonly DispatchRef[]) => {
    const names = new Set(refs.map(({ name }) => name));
    if (names.has(other.name)) scheduler.gone.add(other.dispatchId);
    else scheduler.gone.delete(other.dispatchId);
  };
  const given: WorkerAnswer[] = [];
  let turn = 0;
  scheduler.onPoll = async (refs) => {
    forgotten(refs);
    turn += 1;
    // seen as gone twice, by its old name: it moves after it was read the second time
    if (turn === 2) await db.query(clearReason, [other.jobId]);
    if (turn === 2) given.push(await over(mine.token, 'r2'));
  };
  await h.reconciler.runOnce();
  await h.reconciler.runOnce();
  expect(given[0]?.next?.dispatch_id).toBe(other.dispatchId);
  expect(await dispatchOf(other.jobId)).toMatchObject({ closedAt: null, schedulerId: schedulerId(mine) });
  await h.reconciler.runOnce();
  expect(await statusOf(h, other.jobId)).toBe('running');
  // and of the task that it has now, one look is not two
  scheduler.onPoll = async () => void scheduler.gone.add(other.dispatchId);
  await h.reconciler.runOnce();
  expect(await statusOf(h, other.jobId)).toBe('running');
  await h.reconciler.runOnce();
  expect(await statusOf(h, other.jobId)).toBe('error');
});

it('that is lost with it ends its job: it was started', async () => {
  const [mine, other] = (await handOver(2)) as [Mine, Mine];
  await begin(mine);
  await over(mine.token, 'r2');
  scheduler.gone.add(other.dispatchId);
  await h.reconciler.runOnce();
  await h.reconciler.runOnce();
  expect(await statusOf(h, other.jobId)).toBe('error');
  expect(await over(mine.token, 'r2')).not.toHaveProperty('next');
});
