import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RawJson } from '../../src/contract/raw-json.js';
import { type Db, statement } from '../../src/store/db.js';
import { openTestDb } from '../support/databases.js';
import { alice, COMMIT, type Harness, idsOf, openEngine, retryIds, statusOf, submitJobs } from '../support/engine.js';

let db: Db;
let h: Harness;
let jobId: string;
let token: string;
beforeAll(async () => {
  db = await openTestDb();
});
afterAll(() => db.close());
beforeEach(async () => {
  h = openEngine(db);
  jobId = idsOf(await submitJobs(h, 1, { job: { params: new RawJson('[1.0, {"b":1,"a":2}]') } }))[0]!;
  await h.dispatcher.runOnce();
  token = [...h.scheduler.given.values()].find((submission) => submission.jobId === jobId)!.token;
});

const beganAMinuteAgo = statement(
  'test_began_a_minute_ago',
  `
  update jobs
  set created_at = now() - interval '1 minute', running_at = now() - interval '1 minute'
  where job_id = $1::text`,
);
const databaseNow = statement<{ now: Date }>('test_database_now', 'select now() as now');

const one = async (report: object) => (await h.engine.report([{ token, ...report }]))[0]!;
const line = (text: string) => ({ line: text, is_error: false, ts: 1 });
const start = { start: { host: 'here' } };
const success = {
  finish: { exit_code: 0, exit_signal: null, output: '{"x":1.0}', peak_memory_mb: 12.5, cpu_seconds: 0.25 },
};
const lines = async () => (await h.engine.logs(alice, jobId, 0, null)).page.lines.map((stored) => stored.line);

describe('a start', () => {
  it('answers what to run, with the exact text of the parameters, and can be repeated', async () => {
    const expected = {
      ok: true,
      canceled: false,
      status: 'running',
      job: { job_id: jobId, commit: COMMIT, input: '[1.0, {"b":1,"a":2}]', command: ['true'] },
    };
    expect(await one(start)).toMatchObject(expected);
    expect(await one(start)).toMatchObject(expected);
  });

  it('by another process than the one that started it is refused, and changes nothing', async () => {
    const by = (run: string) => ({ start: { host: run, run } });
    expect(await one(by('first'))).toMatchObject({ ok: true, status: 'running' });
    expect(await one(by('first'))).toMatchObject({ ok: true, job: { job_id: jobId } });
    const refusal = { code: 'CONFLICT', message: expect.stringMatching(/was started by another process$/) };
    for (const other of [by('second'), start]) {
      expect(await one(other)).toMatchObject({ ok: false, canceled: false, status: 'running', error: refusal });
    }
    expect(await one({ ...success, gone: true })).toMatchObject({ ok: true, status: 'completed' });
    expect(await one(by('third'))).toMatchObject({ ok: false, canceled: true, error: refusal });
  });

  it('by two processes in one call is the first one’s', async () => {
    const both = ['first', 'second'].map((run) => ({ token, start: { host: 'here', run } }));
    expect((await h.engine.report(both)).map(({ ok }) => ok)).toEqual([true, false]);
    expect((await h.engine.report(both.toReversed())).map(({ ok }) => ok)).toEqual([false, true]);
  });

  it('is refused after a cancel, and the runner is told to end', async () => {
    await h.engine.cancel(alice, [jobId], null);
    expect(await one(start)).toMatchObject({ ok: false, canceled: true, status: 'terminated' });
  });

  it('with a token of nobody is refused', async () => {
    const [answer] = await h.engine.report([{ token: 'rpd_x', ...start }]);
    expect(answer).toMatchObject({ ok: false, canceled: true, error: { code: 'UNAUTHENTICATED' } });
  });
});

describe('log lines', () => {
  it('that are sent again because the answer was lost are stored once', async () => {
    await one({ ...start, logs: { first: 0, lines: [line('a'), line('b')] } });
    expect(await one({ logs: { first: 0, lines: [line('a'), line('b'), line('c')] } })).toMatchObject({
      logs_received: 3,
    });
    await one({ logs: { first: 2, lines: [line('c'), line('d')] } });
    expect(await lines()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('of a dispatch that was given up are kept, marked late, and once', async () => {
    await one({ ...start, logs: { first: 0, lines: [line('a')] } });
    await one({ gone: true });
    expect(await statusOf(h, jobId)).toBe('error');
    await one({ logs: { first: 1, lines: [line('b')] } });
    await one({ logs: { first: 1, lines: [line('b')] } });
    const { page } = await h.engine.logs(alice, jobId, 0, null);
    expect(page.lines.map((stored) => [stored.line, stored.late])).toEqual([
      ['a', false],
      ['b', true],
    ]);
    expect((await h.engine.dispatchesOf(jobId))[0]).toMatchObject({ lateLines: 1, closeReason: 'lost' });
  });
});

describe('an end', () => {
  it('keeps the text of the output and the usage, and can be repeated', async () => {
    await one({ ...start, ...success });
    await one(success);
    await one({ ...success, gone: true });
    const found = (await h.engine.find(alice, [jobId])).get(jobId);
    expect(found).toMatchObject({ kind: 'job', job: { status: 'completed', jobOutput: '{"x":1.0}' } });
    const [dispatch] = await h.engine.dispatchesOf(jobId);
    expect(dispatch).toMatchObject({ closeReason: 'finished', peakMemoryMb: 12.5, cpuSeconds: 0.25 });
  });

  it.each([
    ['was at its runner’s time, though the report waited for a server', 20_000, 20],
    ['was not before the job began', 3_600_000, 60],
    ['was not after it was told', -3_600_000, 0],
    ['was then, though the clock of its machine is nonsense', 8e15, 60],
  ])('%s', async (_, agoMs, secondsAgo) => {
    await one(start);
    await db.query(beganAMinuteAgo, [jobId]);
    const anyClock = 5_000_000;
    const { finish } = success;
    await one({ finish: { ...finish, ended_at: anyClock - agoMs }, sent_at: anyClock });
    const found = (await h.engine.find(alice, [jobId])).get(jobId);
    const { finishedAt } = (found as { job: { finishedAt: Date } }).job;
    const [now] = await db.query(databaseNow);
    expect(Math.abs(now!.now.getTime() - finishedAt.getTime() - secondsAgo * 1000)).toBeLessThan(10_000);
  });

  it('that comes after a cancel changes nothing but the usage', async () => {
    await one(start);
    await h.engine.cancel(alice, [jobId], null);
    expect(await one({ ...success, gone: true })).toMatchObject({ ok: true, canceled: true });
    expect(await statusOf(h, jobId)).toBe('terminated');
    expect((await h.engine.dispatchesOf(jobId))[0]).toMatchObject({ closeReason: 'canceled', cpuSeconds: 0.25 });
  });

  it('by a worker that was given up for dead changes nothing at all', async () => {
    await one(start);
    h.scheduler.gone.add([...h.scheduler.given.values()].find((s) => s.jobId === jobId)!.dispatchId);
    await h.reconciler.runOnce();
    await h.reconciler.runOnce();
    expect(await one(success)).toMatchObject({ ok: false, error: { code: 'CONFLICT' } });
    const found = (await h.engine.find(alice, [jobId])).get(jobId);
    expect(found).toMatchObject({ job: { status: 'error', failureClass: 'platform', errorCode: 2, jobOutput: null } });
  });

  it('that never came ends a started job as a platform failure, which can be retried', async () => {
    await one({ ...start, gone: true });
    expect((await h.engine.find(alice, [jobId])).get(jobId)).toMatchObject({ job: { failureClass: 'platform' } });
    expect((await retryIds(h, [jobId])).accepted).toBe(1);
  });

  it('that never came lets a job that had not started wait for another dispatch', async () => {
    await one({ gone: true });
    expect(await statusOf(h, jobId)).toBe('created');
    await h.dispatcher.runOnce();
    expect((await h.engine.dispatchesOf(jobId)).map((d) => [d.dispatchNumber, d.closeReason])).toEqual([
      [1, 'lost'],
      [2, null],
    ]);
  });
});

describe('a retry of a cancelled job', () => {
  it('starts only when no process of its predecessor is left', async () => {
    await one(start);
    await h.engine.cancel(alice, [jobId], null);
    const retryId = (await retryIds(h, [jobId])).receipts[0]!.retry_id!;
    await h.dispatcher.runOnce();
    expect(await h.engine.dispatchesOf(retryId)).toEqual([]);
    await one({ gone: true });
    await h.dispatcher.runOnce();
    expect(await h.engine.dispatchesOf(retryId)).toHaveLength(1);
  });
});

describe('many reports in one call', () => {
  it('are carried out in order even if one dispatch stands in it twice, and a bad one harms no other', async () => {
    const answers = await h.engine.report([
      { token, ...start },
      { token: 'rpd_bad' },
      { token, logs: { first: 0, lines: [line('a')] } },
      { token, ...success, gone: true },
    ]);
    expect(answers.map((answer) => answer.ok)).toEqual([true, false, true, true]);
    expect(await statusOf(h, jobId)).toBe('completed');
    expect(await lines()).toEqual(['a']);
  });
});
