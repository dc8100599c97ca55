/** A batch of real jobs through EE2's JSON-RPC: what its clients send, what they get. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ended, startTestServer, type TestServer, until } from '../support/server.js';

let s: TestServer;
beforeAll(async () => {
  s = await startTestServer();
});
afterAll(() => s.close());

const HARD = '[1.0, 9007199254740993, 1e22, -0.0, "\\u2028", {"b":1,"a":2}]';

async function result<T>(method: string, params: string, token?: string): Promise<T> {
  const { status, body, text } = await s.rpc(method, params, token);
  expect(status, text).toBe(200);
  // a call without a value answers null itself, not a list of one
  return (body.result === null ? null : (body.result as unknown as [T])[0]) as T;
}
async function failure(method: string, params: string, token?: string) {
  const { status, body } = await s.rpc(method, params, token);
  expect(status).toBe(500);
  return body.error!;
}
type State = Record<string, unknown> & { status: string; job_input: Record<string, unknown> };
const check = (id: string) => result<State>('check_job', `[{"job_id": "${id}"}]`);
const run = (method: string, params = 'null') =>
  result<string>('run_job', `[{"method": "demo.${method}", "params": ${params}}]`);
async function runFailed(): Promise<string> {
  const id = await run('fail');
  await ended(s.client, id);
  return id;
}

describe('run_job', () => {
  it('runs a job whose parameters reach the app, get_job_params and the output as the same text', async () => {
    const id = await run('echo', HARD);
    expect(id).toMatch(/^[0-9a-f]{24}$/);
    expect((await ended(s.client, id)).status).toBe('completed');
    expect((await s.rpc('get_job_params', `[{"job_id": "${id}"}]`)).text).toContain(`"params":${HARD}`);
    expect((await s.rpc('check_job', `[{"job_id": "${id}"}]`)).text).toContain(`"job_output":${HARD}`);
  });

  it('answers a job state of the shape EE2 has, absent instead of null', async () => {
    const id = await run('echo', '[1]');
    await ended(s.client, id);
    const state = await check(id);
    expect(state).toMatchObject({
      job_id: id,
      user: 'admin',
      authstrat: 'kbaseworkspace',
      status: 'completed',
      batch_job: false,
      batch_id: null,
      child_jobs: [],
      retry_ids: [],
      retry_count: 0,
      retry_saved_toggle: false,
      scheduler_type: 'local',
      created: Number.parseInt(id.slice(0, 8), 16) * 1000,
      job_input: { method: 'demo.echo', params: [1], service_ver: s.commit, source_ws_objects: [] },
    });
    for (const absent of ['wsid', 'error', 'errormsg', 'error_code', 'terminated_code', 'retry_parent', 'estimating']) {
      expect(state).not.toHaveProperty(absent);
    }
    for (const time of ['queued', 'running', 'finished', 'updated']) expect(state[time]).toBeTypeOf('number');
  });

  it('refuses a method without exactly one dot with the sentence EE2 has', async () => {
    expect((await failure('run_job', '[{"method": "nodot"}]')).message).toBe(
      "Unrecognized method: 'nodot'. Please input module_name.function_name",
    );
  });
});

describe('run_job_batch and retries', () => {
  it('keep the books of a batch: children, retries in order, root and numbers', async () => {
    const jobs = '[{"method":"demo.fail"},{"method":"demo.echo","params":7},{"method":"demo.fail","params":[2]}]';
    const batch = await result<{ batch_id: string; child_job_ids: string[] }>('run_job_batch', `[${jobs}, {}]`);
    const [first, second, third] = batch.child_job_ids as [string, string, string];
    const parent = await check(batch.batch_id);
    expect(parent).toMatchObject({
      batch_job: true,
      status: 'created',
      child_jobs: batch.child_job_ids,
      job_input: { method: 'batch', service_ver: 'batch', app_id: 'batch', source_ws_objects: [] },
    });
    for (const id of batch.child_job_ids) await ended(s.client, id);
    const retried = await result<{ job_id: string; retry_id?: string; error?: string }[]>(
      'retry_jobs',
      `[{"job_ids": ["${first}", "${second}", "${third}"]}]`,
    );
    expect(retried).toEqual([
      { job_id: first, retry_id: expect.any(String) },
      {
        job_id: second,
        error: `Error retrying job ${second} with status completed: can only retry jobs with status 'error' or 'terminated'`,
      },
      { job_id: third, retry_id: expect.any(String) },
    ]);
    const retryId = retried[0]!.retry_id!;
    await ended(s.client, retryId);
    const again = await result<{ job_id: string; retry_id: string }>('retry_job', `[{"job_id": "${retryId}"}]`);
    expect(again.job_id).toBe(first);
    expect(await check(first)).toMatchObject({ retry_ids: [retryId, again.retry_id], retry_count: 2 });
    expect(await check(again.retry_id)).toMatchObject({
      retry_parent: first,
      retry_saved_toggle: true,
      batch_id: batch.batch_id,
    });
    const { child_jobs: children } = await check(batch.batch_id);
    expect(children).toEqual([...batch.child_job_ids, retryId, retried[2]!.retry_id, again.retry_id]);
    const both = await result<{ batch_jobstate: State; child_jobstates: State[] }>(
      'check_job_batch',
      `[{"job_id": "${batch.batch_id}"}]`,
    );
    expect(both.child_jobstates.map((state) => state.job_id)).toEqual(children);
  });

  it('refuse the whole call where EE2 does: no ids, the same id twice, a batch parent', async () => {
    expect((await failure('retry_jobs', '[{"job_ids": []}]')).message).toBe('No job_ids provided to retry');
    const id = await runFailed();
    expect((await failure('retry_jobs', `[{"job_ids": ["${id}", "${id}"]}]`)).message).toBe(
      `Retry of the same id in the same request is not supported. Offending ids: ['${id}'] `,
    );
    const batch = await result<{ batch_id: string }>('run_job_batch', '[[{"method":"demo.echo"}], {}]');
    expect((await failure('retry_job', `[{"job_id": "${batch.batch_id}"}]`)).message).toBe(
      'Cannot retry batch job parents. Must retry individual jobs',
    );
  });
});

describe('reads', () => {
  it('of several jobs keep the order asked, as a list or as a bare mapping', async () => {
    const [a, b] = [await run('echo', '1'), await run('echo', '2')];
    const list = await result<{ job_states: State[] }>('check_jobs', `[{"job_ids": ["${b}", "${a}"]}]`);
    expect(list.job_states.map((state) => state.job_id)).toEqual([b, a]);
    const map = await result<Record<string, State>>('check_jobs', `[{"job_ids": ["${b}", "${a}"], "return_list": 0}]`);
    expect(Object.keys(map)).toEqual([b, a]);
  });

  it('leave out what was excluded, and judge rights on the whole record', async () => {
    const id = await run('echo', '1');
    const excluded = await result<State>('check_job', `[{"job_id": "${id}", "exclude_fields": ["user", "job_input"]}]`);
    expect(excluded).not.toHaveProperty('job_input');
    expect(excluded).toMatchObject({ job_id: id });
  });

  it('of a stranger get a failure object in check_job and an error elsewhere', async () => {
    const id = await run('echo', '1');
    const stranger = await s.userToken('stranger');
    expect(await result('check_job', `[{"job_id": "${id}"}]`, stranger)).toMatchObject({
      job_id: id,
      check_job_error: true,
    });
    expect((await failure('get_job_params', `[{"job_id": "${id}"}]`, stranger)).message).toBe(
      `User stranger does not have permission to JobPermissions.READ job ${id}`,
    );
  });
});

describe('a worker with a token', () => {
  it('can do what a job runner of EE2 does: log, ask, start, finish', async () => {
    const blocker = await run('sleep');
    const id = await run('sleep');
    expect(
      await result('add_job_logs', `[{"job_id": "${id}"}, [{"line": "a", "is_error": 1, "ts": 1600000000.5}]]`),
    ).toEqual({
      success: true,
      line_number: 1,
    });
    expect(await result('add_job_logs', `[{"job_id": "${id}"}, []]`)).toEqual({ success: true, line_number: 1 });
    const logs = await result<{ lines: object[] }>('get_job_logs', `[{"job_id": "${id}"}]`);
    expect(logs.lines[0]).toEqual({ line: 'a', linepos: 0, is_error: 1, ts: 1600000000500 });
    expect(await result('check_job_canceled', `[{"job_id": "${id}"}]`)).toEqual({
      job_id: id,
      canceled: false,
      finished: false,
    });
    const finished = `[{"job_id": "${id}", "job_output": {"version": "1.1", "result": [{"x": 1.0}], "id": "${id}"}}]`;
    expect(await result('finish_job', finished)).toBeNull();
    expect((await failure('finish_job', finished)).message).toBe('Cannot finish job with a status of completed');
    expect(await result('get_job_status', `[{"job_id": "${id}"}]`)).toEqual({ status: 'completed' });
    expect(await result('cancel_job', `[{"job_id": "${id}"}]`)).toBeNull();
    expect(await result('cancel_job', `[{"job_id": "${blocker}"}]`)).toBeNull();
  });
});

describe('cancel_job', () => {
  it('of a batch ends its children, with their processes', async () => {
    const { batch_id: batchId, child_job_ids: ids } = await result<{ batch_id: string; child_job_ids: string[] }>(
      'run_job_batch',
      '[[{"method":"demo.sleep"},{"method":"demo.sleep"}], {}]',
    );
    await until('a child to run', async () => (await check(ids[0]!)).status === 'running');
    await result('cancel_job', `[{"job_id": "${batchId}"}]`);
    expect(await check(batchId)).toMatchObject({ status: 'terminated', terminated_code: 0 });
    for (const id of ids) expect(await check(id)).toMatchObject({ status: 'terminated', terminated_code: 3 });
    await until('its processes to be gone', async () => {
      const { dispatches } = await s.client.call('getJob', { job_id: ids[0]! });
      return dispatches[0]?.close_reason === 'canceled';
    });
  });
});

describe('the wire', () => {
  it('answers every error with HTTP 500, application/json and the four members', async () => {
    const bad = ['', '{', '[]', '{"method":"execution_engine2.nope","params":[],"id":"1"}', '{"method":"x","id":1}'];
    for (const body of bad) {
      const answer = await fetch(`${s.url}/anything`, { method: 'POST', headers: { AUTHORIZATION: s.token }, body });
      expect(answer.status).toBe(500);
      expect(answer.headers.get('content-type')).toBe('application/json');
      const { error } = (await answer.json()) as { error: object };
      expect(Object.keys(error).sort()).toEqual(['code', 'error', 'message', 'name']);
    }
  });

  it('says its version and status to everyone, and asks the others for a token', async () => {
    expect(await result('ver', '[]', 'garbage')).toBeTypeOf('string');
    expect(await result('status', '[]')).toMatchObject({ service: expect.any(String), version: expect.any(String) });
    expect((await failure('run_job', '[{"method":"demo.echo"}]', 'garbage')).message).toMatch(
      /^Token validation failed: /,
    );
  });
});
