/** REST on a whole server: one job, many, a batch, more for a batch, retries, lists, events, rights. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/client.js';
import { RawJson } from '../../src/contract/raw-json.js';
import type { EventView } from '../../src/contract/schemas.js';
import { batchEnded, ended, startTestServer, type TestServer, until } from '../support/server.js';

let s: TestServer;
beforeAll(async () => {
  s = await startTestServer();
});
afterAll(() => s.close());

const HARD = '[1.0, 9007199254740993, 1e22, -0.0, "\\u2028", {"b":1,"a":2}]';
const rest = (method: string, path: string, body?: string, headers: Record<string, string> = {}) =>
  fetch(`${s.url}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${s.token}`, ...headers },
    ...(body !== undefined && { body }),
  });
const submit = async (...methods: string[]) => {
  const jobs = methods.map((method) => ({ method: `demo.${method}` }));
  const { items } = await s.client.call('submitJobs', { jobs });
  return items.map((item) => item.job_id as string);
};
async function failedJob(): Promise<string> {
  const [id] = await submit('fail');
  await ended(s.client, id!);
  return id!;
}

describe('POST /jobs', () => {
  it('takes a list of jobs without any parent, and one bad one does not fail the others', async () => {
    const body = `[{"method":"demo.echo","params":${HARD}},{"method":"demo.nope"},{"method":"demo.echo","params":2}]`;
    const answer = await rest('POST', '/jobs', body);
    expect(answer.status).toBe(200);
    const result = (await answer.json()) as {
      accepted: number;
      batch_id: null;
      items: { job_id: string; error: { code: string } }[];
    };
    expect([result.accepted, result.batch_id]).toEqual([2, null]);
    expect(result.items.map((item) => item.error?.code ?? null)).toEqual([null, 'UNKNOWN_METHOD', null]);
    const job = await ended(s.client, result.items[0]!.job_id);
    expect([job.params, job.output]).toEqual([new RawJson(HARD), new RawJson(HARD)]);
  });

  it('with an Idempotency-Key gives the first answer again, and a conflict for another body', async () => {
    const key = { 'idempotency-key': 'k-1' };
    const first = await rest('POST', '/jobs', '[{"method":"demo.echo"}]', key);
    const second = await rest('POST', '/jobs', '[{"method":"demo.echo"}]', key);
    expect(await second.json()).toEqual(await first.json());
    const other = await rest('POST', '/jobs', '[{"method":"demo.echo","params":1}]', key);
    expect([other.status, ((await other.json()) as { error: { code: string } }).error.code]).toEqual([
      409,
      'REQUEST_ID_REUSED',
    ]);
  });

  it('with dry_run gives the verdicts and records nothing', async () => {
    const newest = async () => (await s.client.call('listJobs', { limit: 1 })).items[0]?.job_id;
    const before = await newest();
    const result = await s.client.call('submitJobs', {
      jobs: [{ method: 'demo.echo' }, { method: 'x.y' }],
      dry_run: true,
    });
    expect(result).toMatchObject({ dry_run: true, accepted: 1, refused: 1 });
    expect(await newest()).toBe(before);
  });
});

describe('a failed job', () => {
  it('says its class, exit code and what the app said last', async () => {
    const id = await failedJob();
    const job = await s.client.call('getJob', { job_id: id });
    expect(job.failure).toMatchObject({ error_code: 1, failure_class: 'app', exit_code: 3, exit_signal: null });
    expect(job.failure!.message).toMatch(/the wheel came off$/);
    const { lines } = await s.client.call('getLogs', { job_id: id });
    expect(lines.map((line) => [line.line, line.is_error]).sort()).toEqual([
      ['about to fail', false],
      ['the wheel came off', true],
    ]);
  });

  it('without an output is of class output', async () => {
    const [id] = await submit('silent');
    expect((await ended(s.client, id!)).failure).toMatchObject({ error_code: 4, failure_class: 'output' });
  });
});

describe('a retry', () => {
  it('of one job answers its receipt; refused it is a 409 with the receipt', async () => {
    const id = await failedJob();
    const receipt = await s.client.call('retryJob', { job_id: id, reason: 'because' });
    expect(receipt).toMatchObject({ accepted: true, requested_id: id, root_id: id, retry_number: 1 });
    const done = await ended(s.client, receipt.retry_id!);
    expect(done).toMatchObject({ root_id: id, retry_number: 1, retry_reason: 'because', retry_count: 1 });
    const [completed] = await submit('echo');
    await ended(s.client, completed!);
    const refused = await rest('POST', `/jobs/${completed}/retry`, '{}');
    const { error } = (await refused.json()) as { error: { code: string; details: { receipt: object } } };
    expect([refused.status, error.code]).toEqual([409, 'ALREADY_SUCCEEDED']);
    expect(error.details.receipt).toMatchObject({ requested_id: completed, accepted: false });
  });

  it('runs the recorded commit after the tag has moved, and a new job runs the new one', async () => {
    const flag = `${s.dataDir}/flag`;
    const params = new RawJson(JSON.stringify(flag));
    const { batch_id: batchId } = await s.client.call('submitBatch', {
      jobs: [{ method: 'demo.flaky', params }, { method: 'demo.version' }],
    });
    await batchEnded(s.client, batchId!);
    const second = s.repository.commit('two');
    await s.client.call('addApp', { repository: s.repository.path, tag: 'release' });
    try {
      await (await import('node:fs/promises')).writeFile(flag, '');
      const { receipts } = await s.client.call('retryBatch', { batch_id: batchId! });
      expect(await ended(s.client, receipts[0]!.retry_id!)).toMatchObject({ status: 'completed', commit: s.commit });
      const [fresh] = await submit('version');
      expect(await ended(s.client, fresh!)).toMatchObject({ commit: second, output: new RawJson('"two"') });
      const app = await s.client.call('getApp', { module: 'demo' });
      expect(app.tag_history.map((move) => move.to_commit)).toEqual([second, s.commit]);
      expect(app.tag_history[0]!.from_commit).toBe(s.commit);
    } finally {
      await s.client.call('moveTag', { module: 'demo', tag: 'release', commit: s.commit });
    }
  });

  it('of ten thousand items answers each, in order, in one call', async () => {
    const id = await failedJob();
    const ids = Array.from({ length: 10_000 }, (_, n) => (n === 5000 ? id : n.toString(16).padStart(24, '0')));
    const { receipts, accepted } = await s.client.call('retryJobs', { job_ids: ids });
    expect(receipts.map((receipt) => receipt.requested_id)).toEqual(ids);
    expect(accepted).toBe(1);
  });
});

describe('a batch', () => {
  it('can be extended, listed and cancelled, and then takes no more', async () => {
    const { batch_id: batchId } = await s.client.call('submitBatch', { name: 'mine', jobs: [{ method: 'demo.echo' }] });
    await s.client.call('extendBatch', { batch_id: batchId!, jobs: [{ method: 'demo.fail' }] });
    expect(await batchEnded(s.client, batchId!)).toMatchObject({
      name: 'mine',
      items: 2,
      counts: { completed: 1, error: 1 },
    });
    expect((await s.client.call('listBatches', { state: ['error'] })).items[0]!.batch_id).toBe(batchId);
    await s.client.call('cancelBatch', { batch_id: batchId! });
    await expect(
      s.client.call('extendBatch', { batch_id: batchId!, jobs: [{ method: 'demo.echo' }] }),
    ).rejects.toMatchObject({
      code: 'BATCH_CANCELLED',
    });
  });
});

describe('lists', () => {
  it('are read page by page without a gap or a double, filtered by state and app', async () => {
    await Promise.all((await submit('echo', 'echo', 'echo', 'fail')).map((id) => ended(s.client, id)));
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: { items: { job_id: string; status: string }[]; next_cursor: string | null } = await s.client.call(
        'listJobs',
        {
          limit: 2,
          app: 'demo.echo',
          state: ['completed'],
          ...(cursor !== null && { cursor }),
        },
      );
      seen.push(...page.items.map((job) => job.job_id));
      cursor = page.next_cursor;
    } while (cursor !== null);
    expect(seen.length).toBeGreaterThanOrEqual(3);
    expect(seen).toEqual([...new Set(seen)].sort().reverse());
  });

  it("show a caller's own jobs, and others' only to admins who say so", async () => {
    const user = createClient({ url: s.url, token: await s.userToken('lister') });
    expect((await user.call('listJobs', {})).items).toEqual([]);
    await expect(user.call('listJobs', { as_admin: true })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(user.call('listJobs', { user: 'admin' })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect((await s.client.call('listJobs', { as_admin: true })).items.length).toBeGreaterThan(0);
  });
});

describe('events', () => {
  it('stream live and resume after the last id without a gap', async () => {
    const { batch_id: batchId } = await s.client.call('submitBatch', {
      jobs: [{ method: 'demo.fail' }, { method: 'demo.echo' }],
    });
    const stop = new AbortController();
    const seen: EventView[] = [];
    for await (const event of s.client.events({ batch_id: batchId!, signal: stop.signal })) {
      seen.push(event);
      if (seen.filter((one) => one.kind === 'job.dispatch_closed').length === 2) break;
    }
    stop.abort();
    const { items } = await s.client.call('listBatchEvents', { batch_id: batchId! });
    expect(items.map((event) => event.event_id)).toEqual(seen.map((event) => event.event_id));
    const half = await s.client.call('listBatchEvents', { batch_id: batchId!, after: seen[3]!.event_id });
    expect(half.items.map((event) => event.event_id)).toEqual(seen.slice(4).map((event) => event.event_id));
    expect(new Set(seen.map((event) => event.kind))).toEqual(
      new Set([
        'batch.created',
        'job.created',
        'job.dispatched',
        'job.queued',
        'job.started',
        'job.failed',
        'job.completed',
        'job.dispatch_closed',
      ]),
    );
  });
});

describe('rights', () => {
  it('of a shared workspace let a member read and retry, and a stranger neither', async () => {
    const [ann, ben, eve] = await Promise.all(
      ['ann', 'ben', 'eve'].map(async (user) => createClient({ url: s.url, token: await s.userToken(user) })),
    );
    const { wsid } = await ann!.call('createWorkspace', { name: 'lab' });
    await ann!.call('shareWorkspace', { wsid, user: 'ben', role: 'write' });
    const { items } = await ann!.call('submitJobs', { jobs: [{ method: 'demo.fail', wsid }] });
    const id = items[0]!.job_id!;
    await ended(ann!, id);
    await expect(eve!.call('getJob', { job_id: id })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const receipt = await ben!.call('retryJob', { job_id: id });
    expect((await ended(ann!, receipt.retry_id!)).user).toBe('ben');
    await ann!.call('shareWorkspace', { wsid, user: 'ben', role: 'none' });
    await expect(ben!.call('getJob', { job_id: id })).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('end with the token', async () => {
    const made = await s.client.call('createToken', { user: 'gone', name: 'short' });
    const gone = createClient({ url: s.url, token: made.token });
    expect(await gone.call('whoAmI', {})).toEqual({ user: 'gone', admin: 'none' });
    await s.client.call('revokeToken', { token_id: made.token_id });
    await expect(gone.call('whoAmI', {})).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });
});

describe('a withdrawn version', () => {
  it('refuses submissions and retries up front', async () => {
    const id = await failedJob();
    const next = s.repository.commit('three');
    await s.client.call('addApp', { repository: s.repository.path, tag: 'release' });
    await s.client.call('withdrawVersion', { commit: s.commit, reason: 'wrong results' });
    const { items } = await s.client.call('submitJobs', {
      jobs: [{ method: 'demo.echo', version: s.commit }, { method: 'demo.echo' }],
    });
    expect(items.map((item) => item.error?.code ?? item.commit)).toEqual(['VERSION_WITHDRAWN', next]);
    await expect(s.client.call('retryJob', { job_id: id })).rejects.toMatchObject({ code: 'VERSION_WITHDRAWN' });
  });
});

describe('the server', () => {
  it('answers health, metrics, the OpenAPI document and its page without a token', async () => {
    const [health, metrics, document, page] = await Promise.all(
      ['/healthz', '/metrics', '/api/v1/openapi.json', '/api/v1/docs'].map((path) => fetch(s.url + path)),
    );
    expect([health, metrics, document, page].map((answer) => answer!.status)).toEqual([200, 200, 200, 200]);
    expect(await metrics!.text()).toContain('reprise_');
    const { openapi, paths } = (await document!.json()) as { openapi: string; paths: Record<string, unknown> };
    expect(openapi).toMatch(/^3\.1/);
    expect(Object.keys(paths)).toContain('/jobs/{job_id}/retry');
    expect(await page!.text()).toContain('<html');
  });

  it('refuses an unknown route, a wrong method and a missing token, each with its code', async () => {
    const code = async (answer: Response) => [
      answer.status,
      ((await answer.json()) as { error: { code: string } }).error.code,
    ];
    expect(await code(await rest('GET', '/nope'))).toEqual([404, 'ROUTE_NOT_FOUND']);
    expect(await code(await rest('DELETE', '/jobs'))).toEqual([405, 'METHOD_NOT_ALLOWED']);
    expect(await code(await fetch(`${s.url}/api/v1/jobs`))).toEqual([401, 'UNAUTHENTICATED']);
    expect(await code(await rest('POST', '/jobs', '{'))).toEqual([400, 'PARSE_ERROR']);
    expect(await code(await rest('POST', '/jobs', '{"jobs":[{"method":5}]}'))).toEqual([400, 'INVALID_PARAMS']);
  });
});

describe('slots', () => {
  it('let a second user run while the first has thousands waiting', async () => {
    const many = Array.from({ length: 2000 }, () => ({ method: 'demo.echo' }));
    const { batch_id: batchId } = await s.client.call('submitBatch', { jobs: many });
    const other = createClient({ url: s.url, token: await s.userToken('patient') });
    const { items } = await other.call('submitJobs', { jobs: [{ method: 'demo.echo', version: 'release' }] });
    await ended(other, items[0]!.job_id!);
    const { counts } = await s.client.call('getBatch', { batch_id: batchId! });
    expect(counts.created).toBeGreaterThan(0);
    await s.client.call('cancelBatch', { batch_id: batchId! });
    await until('the slots to be free', async () => {
      const { items: open } = await s.client.call('listJobs', { state: ['queued', 'running'] });
      return open.length === 0;
    });
  });
});
