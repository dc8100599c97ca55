/** What job runners do all the time, and at the same time. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Db } from '../../../src/store/db.js';
import { findFlaws } from '../../../src/store/doctor.js';
import { JOB_CHECKS } from '../../../src/store/doctor-jobs.js';
import { LINEAGE_CHECKS } from '../../../src/store/doctor-lineages.js';
import { openTestDb } from '../../support/databases.js';
import { type Ee2App, openEe2 } from '../../support/ee2-app.js';
import { eventsSettled } from '../../support/engine.js';

let db: Db;
let app: Ee2App;
let asked: string[] = [];
beforeAll(async () => {
  db = await openTestDb();
  app = openEe2({
    ...db,
    query: (statement, params) => {
      asked.push(statement.name);
      return db.query(statement, params);
    },
  });
});
afterAll(() => db.close());

const run = () => app.call<string>('run_job', [{ method: 'demo.run' }], 'alice');

interface Log {
  readonly lines: readonly { line: string; linepos: number; is_error: 0 | 1; ts: number }[];
  readonly last_line_number: number;
  readonly count: number;
}

describe('two calls a second and job', () => {
  it.each(['the token of its dispatch', 'the token of its owner'])('are one look-up each with %s', async (whose) => {
    const id = await run();
    await app.h.dispatcher.runOnce();
    const submission = [...app.h.scheduler.given.values()].find((one) => one.jobId === id)!;
    const token = whose.includes('dispatch') ? submission.token : 'alice';
    await app.rpc('add_job_logs', `[{"job_id": "${id}"}, []]`, token);
    for (const [method, params] of [
      ['check_job_canceled', `[{"job_id": "${id}"}]`],
      ['get_job_status', `[{"job_id": "${id}"}]`],
      ['add_job_logs', `[{"job_id": "${id}"}, []]`],
    ] as const) {
      asked = [];
      expect((await app.rpc(method, params, token)).status).toBe(200);
      expect(asked).toEqual(['select_job_pulse']);
    }
  });

  it('renew the lease of the dispatch, in memory, until it is written for all at once', async () => {
    const id = await run();
    await app.h.dispatcher.runOnce();
    await app.h.ctx.leases.flush();
    const { dispatchId, token } = [...app.h.scheduler.given.values()].find((one) => one.jobId === id)!;
    const seenAt = async () =>
      (await db.query<{ seen_at: Date }>({ name: 'test_seen', text: SEEN }, [dispatchId]))[0]!.seen_at.getTime();
    for (const caller of [token, 'alice']) {
      const before = await seenAt();
      await app.rpc('check_job_canceled', `[{"job_id": "${id}"}]`, caller);
      expect(await seenAt()).toBe(before);
      await app.h.ctx.leases.flush();
      expect(await seenAt()).toBeGreaterThan(before);
    }
  });

  const SEEN = 'select seen_at from dispatches where dispatch_id = $1::text';
});

describe('a log', () => {
  it('gets every line of 20 writers once, in whole numbers, while readers of both kinds see each line once', async () => {
    const id = await run();
    await app.call('add_job_logs', [{ job_id: id }, []], 'alice');
    const all = 20 * 50 * 10;
    const writers = Array.from({ length: 20 }, async (_, writer) => {
      for (let call = 0; call < 50; call += 1) {
        const lines = Array.from({ length: 10 }, (_line, n) => ({ line: `${writer}/${call}/${n}` }));
        await app.call('add_job_logs', [{ job_id: id }, lines], 'alice');
      }
    });
    /** `next`: how a client computes what it asks to skip, from what it holds and what it was told. */
    const reader = async (next: (held: number, told: number) => number) => {
      const seen: string[] = [];
      for (let skip = 0; seen.length < all; ) {
        const log = await app.call<Log>('get_job_logs', [{ job_id: id, skip_lines: skip, limit: 700 }], 'alice');
        for (const line of log.lines) expect(line.linepos).toBe(seen.push(line.line) - 1);
        skip = next(seen.length, log.last_line_number);
      }
      return seen;
    };
    const [byHeld, byTold] = await Promise.all([reader((held) => held), reader((_, told) => told), ...writers]);
    expect(byHeld).toEqual(byTold);
    expect(new Set(byHeld).size).toBe(all);
    // each writer's lines stand in the order in which it sent them
    const first = byHeld.filter((line) => line.startsWith('0/'));
    expect(first).toEqual(Array.from({ length: 500 }, (_, n) => `0/${Math.floor(n / 10)}/${n % 10}`));
  });

  it('takes milliseconds as integers, seconds as floats, and dates', async () => {
    const id = await run();
    const times = ['1600000000500', '1600000000.5', '"1600000000500"', '"1600000000.5"', '"2020-09-13T12:26:40.500Z"'];
    const lines = times.map((ts) => `{"line": "", "ts": ${ts}}`).join(',');
    expect((await app.rpc('add_job_logs', `[{"job_id": "${id}"}, [${lines}]]`, 'alice')).body.result).toEqual([
      { success: true, line_number: 5 },
    ]);
    const log = await app.call<Log>('get_job_logs', [{ job_id: id }], 'alice');
    expect(log.lines.map((line) => line.ts)).toEqual(Array(5).fill(1600000000500));
  });

  it('refuses a call with one malformed line as a whole, without an error, and counts as before', async () => {
    const id = await run();
    const add = (lines: unknown[]) => app.call('add_job_logs', [{ job_id: id }, lines], 'alice');
    expect(await add([{ line: 'a' }, 5])).toEqual({ success: false, line_number: -1 });
    expect(await add([{ line: 'a' }])).toEqual({ success: true, line_number: 1 });
    for (const bad of [null, 'x', [], {}, { line: 5 }, { line: 'a', is_error: 'yes' }]) {
      expect(await add([{ line: 'b' }, bad])).toEqual({ success: false, line_number: 1 });
    }
  });

  it('takes lines of a job that has ended, and is not to be found before there was any', async () => {
    const id = await run();
    const read = () => app.call<Log>('get_job_logs', [{ job_id: id }], 'alice');
    await expect(read()).rejects.toThrow(`Cannot find job log with id: ${id}`);
    await app.call('finish_job', [{ job_id: id, job_output: {} }], 'alice');
    await app.call('add_job_logs', [{ job_id: id }, [{ line: 'after the end', is_error: true }]], 'alice');
    expect((await read()).lines[0]).toMatchObject({ line: 'after the end', is_error: 1, linepos: 0 });
    await expect(app.call('get_job_logs', [{ job_id: id, skip_lines: 1, offset: 1 }], 'alice')).rejects.toThrow(
      'Please provide only one of skip_lines or offset',
    );
  });
});

describe('finish, cancel, start and update of one job at once', () => {
  it('have one winner each time, with one event, and leave a record without contradictions', async () => {
    const ends: Record<string, number> = {};
    for (let round = 0; round < 200; round += 1) {
      const id = await run();
      const tries = [
        app.call('finish_job', [{ job_id: id, job_output: {} }], 'alice'),
        app.call('cancel_job', [{ job_id: id }], 'alice'),
        app.call('start_job', [{ job_id: id }], 'alice'),
        app.call('update_job_status', [{ job_id: id, status: 'error' }], 'alice'),
      ];
      for (let turn = 0; turn < round % 4; turn += 1) tries.push(tries.shift()!);
      await Promise.allSettled(tries);
      const state = await app.call<Record<string, unknown>>('check_job', [{ job_id: id }], 'alice');
      await eventsSettled(app.h);
      const { items } = await app.h.engine.listEvents(
        { user: 'alice', admin: 'none', asAdmin: false },
        { jobId: id, batchId: null, after: null, limit: 100 },
      );
      const kinds = items.map((event) => event.kind).filter((kind) => kind !== 'job.created');
      const end = { completed: 'job.completed', error: 'job.failed', terminated: 'job.terminated' }[
        state.status as string
      ];
      expect(kinds.filter((kind) => kind !== 'job.started')).toEqual([end]);
      expect(kinds.indexOf('job.started')).toBeLessThanOrEqual(0);
      expect('terminated_code' in state).toBe(state.status === 'terminated');
      expect('job_output' in state).toBe(state.status === 'completed');
      expect('running' in state).toBe(kinds.includes('job.started'));
      expect(state.finished).toBeTypeOf('number');
      ends[state.status as string] = (ends[state.status as string] ?? 0) + 1;
    }
    expect(Object.values(ends).reduce((sum, count) => sum + count)).toBe(200);
  });
});

describe('a start', () => {
  it('that comes before "queued" is written leaves the job running', async () => {
    const id = await run();
    const { scheduler } = app.h;
    const submitMany = scheduler.submitMany.bind(scheduler);
    scheduler.submitMany = async (submissions) => {
      const { token } = submissions.find((one) => one.jobId === id)!;
      await app.rpc('start_job', `[{"job_id": "${id}"}]`, token);
      return submitMany(submissions);
    };
    await app.h.dispatcher.runOnce();
    scheduler.submitMany = submitMany;
    const state = await app.call<Record<string, unknown>>('check_job', [{ job_id: id }], 'alice');
    expect(state).toMatchObject({ status: 'running', scheduler_type: 'local' });
    expect(state.queued).toBeTypeOf('number');
  });

  it('can be an estimate first, and is refused once the job has started', async () => {
    const id = await run();
    const start = (skip?: unknown) => app.call('start_job', [{ job_id: id, skip_estimation: skip }], 'alice');
    const status = () => app.call<{ status: string }>('get_job_status', [{ job_id: id }], 'alice');
    expect(await start(false)).toBeNull();
    expect(await status()).toEqual({ status: 'estimating' });
    await start(false);
    expect(await status()).toEqual({ status: 'running' });
    await expect(start()).rejects.toThrow(
      `Unexpected job status for ${id}: running.  You cannot start a job that is not in ['created', 'queued', 'estimating']`,
    );
  });
});

describe('a cancel', () => {
  it('between the submission and its recording ends the job at the scheduler', async () => {
    const id = await run();
    const { scheduler } = app.h;
    const submitMany = scheduler.submitMany.bind(scheduler);
    scheduler.submitMany = async (submissions) => {
      const outcomes = await submitMany(submissions);
      await app.call('cancel_job', [{ job_id: id }], 'alice');
      scheduler.canceled.clear();
      return outcomes;
    };
    await app.h.dispatcher.runOnce();
    scheduler.submitMany = submitMany;
    const { dispatchId } = [...scheduler.given.values()].find((one) => one.jobId === id)!;
    expect(scheduler.canceled).toContain(dispatchId);
    expect(await app.call('get_job_status', [{ job_id: id }], 'alice')).toEqual({ status: 'terminated' });
  });
});

describe('a status that is set', () => {
  const set = (id: string, status: string) => app.call('update_job_status', [{ job_id: id, status }], 'alice');
  const check = (id: string) => app.call<Record<string, unknown>>('check_job', [{ job_id: id }], 'alice');

  it('may be any until it is an end, each with its time', async () => {
    const id = await run();
    for (const status of ['running', 'queued', 'estimating', 'created', 'running']) {
      expect(await set(id, status)).toBe(id);
      expect((await check(id)).status).toBe(status);
    }
    expect(await check(id)).toMatchObject({
      running: expect.any(Number),
      queued: expect.any(Number),
      estimating: expect.any(Number),
    });
  });

  it.each([
    ['completed', { job_output: {} }],
    ['error', { error_code: 0, errormsg: 'the status was set by alice' }],
    ['terminated', { terminated_code: 0 }],
  ])('to %s ends the job, and what runs for it', async (status, members) => {
    const id = await run();
    await app.h.dispatcher.runOnce();
    const { dispatchId } = [...app.h.scheduler.given.values()].find((one) => one.jobId === id)!;
    await set(id, status);
    expect(await check(id)).toMatchObject({ status, finished: expect.any(Number), ...members });
    expect(app.h.scheduler.canceled).toContain(dispatchId);
    await expect(set(id, 'running')).rejects.toThrow(`Cannot change the status of job ${id}: ${status} is final`);
  });

  it('leaves a record in which the doctor finds nothing, as do abandoned jobs and their retries', async () => {
    const { batch_id: batch, child_job_ids: children } = await app.call<{ batch_id: string; child_job_ids: string[] }>(
      'run_job_batch',
      [[{ method: 'demo.run' }, { method: 'demo.run' }], {}],
      'alice',
    );
    await app.call('abandon_children', [{ batch_id: batch, child_job_ids: [children[0]] }], 'alice');
    await app.call('cancel_job', [{ job_id: children[0] }], 'alice');
    await app.call('retry_job', [{ job_id: children[0] }], 'alice');
    const found: string[] = [];
    for (const one of [...JOB_CHECKS, ...LINEAGE_CHECKS]) {
      const flaws = await findFlaws(db, one, '', 'g');
      found.push(...flaws.map((flaw) => `${one.name}: ${flaw.id} ${flaw.detail}`));
    }
    expect(found).toEqual([]);
  });
});

describe('a job that its scheduler holds', () => {
  const hold = (id: string) => app.call<Record<string, unknown>>('handle_held_job', [id], 'root');

  it('is ended, tells its user what to do, and is answered as it is stored; a second time nothing changes', async () => {
    const id = await run();
    await app.h.dispatcher.runOnce();
    const [dispatch] = await app.h.engine.dispatchesOf(id);
    const held = await hold(dispatch!.schedulerId!);
    expect(held).toMatchObject({
      _id: id,
      status: 'error',
      errormsg: 'Job was held',
      error_code: 2,
      error: { name: 'Job was held', code: 2, message: expect.stringContaining('Please resubmit it') },
    });
    expect(held).not.toHaveProperty('job_id');
    expect(Math.abs((held.finished as number) - Date.now() / 1000)).toBeLessThan(60);
    const log = await app.call<Log>('get_job_logs', [{ job_id: id }], 'alice');
    expect(log.lines).toMatchObject([{ line: (held.error as { message: string }).message, is_error: 1 }]);
    expect(await hold(dispatch!.schedulerId!)).toEqual(held);
    expect(app.h.scheduler.canceled).toContain(dispatch!.dispatchId);
  });
});
