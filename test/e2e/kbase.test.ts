/** A whole server in the place of EE2: KBase's users, workspaces, apps, and a job runner that is not ours. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KbaseFake } from '../support/kbase-fake.js';
import { type ServeCommand, serveCommand } from '../support/serve-command.js';
import { until } from '../support/until.js';

const COMMIT = 'c'.repeat(40);
const [ANN, BOB, EVE] = ['TOKENOFANN00000000000000000000AA', 'TOKENOFBOB00000000000000000000BB', 'TOKENOFEVE'];
const ADMIN = 'ADMINTOKEN';

let kbase: KbaseFake;
let server: ServeCommand;
const secrets = mkdtempSync(join(tmpdir(), 'reprise-secrets-'));
beforeAll(async () => {
  kbase = await new KbaseFake().start();
  for (const [token, user] of [
    [ANN, 'ann'],
    [BOB, 'bob'],
    [EVE, 'eve'],
  ] as const)
    kbase.users.set(token, user);
  kbase.workspaces.set(
    1,
    new Map([
      ['ann', 'a'],
      ['bob', 'w'],
    ]),
  );
  kbase.modules.set('demo', [{ commit: COMMIT, tags: ['release'] }]);
  kbase.clientGroups.set('demo.run', [['njs', 'request_cpus=1', 'request_memory=300M']]);
  writeFileSync(join(secrets, 'admin'), `${ADMIN}\n`);
  writeFileSync(join(secrets, 'key'), 'ab'.repeat(32));
  server = await serveCommand({
    config: {
      auth: 'kbase',
      workspaces: 'kbase',
      catalog: 'kbase',
      kbase: {
        url: kbase.url,
        login_url: `${kbase.url}/auth/api/legacy/KBase/Sessions/Login`,
        admin_token_file: join(secrets, 'admin'),
      },
      token_key_file: join(secrets, 'key'),
      runner: {
        command: [process.execPath, resolve(import.meta.dirname, '../support/job-runner.mjs'), '{job_id}', '{url}'],
        env: { RUNTIME: 'none' },
      },
      client_groups: { njs: { cpus: 4, memory_mb: 500, disk_gb: 10 } },
      default_client_group: 'njs',
    },
    args: ['--log-level', 'debug'],
  });
});
afterAll(async () => {
  await server.stop();
  await kbase.stop();
  rmSync(secrets, { recursive: true });
});

async function rpc<T>(method: string, params: unknown[], token = ANN): Promise<T> {
  const answer = await fetch(`${server.url}/services/ee2`, {
    method: 'POST',
    headers: { AUTHORIZATION: token },
    body: JSON.stringify({ method: `execution_engine2.${method}`, params, version: '1.1', id: '1' }),
  });
  const { result, error } = (await answer.json()) as { result: [T] | null; error?: { message: string } };
  if (error !== undefined) throw new Error(error.message);
  return (result?.[0] ?? null) as T;
}
interface State {
  readonly status: string;
  readonly user: string;
  readonly errormsg?: string;
  readonly error_code?: number;
  readonly job_output?: unknown;
  readonly job_input: { readonly service_ver: string; readonly requirements: object };
}
const run = (params: object, more: object = {}, token = ANN) =>
  rpc<string>('run_job', [{ method: 'demo.run', app_id: 'demo/run', params: [params], wsid: 1, ...more }], token);
const check = (id: string, token = ANN) => rpc<State>('check_job', [{ job_id: id }], token);
const ended = (id: string, token = ANN) =>
  until(`job ${id} to end`, async () => {
    const state = await check(id, token);
    return ['completed', 'error', 'terminated'].includes(state.status) && state;
  });
const linesOf = async (id: string) =>
  (await rpc<{ lines: { line: string }[] }>('get_job_logs', [{ job_id: id }])).lines.map(({ line }) => line);

describe('a server in the place of EE2', () => {
  it('runs a job of a KBase user by the runner, which starts and ends it with the user token', async () => {
    const file = join(secrets, 'seen.json');
    const id = await run({ what: 'succeed', file });
    expect(await ended(id)).toMatchObject({
      status: 'completed',
      user: 'ann',
      job_output: { version: '1.1', id, result: [[{ what: 'succeed', file }]] },
      job_input: { service_ver: COMMIT, requirements: { clientgroup: 'njs', cpu: 1, memory: 300, disk: 10 } },
    });
    await until('the last line', async () => (await linesOf(id)).includes('after the end'));
    expect(await linesOf(id)).toEqual(['the runner is here', 'after the end']);
    const seen = JSON.parse(readFileSync(file, 'utf8')) as {
      env: Record<string, string>;
      config: Record<string, string>;
    };
    expect(seen).toMatchObject({
      method: 'demo.run',
      service_ver: COMMIT,
      config: { 'external-url': `${server.url}/services/ee2`, 'catalog-url': `${kbase.url}/catalog`, scratch: '/tmp' },
      env: {
        JOB_ID: id,
        CLIENTGROUP: 'njs',
        DEBUG_MODE: 'False',
        DOCKER_JOB_TIMEOUT: '604805',
        RUNTIME: 'none',
        KB_AUTH_TOKEN: ANN,
        KB_ADMIN_AUTH_TOKEN: ADMIN,
      },
    });
    expect(Object.keys(seen.env).filter((name) => name.startsWith('REPRISE_KBASE'))).toEqual([]);
  });

  it('counts each execution at the Catalog, once', async () => {
    const id = await run({ what: 'fail' });
    expect(await ended(id)).toMatchObject({ status: 'error', error_code: 1, errormsg: 'it failed' });
    const stats = await until('the statistics', async () => kbase.stats.find((one) => one.job_id === id));
    expect(stats).toMatchObject({
      user_id: 'ann',
      func_name: 'run',
      app_id: 'demo/run',
      git_commit_hash: COMMIT,
      is_error: 1,
    });
    expect(kbase.stats.filter((one) => one.job_id === id)).toHaveLength(1);
  });

  it('ends the job of a runner that fell over, with what it said last', async () => {
    expect(await ended(await run({ what: 'die' }))).toMatchObject({
      status: 'error',
      error_code: 2,
      errormsg: 'the job runner ended with exit code 4 and reported no end of the job: the runner fell over',
    });
  });

  it('lets a runner notice a cancel and clean up; a retry by another member runs with that member token', async () => {
    const id = await run({ what: 'wait' });
    await until('the job to run', async () => (await check(id)).status === 'running');
    await rpc('cancel_job', [{ job_id: id }], BOB);
    await until('the runner to notice', async () => (await linesOf(id)).includes('refused, as it must be'));
    expect((await check(id)).status).toBe('terminated');
    const file = join(secrets, 'retried.json');
    const failed = await run({ what: 'fail', file });
    await ended(failed);
    const { retry_id: retry } = await rpc<{ retry_id: string }>('retry_job', [{ job_id: failed }], BOB);
    expect(await ended(retry)).toMatchObject({ user: 'bob' });
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ env: { JOB_ID: retry, KB_AUTH_TOKEN: BOB } });
  });

  it('asks for the version and the client group once for a batch of equal methods', async () => {
    kbase.calls.length = 0;
    const jobs = Array.from({ length: 5 }, () => ({ method: 'demo.run', params: [{ what: 'succeed' }] }));
    const { child_job_ids: ids } = await rpc<{ child_job_ids: string[] }>('run_job_batch', [jobs, { wsid: 1 }]);
    expect(kbase.countOf('Catalog.get_module_version')).toBe(1);
    expect(kbase.countOf('Catalog.list_client_group_configs')).toBeLessThanOrEqual(1);
    for (const id of ids) expect(await ended(id)).toMatchObject({ status: 'completed' });
  });

  it('refuses strangers, other sources and unknown tokens with the sentences of EE2', async () => {
    await expect(run({}, {}, EVE)).rejects.toThrow("User eve doesn't have permission to run jobs in workspace 1.");
    await expect(run({}, { source_ws_objects: ['99/1/1'] })).rejects.toThrow('Some workspace object is inaccessible');
    await expect(run({}, {}, 'NOBODY')).rejects.toThrow(
      'Token validation failed: Error connecting to auth service: 401 Unauthorized\n10020 Invalid token',
    );
    await expect(run({}, { method: 'nope.run', app_id: undefined })).rejects.toThrow('Module cannot be found');
    await expect(run({}, { wsid: 77 })).rejects.toThrow(
      "('An error occurred while fetching user permissions from the Workspace', ServerError('No workspace with id 77 exists'))",
    );
  });

  it('goes on with what runs while all of KBase is down, and says what can not be', async () => {
    const id = await run({ what: 'wait' });
    await until('the job to run', async () => (await check(id)).status === 'running');
    kbase.fail('', 'refuse', Number.POSITIVE_INFINITY);
    expect(await check(id)).toMatchObject({ status: 'running' });
    await rpc('cancel_job', [{ job_id: id }]);
    await until('the runner to notice', async () => (await linesOf(id)).includes('refused, as it must be'));
    await expect(run({ what: 'succeed' })).rejects.toThrow(/An error occurred while fetching user permissions/);
    await expect(run({ what: 'succeed' }, { wsid: undefined })).rejects.toThrow(/the Catalog can not be asked/);
    kbase.faults.clear();
    expect(await ended(await run({ what: 'succeed' }))).toMatchObject({ status: 'completed' });
  });

  it('makes no tokens, workspaces or apps itself, and says where they are made', async () => {
    const rest = async (path: string, body: object) => {
      const headers = { Authorization: `Bearer ${ANN}`, 'content-type': 'application/json' };
      const answer = await fetch(`${server.url}/api/v1${path}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      });
      return (await answer.json()) as { error?: { code: string; message: string } };
    };
    expect(await rest('/tokens', {})).toMatchObject({
      error: { message: `tokens are made by KBase: ${kbase.url}/auth` },
    });
    expect(await rest('/workspaces', { name: 'x' })).toMatchObject({
      error: { message: `workspaces are KBase's: ${kbase.url}/ws` },
    });
    expect(existsSync(join(server.dataDir, 'admin-token'))).toBe(false);
    const answer = await fetch(`${server.url}/api/v1/apps/demo/methods/run`, {
      headers: { Authorization: `Bearer ${ANN}` },
    });
    expect(await answer.json()).toEqual({
      method: 'demo.run',
      commit: COMMIT,
      tag: 'release',
      timeout_ms: 7 * 24 * 3_600_000,
      requirements: { cpus: 1, memory_mb: 300, disk_gb: 10, client_group: 'njs' },
      params_schema: null,
    });
  });

  it('keeps the tokens of its users in no file and no line of its log', async () => {
    const leaks = filesBelow(server.dataDir).filter((file) => {
      const text = orIfGone('', () => readFileSync(file, 'latin1'));
      return text.includes(ANN) || text.includes(BOB) || text.includes(ADMIN);
    });
    expect(leaks).toEqual([]);
    for (const token of [ANN, BOB, ADMIN]) expect(server.said()).not.toContain(token);
  });
});

/** The working directory of a good job is removed a moment after its end. */
function orIfGone<T>(instead: T, look: () => T): T {
  try {
    return look();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return instead;
    throw error;
  }
}

function filesBelow(directory: string): string[] {
  const entries = orIfGone([], () => readdirSync(directory, { withFileTypes: true }));
  return entries.flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return filesBelow(path);
    return entry.isFile() ? [path] : [];
  });
}
