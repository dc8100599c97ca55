/** Workers that are not ours: jobs that wait for anyone, and runners that start and end their jobs by EE2's calls. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSeal } from '../../src/auth/seal.js';
import { Secret } from '../../src/contract/secret.js';
import { createDispatcher } from '../../src/engine/dispatch.js';
import type { Actor, FinishByCall } from '../../src/engine/engine.js';
import type { OtherRunner } from '../../src/engine/other-runner.js';
import { createExternalScheduler } from '../../src/schedulers/external.js';
import type { Db } from '../../src/store/db.js';
import { openTestDb } from '../support/databases.js';
import { alice, bob, type Harness, idsOf, openEngine, retryIds, statusOf, submitJobs } from '../support/engine.js';

let db: Db;
beforeAll(async () => {
  db = await openTestDb();
});
afterAll(() => db.close());

const fine: FinishByCall = { errorMessage: null, errorCode: null, error: null, output: null };
const broken: FinishByCall = { ...fine, errorMessage: 'it broke' };
const dispatchesOf = async (h: Harness, id: string) =>
  (await h.engine.dispatchesOf(id)).map(({ startedAt, closeReason }) => [startedAt !== null, closeReason]);

describe('the scheduler "external"', () => {
  const open = () => {
    const external = createExternalScheduler();
    const h = openEngine(db, { schedulers: new Map([['external', external]]), schedulerFor: () => external });
    return { h, external };
  };

  it('queues jobs of any size and lets whoever may start and end them', async () => {
    const { h } = open();
    const ids = idsOf(await submitJobs(h, 3, { job: { requirements: { cpus: 5000, memory_mb: 9_000_000 } } }));
    await h.dispatcher.runOnce();
    const [first, second, third] = ids as [string, string, string];
    expect(await Promise.all(ids.map((id) => statusOf(h, id)))).toEqual(['queued', 'queued', 'queued']);
    expect((await h.engine.find(alice, [first])).get(first)).toMatchObject({
      job: { scheduler: 'external', schedulerId: expect.stringMatching(/^[0-9a-f]{24}$/) },
    });
    await h.engine.start(alice, first, true);
    await h.engine.finish(alice, first, broken);
    expect(await statusOf(h, first)).toBe('error');
    await h.engine.cancel(alice, [second], null);
    await expect(h.engine.start(bob, third, true)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await dispatchesOf(h, first)).toEqual([[false, 'finished']]);
    expect(await dispatchesOf(h, second)).toEqual([[false, 'canceled']]);
    expect(await dispatchesOf(h, third)).toEqual([[false, null]]);
  });

  it('lets a retry follow its predecessor at once: there is no process to wait for', async () => {
    const { h } = open();
    const [id] = idsOf(await submitJobs(h, 1)) as [string];
    await h.dispatcher.runOnce();
    await h.engine.cancel(alice, [id], null);
    const { receipts } = await retryIds(h, [id]);
    await h.dispatcher.runOnce();
    expect(await statusOf(h, receipts[0]!.retry_id!)).toBe('queued');
  });

  it('never takes a job from its worker for silence, and closes after a crash what a crash left open', async () => {
    const { h, external } = open();
    const [id] = idsOf(await submitJobs(h, 1)) as [string];
    await h.dispatcher.runOnce();
    await h.engine.start(alice, id, true);
    for (let turn = 0; turn < 4; turn += 1) await h.reconciler.runOnce();
    expect(await statusOf(h, id)).toBe('running');
    // killed between the end and its dispatch's: as if nobody had been told
    const untold = { ...external, external: undefined, cancel: async () => {} };
    const dying = openEngine(db, { schedulers: new Map([['external', untold as unknown as typeof external]]) });
    await dying.engine.finish(alice, id, broken);
    expect(await dispatchesOf(h, id)).toEqual([[false, null]]);
    for (let turn = 0; turn < 3; turn += 1) await h.reconciler.runOnce();
    expect(await dispatchesOf(h, id)).toEqual([[false, 'finished']]);
  });

  it('has accepted what it was given, even if a crash came before that was recorded', async () => {
    const { h, external } = open();
    const [id] = idsOf(await submitJobs(h, 1)) as [string];
    const silent = { ...external, submitMany: async () => Promise.reject(new Error('killed')) };
    const ctx = { ...h.ctx, schedulers: new Map([['external', silent]]) };
    await createDispatcher(ctx)
      .runOnce()
      .catch(() => {});
    expect(await statusOf(h, id)).toBe('created');
    await db.query({ name: 'age', text: "update dispatches set opened_at = now() - interval '1 minute'" });
    await h.reconciler.runOnce();
    expect(await statusOf(h, id)).toBe('queued');
  });
});

describe('a job runner that is not ours', () => {
  const runner: OtherRunner = {
    command: ['execute_runner.sh', '{job_id}', '{url}'],
    url: () => 'http://127.0.0.1:7878/services/ee2',
    env: { DOCKER_JOB_TIMEOUT: '604800' },
    adminToken: new Secret('ADMIN'),
    graceSeconds: 60,
    seal: createSeal(randomBytes(32)),
  };
  const ann: Actor = { ...alice, token: new Secret('TOKEN-OF-ALICE') };
  const open = () => openEngine(db, { otherRunner: runner });
  const submissionOf = (h: Harness, id: string) => [...h.scheduler.given.values()].find((one) => one.jobId === id)!;
  const spawn = async (h: Harness, id: string) =>
    (await h.engine.report([{ token: submissionOf(h, id).token, start: { host: 'here' } }]))[0]!;
  const exit = async (h: Harness, id: string) => {
    const finish = {
      failure_class: 'platform' as const,
      error_message: 'the job runner ended with exit code 4 and reported no end of the job',
      exit_code: 4,
      exit_signal: null,
      output: null,
      peak_memory_mb: null,
      cpu_seconds: null,
    };
    const [answer] = await h.engine.report([{ token: submissionOf(h, id).token, finish, gone: true }]);
    h.scheduler.gone.add(submissionOf(h, id).dispatchId);
    return answer!;
  };
  const handOver = async (h: Harness, actor: Actor = ann) => {
    const [id] = idsOf(await submitJobs(h, 1, { actor, job: { requirements: { client_group: 'njs' } } })) as [string];
    await h.dispatcher.runOnce();
    return id;
  };
  const heartbeat = async (h: Harness, id: string) =>
    (await h.engine.report([{ token: submissionOf(h, id).token }]))[0]!;

  it('is told the job, its address and the environment it knows, and starts and ends the job itself', async () => {
    const h = open();
    const id = await handOver(h);
    const answer = await spawn(h, id);
    expect(answer.job).toMatchObject({
      repository: null,
      command: ['execute_runner.sh', id, 'http://127.0.0.1:7878/services/ee2'],
      env: {
        JOB_ID: id,
        CLIENTGROUP: 'njs',
        CONDOR_ID: `h-${submissionOf(h, id).dispatchId}`,
        DEBUG_MODE: 'False',
        DOCKER_JOB_TIMEOUT: '604800',
        KB_AUTH_TOKEN: 'TOKEN-OF-ALICE',
        KB_ADMIN_AUTH_TOKEN: 'ADMIN',
      },
    });
    expect(await statusOf(h, id)).toBe('queued');
    await h.engine.start(ann, id, true);
    expect(h.scheduler.canceled).not.toContain(submissionOf(h, id).dispatchId);
    expect(await heartbeat(h, id)).toMatchObject({ ok: true, status: 'running', canceled: false });
    await h.engine.finish(ann, id, broken);
    expect(h.scheduler.canceled).not.toContain(submissionOf(h, id).dispatchId);
    expect(await exit(h, id)).toMatchObject({ ok: true, status: 'error' });
    expect((await h.engine.find(alice, [id])).get(id)).toMatchObject({ job: { errormsg: 'it broke' } });
    expect(await dispatchesOf(h, id)).toEqual([[true, 'finished']]);
  });

  it('that ends without a word makes the job an error of its platform, started or not', async () => {
    const h = open();
    for (const starts of [true, false]) {
      const id = await handOver(h);
      await spawn(h, id);
      if (starts) await h.engine.start(ann, id, true);
      await exit(h, id);
      expect((await h.engine.find(alice, [id])).get(id)).toMatchObject({
        job: {
          status: 'error',
          failureClass: 'platform',
          errormsg: expect.stringMatching(/reported no end of the job/),
        },
      });
    }
  });

  it('has the grace to clean up after a cancel; what has not begun is ended at once', async () => {
    const h = open();
    const [begun, waiting] = [await handOver(h), await handOver(h)];
    await spawn(h, begun);
    await h.engine.start(ann, begun, true);
    await h.engine.cancel(ann, [begun, waiting], null);
    await h.reconciler.runOnce();
    expect([...h.scheduler.canceled]).toEqual([submissionOf(h, waiting).dispatchId]);
    expect(await heartbeat(h, begun)).toMatchObject({ status: 'terminated', canceled: false });
    await db.query({
      name: 'later',
      text: "update jobs set finished_at = finished_at - interval '61 seconds' where status = 'terminated'",
    });
    expect(await heartbeat(h, begun)).toMatchObject({ canceled: true });
    await h.reconciler.runOnce();
    expect(h.scheduler.canceled).toContain(submissionOf(h, begun).dispatchId);
  });

  it('is not spawned for a job that was cancelled or that somebody else has started', async () => {
    const h = open();
    const [cancelled, started] = [await handOver(h), await handOver(h)];
    await h.engine.cancel(ann, [cancelled], null);
    await h.engine.start(ann, started, true);
    expect(await spawn(h, cancelled)).toMatchObject({ ok: false, error: { code: 'CONFLICT' } });
    expect(await spawn(h, started)).toMatchObject({ ok: false, error: { code: 'CONFLICT' } });
  });

  it('gets the token of who retried the job', async () => {
    const h = open();
    const id = await handOver(h);
    await h.engine.finish(ann, id, broken);
    h.scheduler.gone.add(submissionOf(h, id).dispatchId);
    await h.reconciler.runOnce();
    await h.reconciler.runOnce();
    const { receipts } = await retryIds(h, [id], { actor: { ...ann, token: new Secret('ANOTHER') } });
    await h.dispatcher.runOnce();
    expect((await spawn(h, receipts[0]!.retry_id!)).job?.env.KB_AUTH_TOKEN).toBe('ANOTHER');
  });

  it('leaves no token behind: sealed while the job lives, gone with its end, in no other record ever', async () => {
    const h = open();
    const kept = async () =>
      (await db.query<{ job_id: string }>({ name: 'kept', text: 'select job_id from job_tokens' })).map(
        (row) => row.job_id,
      );
    const [finished, cancelled] = [await handOver(h), await handOver(h)];
    expect(await kept()).toEqual(expect.arrayContaining([finished, cancelled]));
    await spawn(h, finished);
    await h.engine.start(ann, finished, true);
    await h.engine.finish(ann, finished, broken);
    await h.engine.cancel(ann, [cancelled], null);
    expect(await kept()).not.toContain(finished);
    expect(await kept()).not.toContain(cancelled);
    const tables = await db.query<{ t: string }>({
      name: 'tables',
      text: "select table_name as t from information_schema.tables where table_schema = 'public'",
    });
    for (const { t } of tables) {
      const rows = await db.query({ name: `all_${t}`, text: `select x::text from ${t} x` });
      expect(JSON.stringify(rows)).not.toContain('TOKEN-OF-ALICE');
    }
  });

  it('whose token was sealed with another key is told so, and holds up nobody else', async () => {
    const h = open();
    const id = await handOver(h);
    const rekeyed = openEngine(db, { otherRunner: { ...runner, seal: createSeal(randomBytes(32)) } });
    const other = await handOver(rekeyed);
    const answers = await rekeyed.engine.report([
      { token: submissionOf(h, id).token, start: { host: 'here' } },
      { token: submissionOf(rekeyed, other).token, start: { host: 'here' } },
    ]);
    expect(answers).toMatchObject([
      { ok: false, error: { code: 'CONFLICT', message: expect.stringContaining('token_key_file') } },
      { ok: true, job: { job_id: other } },
    ]);
  });

  it('that is not configured any more is told so, and holds up nobody else', async () => {
    const h = open();
    const id = await handOver(h);
    const later = openEngine(db);
    const [own] = idsOf(await submitJobs(later, 1)) as [string];
    await later.dispatcher.runOnce();
    const answers = await later.engine.report([
      { token: submissionOf(h, id).token, start: { host: 'here' } },
      { token: submissionOf(later, own).token, start: { host: 'here' } },
    ]);
    expect(answers).toMatchObject([
      { ok: false, error: { code: 'CONFLICT', message: expect.stringContaining('runner.command') } },
      { ok: true, job: { job_id: own } },
    ]);
  });
});

describe('a call with a user token on a job of our own runner', () => {
  it('that starts the job closes our dispatch and ends what we were about to run', async () => {
    const h = openEngine(db);
    const [id] = idsOf(await submitJobs(h, 1)) as [string];
    await h.dispatcher.runOnce();
    const { dispatchId, token } = [...h.scheduler.given.values()].find((one) => one.jobId === id)!;
    await h.engine.start(alice, id, true);
    expect(await dispatchesOf(h, id)).toEqual([[false, 'superseded']]);
    expect(h.scheduler.canceled).toContain(dispatchId);
    const [answer] = await h.engine.report([{ token, start: { host: 'here' } }]);
    expect(answer).toMatchObject({ ok: false, canceled: true });
    for (let turn = 0; turn < 3; turn += 1) await h.reconciler.runOnce();
    expect(await statusOf(h, id)).toBe('running');
    await h.engine.finish(alice, id, broken);
    expect(await statusOf(h, id)).toBe('error');
  });
});
