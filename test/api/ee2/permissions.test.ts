/** Who may call what: every call of EE2 × every kind of caller × with and without the wish for admin power. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { operations } from '../../../src/contract/operations.js';
import type { Db } from '../../../src/store/db.js';
import { openTestDb } from '../../support/databases.js';
import { type Ee2App, openEe2 } from '../../support/ee2-app.js';
import { runAll } from '../../support/engine.js';

let db: Db;
let app: Ee2App;
beforeAll(async () => {
  db = await openTestDb();
  app = openEe2(db);
  for (const [member, right] of [
    ['owner/5', 'write'],
    ['owner/6', 'write'],
    ['wsadmin/5', 'admin'],
    ['writer/5', 'write'],
    ['reader/5', 'read'],
    ['*/6', 'read'],
  ] as const) {
    app.h.rights.set(member, right);
  }
});
afterAll(() => db.close());

const CALLERS = ['owner', 'wsadmin', 'writer', 'reader', 'public', 'stranger', 'auditor', 'root'] as const;
type Caller = (typeof CALLERS)[number];

/** Everyone may read workspace 6; 5 has members only. */
const workspaceOf = (caller: Caller) => (caller === 'public' ? 6 : 5);

async function job(wsid: number): Promise<string> {
  return app.call('run_job', [{ method: 'demo.run', params: [1], wsid }], 'owner');
}
async function logged(wsid: number): Promise<string> {
  const id = await job(wsid);
  await app.call('add_job_logs', [{ job_id: id }, [{ line: 'a' }]], 'owner');
  return id;
}
async function failed(wsid: number): Promise<string> {
  const id = await job(wsid);
  await app.call('finish_job', [{ job_id: id, error_message: 'it broke' }], 'owner');
  return id;
}
async function batch(wsid: number): Promise<{ batch_id: string; child_job_ids: string[] }> {
  return app.call('run_job_batch', [[{ method: 'demo.run' }, { method: 'demo.run' }], { wsid }], 'owner');
}
async function held(wsid: number): Promise<string> {
  const id = await job(wsid);
  await app.h.dispatcher.runOnce();
  const [dispatch] = await app.h.engine.dispatchesOf(id);
  return dispatch!.schedulerId!;
}

/** A test reads what it makes once; a write needs its own subject for each caller. */
const once = (make: (wsid: number) => Promise<string>) => {
  const made = new Map<number, Promise<string>>();
  return (wsid: number) => made.get(wsid) ?? made.set(wsid, make(wsid)).get(wsid)!;
};
const read = { job: once(job), logged: once(logged), batch: once(async (wsid) => (await batch(wsid)).batch_id) };
const range = { start_time: 1, end_time: 4_000_000_000_000 };

/**
 * A letter for each of CALLERS, in their order:
 *
 * | o | done                                                     | a | not an administrator (reading)     |
 * | d | denied by the job, the workspace or the user             | A | not an administrator (writing)     |
 * | f | an object that stands in the place of the job            | r | an administrator who may only read |
 * | i | refused item by item                                     | c | not the concierge                  |
 */
interface Row {
  readonly method: string;
  readonly params: (wsid: number) => Promise<readonly [Record<string, unknown>, ...unknown[]] | readonly []>;
  readonly without: string;
  readonly withPower: string;
  /** Which of the positional parameters has `as_admin`. */
  readonly at?: number;
}

const READ = { without: 'oooooddd', withPower: 'aaaaaaoo' };
const CHECK = { without: 'ooooofff', withPower: 'aaaaaaoo' };
const WRITE = { without: 'oooddddd', withPower: 'AAAAAAro' };
const ANYONE = { without: 'oooooooo', withPower: 'oooooooo' };
const OTHERS = { without: 'ddddddoo', withPower: 'aaaaaaoo' };
const nothing = async () => [] as const;

const ROWS: readonly Row[] = [
  { method: 'get_job_params', params: async (w) => [{ job_id: await read.job(w) }], ...READ },
  { method: 'get_job_logs', params: async (w) => [{ job_id: await read.logged(w) }], ...READ },
  { method: 'get_job_status', params: async (w) => [{ job_id: await read.job(w) }], ...READ },
  { method: 'check_job_canceled', params: async (w) => [{ job_id: await read.job(w) }], ...READ },
  { method: 'check_workspace_jobs', params: async (w) => [{ workspace_id: w }], ...READ },
  { method: 'check_job', params: async (w) => [{ job_id: await read.job(w) }], ...CHECK },
  { method: 'check_jobs', params: async (w) => [{ job_ids: [await read.job(w)] }], ...CHECK },
  { method: 'check_job_batch', params: async (w) => [{ job_id: await read.batch(w) }], ...CHECK },
  {
    method: 'check_jobs_date_range_for_user',
    params: async () => [range],
    without: 'oooooooo',
    withPower: 'aaaaaaoo',
  },
  { method: 'check_jobs_date_range_for_user', params: async () => [{ ...range, user: 'someone' }], ...OTHERS },
  { method: 'check_jobs_date_range_for_all', params: async () => [range], ...OTHERS },
  { method: 'run_job', params: async (w) => [{ method: 'demo.run', wsid: w }], ...WRITE },
  { method: 'run_job_batch', params: async (w) => [[{ method: 'demo.run' }] as never, { wsid: w }], at: 1, ...WRITE },
  { method: 'run_job_concierge', params: async (w) => [{ method: 'demo.run', wsid: w }, {}], ...WRITE },
  {
    method: 'run_job_concierge',
    params: async (w) => [{ method: 'demo.run', wsid: w }, { request_cpus: 1 }],
    without: 'cccccccc',
    withPower: 'AAAAAArc',
  },
  { method: 'retry_job', params: async (w) => [{ job_id: await failed(w) }], ...WRITE },
  {
    method: 'retry_jobs',
    params: async (w) => [{ job_ids: [await failed(w)] }],
    without: 'oooiiiii',
    withPower: 'iiiiiiio',
  },
  { method: 'cancel_job', params: async (w) => [{ job_id: await job(w) }], ...WRITE },
  { method: 'start_job', params: async (w) => [{ job_id: await job(w) }], ...WRITE },
  { method: 'finish_job', params: async (w) => [{ job_id: await job(w), job_output: {} }], ...WRITE },
  { method: 'update_job_status', params: async (w) => [{ job_id: await job(w), status: 'queued' }], ...WRITE },
  { method: 'add_job_logs', params: async (w) => [{ job_id: await read.job(w) }, [{ line: 'x' }]], ...WRITE },
  {
    method: 'abandon_children',
    async params(w) {
      const { batch_id, child_job_ids } = await batch(w);
      return [{ batch_id, child_job_ids: [child_job_ids[0]] }];
    },
    ...WRITE,
  },
  {
    method: 'handle_held_job',
    params: async (w) => [(await held(w)) as never],
    without: 'AAAAAAro',
    withPower: 'AAAAAAro',
    at: -1,
  },
  { method: 'is_admin', params: nothing, ...ANYONE },
  { method: 'get_admin_permission', params: nothing, ...ANYONE },
  { method: 'get_client_groups', params: nothing, ...ANYONE },
  { method: 'list_config', params: nothing, ...ANYONE },
  { method: 'ver', params: nothing, ...ANYONE },
  { method: 'status', params: nothing, ...ANYONE },
];

function withWish(params: readonly unknown[], at: number): unknown[] {
  return params.map((value, index) => (index === at ? { ...(value as object), as_admin: true } : value));
}

const SENTENCES: readonly [string, RegExp][] = [
  ['d', /^User \w+ does not have permission to JobPermissions\.(READ|WRITE) job [0-9a-f]{24}$/],
  ['d', /^User \w+ doesn't have permission to run jobs in workspace \d\.$/],
  ['d', /^User \w+ does not have permission to read jobs in workspace \d$/],
  ['d', /^You are not authorized to view all records or records for others\. user=\w+ token=\w+$/],
  ['a', /^Access Denied: You are not an administrator$/],
  ['A', /^Access Denied: You are not an administrator\. AdminPermissions\.NONE$/],
  ['r', /^Access Denied: You are a read-only admin\. This function requires write access$/],
  ['c', /^You are not the concierge user\. This method is not for you$/],
];

async function letterOf(method: string, params: readonly unknown[], caller: string): Promise<string> {
  const { body, status } = await app.rpc(method, JSON.stringify(params), caller);
  if (body.error !== undefined) {
    expect(status).toBe(500);
    const { message } = body.error;
    return SENTENCES.find(([, sentence]) => sentence.test(message ?? ''))?.[0] ?? `?${message}`;
  }
  const text = JSON.stringify(body.result);
  if (text.includes('"check_job_error":true')) return text.includes('No read permissions for') ? 'f' : `?${text}`;
  if (method === 'retry_jobs' && text.includes('"error":')) return 'i';
  return 'o';
}

describe.each(ROWS)('$method (may: $without, as admin: $withPower)', (row) => {
  it.each([
    ['without the wish for power', row.without, false],
    ['with as_admin', row.withPower, true],
  ])('%s', async (_, expected, wish) => {
    const letters = [];
    for (const caller of CALLERS) {
      const params = await row.params(workspaceOf(caller));
      letters.push(await letterOf(row.method, wish ? withWish(params, row.at ?? 0) : params, caller));
    }
    expect(letters.join('')).toBe(expected);
  });
});

it('the table has every call', () => {
  const calls = Object.values(operations).flatMap((operation) => ('ee2' in operation ? [operation.ee2.method] : []));
  expect(calls).toHaveLength(28);
  expect([...new Set(ROWS.map((row) => row.method))].sort()).toEqual([...calls].sort());
});

describe('as_admin', () => {
  it.each(['true', '1', '"false"', '"0"', '[0]', '{"a":1}', '0.5'])('is meant by %s', async (wish) => {
    const id = await read.job(5);
    expect(await letterOf('check_job', [{ job_id: id, as_admin: JSON.parse(wish) }], 'auditor')).toBe('o');
    expect(await letterOf('check_job', [{ job_id: id, as_admin: JSON.parse(wish) }], 'owner')).toBe('a');
  });

  it.each(['false', '0', '""', '[]', '{}', 'null', '0.0'])('is not meant by %s', async (wish) => {
    const id = await read.job(5);
    expect(await letterOf('check_job', [{ job_id: id, as_admin: JSON.parse(wish) }], 'auditor')).toBe('f');
    expect(await letterOf('check_job', [{ job_id: id, as_admin: JSON.parse(wish) }], 'owner')).toBe('o');
  });

  it('of one child means nothing', async () => {
    const children = [{ method: 'demo.run', as_admin: true }];
    expect(await letterOf('run_job_batch', [children, { wsid: 5 }], 'root')).toBe('d');
  });
});

describe('rights', () => {
  it('are gone at once when they are taken', async () => {
    const id = await read.job(5);
    app.h.rights.set('guest/5', 'write');
    expect(await letterOf('get_job_params', [{ job_id: id }], 'guest')).toBe('o');
    app.h.rights.delete('guest/5');
    expect(await letterOf('get_job_params', [{ job_id: id }], 'guest')).toBe('d');
  });

  it('of the root owner over a retry that another made are to read and to cancel it', async () => {
    const root = await failed(5);
    const { retry_id: retry } = await app.call<{ retry_id: string }>('retry_job', [{ job_id: root }], 'writer');
    app.h.rights.delete('owner/5');
    expect(await letterOf('get_job_params', [{ job_id: retry }], 'owner')).toBe('o');
    expect(await letterOf('start_job', [{ job_id: retry }], 'owner')).toBe('d');
    expect(await letterOf('cancel_job', [{ job_id: retry }], 'owner')).toBe('o');
    app.h.rights.set('owner/5', 'write');
  });

  it('of an admin cancel a foreign batch with all its children', async () => {
    const { batch_id: id, child_job_ids: children } = await batch(5);
    await app.call('cancel_job', [{ job_id: id, as_admin: true }], 'root');
    const states = await app.call<Record<string, { status: string; terminated_code: number }>>(
      'check_jobs',
      [{ job_ids: [id, ...children], return_list: 0 }],
      'owner',
    );
    expect(children.map((child) => states[child])).toMatchObject([
      { status: 'terminated', terminated_code: 3 },
      { status: 'terminated', terminated_code: 3 },
    ]);
  });

  it('say what an admin may', async () => {
    const of = (user: string) =>
      Promise.all([app.call('is_admin', [], user), app.call('get_admin_permission', [], user)]);
    expect(await of('root')).toEqual([true, { permission: 'w' }]);
    expect(await of('auditor')).toEqual([true, { permission: 'r' }]);
    expect(await of('owner')).toEqual([false, { permission: 'n' }]);
  });

  it('are asked of a job of the runner, whose token is good for its own job alone', async () => {
    const [mine, other] = [await job(5), await job(5)];
    await app.h.dispatcher.runOnce();
    const { token } = [...app.h.scheduler.given.values()].find((one) => one.jobId === mine)!;
    const call = (method: string, id: string) => app.rpc(method, `[{"job_id": "${id}"}]`, token);
    expect((await call('get_job_params', mine)).status).toBe(200);
    expect((await call('start_job', mine)).status).toBe(200);
    expect((await call('get_job_params', other)).body.error?.message).toMatch(/does not have permission/);
    expect((await call('cancel_job', mine)).body.error?.message).toMatch(/^Token validation failed/);
    await runAll(app.h, () => 'ok');
  });
});
