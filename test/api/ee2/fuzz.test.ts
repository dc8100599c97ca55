/**
 * Whatever is sent: an answer of the right shape, and never a defect. Twenty thousand requests from garbage to calls that
 * are nearly right; a failing one is shown with the seed that finds it again.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { operations } from '../../../src/contract/operations.js';
import type { Db } from '../../../src/store/db.js';
import { openTestDb } from '../../support/databases.js';
import { type Answer, type Ee2App, openEe2 } from '../../support/ee2-app.js';

let db: Db;
let app: Ee2App;
const known: string[] = ['0123456789abcdef01234567', '', 'x'];
beforeAll(async () => {
  db = await openTestDb();
  app = openEe2(db, { bodyLimit: 20_000 });
  app.h.rights.set('alice/5', 'write');
  const { batch_id: batch, child_job_ids: children } = await app.call<{ batch_id: string; child_job_ids: string[] }>(
    'run_job_batch',
    [[{ method: 'demo.run' }, { method: 'demo.run' }], { wsid: 5 }],
    'alice',
  );
  await app.call('finish_job', [{ job_id: children[0], error_message: 'it broke' }], 'alice');
  known.push(batch, ...children);
});
afterAll(() => db.close());

const METHODS = Object.values(operations).flatMap((operation) => ('ee2' in operation ? [operation.ee2] : []));
const MEMBERS = [...new Set(METHODS.flatMap(({ params }) => params.flatMap(namesOf))), 'wsid', 'method', 'app_id'];

function namesOf(schema: object): string[] {
  return Object.keys((schema as { properties?: object }).properties ?? {});
}

/** Strings that have broken something somewhere, beside random ones. */
const nasty = fc.constantFrom(
  '__proto__',
  'constructor',
  "'; drop table jobs; --",
  '1e999',
  '-0.0',
  'NaN',
  'demo.run',
  'demo.run ',
  'a.b.c',
  '9'.repeat(400),
  '\u2028',
  'status=created',
  'job_input__app_id=a',
  'job_input.params',
  'true',
  '2020-01-01',
);
/** PostgreSQL keeps neither; refused wherever they would be kept. */
const unstorable = fc.constantFrom('\u0000', 'a\ud800');
const id = fc.nat(5).map((at) => known[at % known.length] as string);
const scalar = fc.oneof(
  { weight: 12, arbitrary: nasty },
  { weight: 12, arbitrary: id },
  { weight: 12, arbitrary: fc.string({ maxLength: 20 }) },
  { weight: 1, arbitrary: unstorable },
  { weight: 6, arbitrary: fc.integer() },
  { weight: 6, arbitrary: fc.double() },
  { weight: 12, arbitrary: fc.constantFrom(null, true, false, 0, 1, -1, 5, 2 ** 31, 2 ** 53, 1e300) },
);
const value = fc.letrec((tie) => ({
  any: fc.oneof({ depthSize: 'small', withCrossShrink: true }, scalar, tie('list'), tie('mapping')),
  list: fc.array(tie('any'), { maxLength: 4 }),
  mapping: fc.dictionary(fc.oneof(fc.constantFrom(...MEMBERS), nasty, fc.string({ maxLength: 8 })), tie('any'), {
    maxKeys: 4,
  }),
})).any;
const often = (right: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 6, arbitrary: right }, { weight: 1, arbitrary: value });
const field = fc.constantFrom('user', 'status', 'job_input.params', 'job_input.params.a', 'error', 'retry_ids', 'nope');
const amount = fc.constantFrom(0, 1, 2, '2', '200MB', '3GB', 1.5, -1, 1e18, '', null);
/** What each member should be, mostly. */
const plausible = fc.record(
  {
    job_id: often(id),
    job_ids: often(fc.array(id, { maxLength: 3 })),
    batch_id: often(id),
    child_job_ids: often(fc.array(id, { maxLength: 3 })),
    method: often(fc.constantFrom('demo.run', ' demo . other ', 'demo')),
    params: value,
    app_id: often(fc.constantFrom('demo/app', 'demo', 'other/app')),
    wsid: often(fc.constantFrom(5, 6, 0, null)),
    workspace_id: often(fc.constantFrom(5, '5', 6, -1, 1e17)),
    source_ws_objects: often(fc.array(fc.constantFrom('1/2/3', ' 1 / 2 / 3 ', '1/2'), { maxLength: 2 })),
    meta: often(fc.dictionary(fc.constantFrom('tag', 'cell_id', 'x'), scalar, { maxKeys: 2 })),
    job_requirements: often(
      fc.dictionary(
        fc.constantFrom(
          'request_cpus',
          'request_memory',
          'client_group',
          'debug_mode',
          'bill_to_user',
          'scheduler_requirements',
        ),
        fc.oneof(amount, value),
        { maxKeys: 3 },
      ),
    ),
    start_time: often(fc.constantFrom(1, 1.5, '1', '1.5', '2020-01-01', 1e308)),
    end_time: often(fc.constantFrom(4e12, 4e9 + 0.5, '4000000000000', '2200-01-01')),
    filter: often(fc.dictionary(fc.oneof(field, fc.constant('job_input__method')), scalar, { maxKeys: 2 })),
    projection: often(fc.array(field, { maxLength: 3 })),
    exclude_fields: often(fc.array(field, { maxLength: 3 })),
    user: often(fc.constantFrom('ALL', 'alice', 'bob')),
    return_list: often(fc.constantFrom(0, 1, 'true', null)),
    limit: often(fc.constantFrom(0, 1, 10, '2')),
    skip_lines: often(fc.constantFrom(0, 1, 5)),
    status: often(fc.constantFrom('created', 'queued', 'running', 'estimating', 'lost')),
    skip_estimation: value,
    error_message: often(fc.constantFrom('', 'it broke')),
    error_code: often(fc.constantFrom(0, 1, 7, null)),
    error: value,
    job_output: often(fc.constantFrom({}, { version: '1.1', result: [1] }, { version: 1 })),
    terminated_code: often(fc.constantFrom(0, 3, 9)),
    as_admin: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, value),
    request_id: fc.oneof({ weight: 5, arbitrary: fc.constant(null) }, value),
    reason: often(nasty),
  },
  { requiredKeys: ['job_id', 'job_ids', 'batch_id', 'method', 'start_time', 'end_time', 'workspace_id', 'status'] },
);
const line = fc.record(
  { line: often(nasty), is_error: often(fc.constantFrom(0, 1, true)), ts: value },
  { requiredKeys: ['line'] },
);
const firstOf = (name: string) =>
  name === 'run_job_batch'
    ? fc.array(
        plausible.map(({ wsid: _, ...child }) => child),
        { maxLength: 3 },
      )
    : name === 'handle_held_job'
      ? nasty
      : plausible;
const secondOf = (name: string) =>
  name === 'add_job_logs' ? fc.array(line, { maxLength: 4 }) : fc.oneof(fc.constant({}), plausible);
const positional = (at: 0 | 1, name: string): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 8, arbitrary: at === 0 ? firstOf(name) : secondOf(name) }, { weight: 1, arbitrary: value });

/** The right number of parameters, mostly. */
const calls = fc.constantFrom(...METHODS).chain(({ method, params }) =>
  fc
    .record({
      params: fc.tuple(positional(0, method), positional(1, method)),
      number: fc.oneof({ weight: 15, arbitrary: fc.constant(params.length) }, fc.nat(2)),
      id: fc.oneof({ weight: 15, arbitrary: fc.constant('17') }, value),
    })
    .map((one) => {
      const fitted = one.params.slice(0, one.number);
      return write({ method: `execution_engine2.${method}`, params: fitted, version: '1.1', id: one.id });
    }),
);
const requests = fc
  .record(
    { method: fc.oneof(nasty, value), params: value, version: value, jsonrpc: value, id: value },
    { requiredKeys: [] },
  )
  .map(write);
/** JSON as JavaScript writes it, with what it never writes put in: 1.0, NaN, doubled names. */
function write(what: unknown): string {
  return (
    JSON.stringify(what, (_, inner) => (typeof inner === 'number' && !Number.isFinite(inner) ? null : inner)) ?? ''
  );
}
const mangled = fc
  .tuple(calls, fc.nat(), fc.nat(60), fc.constantFrom('', '1.0', 'NaN', '{', ']', '"', '\\u0000', '"id":1,', '\u00ff'))
  .map(([text, at, length, put]) => text.slice(0, at % text.length) + put + text.slice((at % text.length) + length));
const bodies = fc.oneof(
  { weight: 16, arbitrary: calls },
  { weight: 3, arbitrary: mangled },
  { weight: 2, arbitrary: requests },
  { weight: 1, arbitrary: value.map(write) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 200 }) },
);
const headers = fc
  .record(
    {
      authorization: fc.oneof(
        { weight: 12, arbitrary: fc.constantFrom('alice', 'alice', 'root', 'auditor', 'mallory') },
        fc.constantFrom('', 'Bearer alice', 't-0123456789abcdef01234567', '\u00ff'),
      ),
      'content-type': fc.constantFrom('text/plain', 'application/json; charset=utf-16', 'multipart/form-data'),
      'content-encoding': fc.oneof(
        { weight: 30, arbitrary: fc.constant('identity') },
        fc.constantFrom('gzip', 'deflate', 'br', 'GZIP'),
      ),
      'accept-encoding': fc.constantFrom('gzip, deflate', 'identity'),
    },
    { requiredKeys: ['authorization'] },
  )
  .map((all) => all as Record<string, string>);

function judge(answer: Answer): void {
  expect(answer.headers.get('content-type')).toBe('application/json');
  if (answer.status === 200) {
    if (answer.text === '') return;
    expect(Object.keys(answer.body)).toContain('result');
    return;
  }
  expect(answer.status).toBe(500);
  const { error } = answer.body as unknown as { error: Record<string, unknown> };
  const last = 'jsonrpc' in answer.body ? 'data' : 'error';
  expect(Object.keys(error)).toEqual(['code', 'name', 'message', last]);
  expect(error.name).toBeTypeOf('string');
  expect(error.message === null || typeof error.message === 'string').toBe(true);
  expect(error[last]).toBeNull();
  // 0 is a defect
  expect([-32700, -32600, -32601, -32602, -32000]).toContain(error.code);
}

const SECONDS = 10;
async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${SECONDS} s`)), SECONDS * 1000);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

it('answers 20,000 requests of any kind in its own form, without a defect', { timeout: 180_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(bodies, headers, async (body, all) => {
      judge(await inTime(app.post(body as string, all)));
    }),
    { numRuns: 20_000, endOnFailure: true },
  );
  // and is as well as before
  expect(await app.call('ver', [], 'alice')).toBe('1.2.3');
});
