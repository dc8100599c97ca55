/** The command line as people and scripts use it: built programs, a server of their own, real jobs. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  AppDetail,
  BatchView,
  JobDetail,
  Lineage,
  LogPage,
  RetryResult,
  SubmitResult,
  TokenView,
  WorkspaceView,
} from '../../src/contract/schemas.js';
import { createCli, PROGRAM } from '../cli/reprise.js';
import { makeAppRepository } from '../support/app-repository.js';
import { until } from '../support/server.js';

const ID = /^[0-9a-f]{24}$/;
const sh = (script: string) => ({ command: ['sh', '-c', script], requirements: { cpus: 1, memory_mb: 50 } });
/** `stats` fails until the file `late` is there; its `name` must be a string. */
const methodsOf = (late: string) => ({
  stats: {
    ...sh(`[ -e '${late}' ] || { echo "the reference is missing" >&2; exit 3; }; cp input.json output.json`),
    params_schema: {
      type: 'object',
      required: ['name'],
      properties: { name: { type: 'string' }, ratio: { type: 'number' } },
    },
  },
  echo: sh('cp input.json output.json'),
  fail: sh('echo "wheel $REPRISE_JOB_ID came off" >&2; exit 3'),
  chatter: sh('seq -f "line %.0f" 30000; echo 1 > output.json'),
  /** Goes on when the file named by its parameters (a JSON string) is there. */
  gate: sh(
    'f=$(tr -d \'"\' < input.json); echo begin; until [ -e "$f" ]; do sleep 0.05; done; echo end; echo 1 > output.json',
  ),
  sleep: sh('sleep 300'),
  talk: sh(`printf 'one\\n\\033[31mred\\033[0m\\033]0;title\\007\\nthree\\n'; echo bad >&2; echo 1 > output.json`),
});

const cli = createCli();
const folder = mkdtempSync(join(tmpdir(), 'reprise-cli-files-'));
const late = join(folder, 'late');
const repository = makeAppRepository(methodsOf(late));
let commit = '';
let url = '';

const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const { run, out, json } = cli;
let gates = 0;
/** The arguments of a job that runs until `open`. */
function gate(): { args: string[]; open(): void } {
  gates += 1;
  const path = join(folder, `gate-${gates}`);
  const params = file(`gate-${gates}.json`, JSON.stringify(path));
  return { args: ['run', 'demo.gate', '--params-file', params], open: () => writeFileSync(path, '') };
}

beforeAll(async () => {
  ({ url } = await cli.serve());
  commit = repository.commit('one');
  expect(await out('app', 'add', repository.path, '--tag', 'release')).toBe(commit);
});
afterAll(async () => {
  await cli.close();
  for (const path of [folder, repository.path]) rmSync(path, { recursive: true, force: true });
});

describe('reprise run', () => {
  it('prints the id alone on standard output, and the rest on standard error', async () => {
    const { status, stdout, stderr } = await run(['run', 'demo.echo', '--param', 'a=1', '--wait']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringMatching(/^completed after [\d.]+ s\n$/) });
    expect(stdout.trim()).toMatch(ID);
  });

  it('types parameters by the schema, else as JSON, else as strings, and keeps numbers as they are written', async () => {
    const typed = await out('run', 'demo.stats', '--param', 'name=007', '--param', 'ratio=1.0');
    expect(await out('show', typed, '--json')).toContain('"params":{"name":"007","ratio":1.0}');
    const untyped = await out(
      'run',
      'demo.echo',
      '--param',
      'n=9007199254740993',
      '--param',
      's=x y',
      '--param',
      'l=[1.0]',
    );
    expect(await out('show', untyped, '--json')).toContain('"params":{"n":9007199254740993,"s":"x y","l":[1.0]}');
  });

  it('sends a file of parameters with its text, standard input too', async () => {
    const text = '[1.0, 9007199254740993, 1e22, -0.0, "\\u2028", {"b":1,"a":2}]';
    const { stdout } = await run(['run', 'demo.echo', '--params-file', '-', '--wait'], { input: `${text}\n` });
    const shown = await out('show', stdout.trim(), '--json');
    expect(shown).toContain(`"params":${text},"output":${text}`);
    const wrong = await run(['run', 'demo.echo', '--params-file', file('bad.json', '{')]);
    expect([wrong.status, wrong.stdout, wrong.stderr]).toEqual([2, '', expect.stringContaining('is not JSON')]);
  });

  it('ends with 3 when the job failed, and tells the message and the way on', async () => {
    const { status, stdout, stderr } = await run(['run', 'demo.fail', '--wait']);
    expect(status).toBe(3);
    expect(stderr).toMatch(
      /^failed after .*came off\nsee: reprise logs [0-9a-f]{24}; again: reprise retry [0-9a-f]{24}\n$/,
    );
    expect(stderr).toContain(stdout.trim());
  });

  it('ends with 3 when the server refuses it, and with 2 when it was asked for wrongly', async () => {
    const refused = await run(['run', 'demo.nope']);
    expect([refused.status, refused.stdout]).toEqual([3, '']);
    expect(refused.stderr).toMatch(/^error: .*'nope'.*\(UNKNOWN_METHOD\)\n$/);
    const wrong = await run(['run', 'demo.stats', '--param', 'name=a', '--param', 'ratio=x']);
    expect([wrong.status, wrong.stderr]).toEqual([2, "error: --param: 'ratio' must be a number, not 'x'\n"]);
  });

  it('with --dry-run records nothing', async () => {
    const before = await out('list', '-q');
    const { status, stdout, stderr } = await run(['run', 'demo.echo', '--dry-run']);
    expect([status, stdout]).toEqual([0, '']);
    expect(stderr).toContain(`would run demo.echo at ${commit.slice(0, 7)}`);
    expect(await out('list', '-q')).toBe(before);
  });

  it('with --json prints the answer, then with --wait the job as it ended', async () => {
    const lines = (await out('run', 'demo.echo', '--wait', '--json'))
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    const [submitted, ended] = lines as [SubmitResult, JobDetail];
    expect(submitted).toMatchObject({ accepted: 1, refused: 0 });
    expect(ended).toMatchObject({ job_id: submitted.items[0]?.job_id, status: 'completed' });
  });

  it('with the same request id gives the same job again, and a conflict for another one', async () => {
    const first = await out('run', 'demo.echo', '--request-id', 'again');
    expect(await out('run', 'demo.echo', '--request-id', 'again')).toBe(first);
    const other = await run(['run', 'demo.talk', '--request-id', 'again']);
    expect([other.status, other.stderr]).toEqual([1, expect.stringContaining('(REQUEST_ID_REUSED)')]);
  });

  it('left with Ctrl-C stops waiting, says so, and leaves the job alone', async () => {
    const { args, open } = gate();
    const waiting = cli.start([...args, '--wait']);
    const id = await until('the id', async () => waiting.said.stdout.includes('\n') && waiting.said.stdout.trim());
    waiting.child.kill('SIGINT');
    const { status, stderr } = await waiting.ended;
    expect([status, stderr]).toEqual([130, expect.stringContaining('stopped waiting; the jobs go on')]);
    open();
    await until('the job to complete', async () => (await json<JobDetail>('show', id)).status === 'completed');
  });

  it('left with Ctrl-C before it is answered names the request id, with which it is not recorded twice', async () => {
    let child = { kill: (_: NodeJS.Signals) => false };
    // an answer that never comes: the call is passed on, its answer kept, and the program interrupted
    const silent = createServer(async (request) => {
      const body = Buffer.concat(await request.toArray());
      const headers = { authorization: request.headers.authorization ?? '', 'content-type': 'application/json' };
      await fetch(`${url}${request.url}`, { method: 'POST', body, headers });
      child.kill('SIGINT');
    });
    await new Promise<void>((listening) => void silent.listen(0, '127.0.0.1', listening));
    const { port } = silent.address() as AddressInfo;
    const token = readFileSync(join(cli.dataDir, 'admin-token'), 'utf8').trim();
    const before = (await out('list', '-q')).split('\n');
    const left = cli.start(['run', 'demo.echo'], { REPRISE_URL: `http://127.0.0.1:${port}`, REPRISE_TOKEN: token });
    child = left.child;
    const { status, stdout, stderr } = await left.ended;
    silent.closeAllConnections();
    silent.close();
    expect([status, stdout]).toEqual([130, '']);
    expect(stderr).toMatch(
      /^interrupted; whether it was recorded is not known: repeat the command with --request-id \S+\n$/,
    );
    const requestId = stderr.trim().split(' ').at(-1) as string;
    const id = await out('run', 'demo.echo', '--request-id', requestId);
    expect((await out('list', '-q')).split('\n').filter((shown) => !before.includes(shown))).toEqual([id]);
  });
});

describe('reprise batch', () => {
  it('runs a file, fails, is retried by ids that pipe, and completes', async () => {
    const jobs = file('jobs.jsonl', '{"name":"a","ratio":1.0}\n\n{"name":"b"}\n{"name":"c"}\n');
    const submitted = await run(['batch', 'submit', jobs, '--method', 'demo.stats', '--name', 'three', '--wait']);
    expect(submitted.status).toBe(3);
    const batch = submitted.stdout.trim();
    expect(batch).toMatch(ID);
    expect(submitted.stderr).toContain(`3 jobs submitted in batch ${batch}`);
    expect(submitted.stderr).toContain('batch error: 3 failed of 3');
    expect(submitted.stderr).toMatch(/3 x class app, e\.g\. job [0-9a-f]{24}\n {6}.*the reference is missing/);
    expect(submitted.stderr).toContain(`retry them with: reprise retry --batch ${batch} --failed`);

    const shown = await out('batch', 'show', batch);
    for (const text of ['three', '3: 3 failed', 'the reference is missing']) expect(shown).toContain(text);
    expect(Math.max(...shown.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);

    const dry = await cli.shell(`reprise batch show ${batch} --failed -q | reprise retry - --dry-run`);
    expect([dry.status, dry.stdout.trim().split('\n').length]).toEqual([0, 3]);
    expect(dry.stderr).toContain('would retry 3 jobs; nothing was recorded');

    writeFileSync(late, '');
    const retried = await cli.shell(
      `reprise batch show ${batch} --failed -q | head -1 | reprise retry - --reason 'it is there' --wait`,
    );
    expect({ ...retried, stdout: '' }).toEqual({
      status: 0,
      stdout: '',
      stderr: expect.stringContaining('1 job retried; receipts:'),
    });
    // in the order of submission, though a retry has a later id
    expect((await out('batch', 'show', batch, '-q')).split('\n')).toEqual([
      retried.stdout.trim(),
      ...dry.stdout.trim().split('\n').slice(1),
    ]);
    const rest = await run(['retry', '--batch', batch, '--failed', '--wait']);
    expect([rest.status, rest.stdout.trim().split('\n').length]).toEqual([0, 2]);
    expect(rest.stderr).toContain('2 of 2 retries completed; the batch is completed');
    expect(await json<BatchView>('batch', 'show', batch)).toMatchObject({ state: 'completed', items: 3, retries: 3 });
    expect((await run(['batch', 'watch', batch])).status).toBe(0);
    const nothing = await run(['retry', '--batch', batch, '--failed']);
    expect([nothing.status, nothing.stdout, nothing.stderr]).toEqual([
      0,
      '',
      expect.stringContaining('nothing to retry'),
    ]);
  });

  it('reads CSV by its header, typed by the schema', async () => {
    const csv = file('jobs.csv', '\ufeffname,ratio\r\n007,1.0\r\n"x, ""y""",\r\n');
    const batch = await out('batch', 'submit', csv, '--method', 'demo.stats');
    const ids = (await out('batch', 'show', batch, '-q')).split('\n');
    const texts = await Promise.all(ids.map((id) => out('show', id, '--json')));
    expect(texts[0]).toContain('"params":{"name":"007","ratio":1.0}');
    expect(texts[1]).toContain('"params":{"name":"x, \\"y\\""}');
  });

  it('reports every row that cannot be read or is refused by its line, and submits nothing', async () => {
    const before = await out('batch', 'list', '-q');
    const bad = await run(['batch', 'submit', '-', '--method', 'demo.stats'], { input: '{"name":"a"}\n{"na\n\nx\n' });
    expect([bad.status, bad.stdout], bad.stderr).toEqual([2, '']);
    expect(bad.stderr).toMatch(
      /^line 2: not JSON .*\nline 4: not JSON .*\nerror: 2 rows of 3 cannot be read; nothing was submitted\n$/,
    );
    const refused = await run(['batch', 'submit', '-', '--method', 'demo.stats'], {
      input: '{"name":1}\n{"name":"b"}\n{}',
    });
    expect([refused.status, refused.stdout]).toEqual([3, '']);
    expect(refused.stderr).toMatch(
      /^refused line 1: .*\(PARAMS_REJECTED\)\nrefused line 3: .*\nerror: 2 rows of 3 refused; nothing/,
    );
    const noTag = await run(['batch', 'submit', '-', '--method', 'demo.echo', '--tag', 'x'], { input: '1\n2\n\n3\n' });
    expect(noTag.stderr).toMatch(
      /^refused lines 1-2, 4 \(3\): .*'x'.*\(VERSION_NOT_FOUND\)\nerror: 3 rows of 3 refused; nothing/,
    );
    expect(await out('batch', 'list', '-q')).toBe(before);
  });

  it('with --partial leaves refused rows out, tells them, and ends with 3', async () => {
    const input = '{"name":1}\n{"name":"b"}\n';
    const { status, stdout, stderr } = await run(['batch', 'submit', '-', '--method', 'demo.stats', '--partial'], {
      input,
    });
    expect(status).toBe(3);
    expect(stderr).toContain('refused line 1: ');
    expect(await json<BatchView>('batch', 'show', stdout.trim())).toMatchObject({ items: 1 });
  });

  it('sends large files in several calls; killed and repeated with the same request id, it adds what is missing', async () => {
    const big = file('big.jsonl', Array.from({ length: 5003 }, (_, index) => `${index}\n`).join(''));
    const submit = ['batch', 'submit', big, '--method', 'demo.sleep', '--cpus', '4', '--request-id', 'big'];
    const killed = cli.start(submit);
    const batch = await until('the id', async () => killed.said.stdout.includes('\n') && killed.said.stdout.trim());
    killed.child.kill('SIGKILL');
    await killed.ended;
    const first = await run(submit);
    expect([first.status, first.stderr]).toEqual([0, expect.stringContaining('5,003 jobs submitted')]);
    const second = await run(submit);
    expect([second.status, second.stdout]).toEqual([0, first.stdout]);
    expect(first.stdout.trim()).toBe(batch);
    expect(await json<BatchView>('batch', 'show', batch)).toMatchObject({ items: 5003 });
    const ids = (await out('batch', 'show', batch, '-q')).split('\n');
    expect(new Set(ids).size).toBe(5003);
    expect(await out('show', ids.at(-1) as string, '--json')).toContain('"params":5002,');
    const cancelled = await run(['cancel', batch]);
    expect(cancelled).toEqual({ status: 0, stdout: `${batch}\n`, stderr: '5,003 jobs cancelled\n' });
  });

  it('checks all of a large file before the first call', async () => {
    const before = await out('batch', 'list', '-q');
    const rows = Array.from({ length: 5003 }, (_, index) => `{"name":${index === 5001 ? 1 : '"a"'}}\n`);
    const { status, stdout, stderr } = await run([
      'batch',
      'submit',
      file('late.jsonl', rows.join('')),
      '--method',
      'demo.stats',
    ]);
    expect([status, stdout]).toEqual([3, '']);
    expect(stderr).toMatch(/^refused line 5002: .*\n1 row refused; nothing was submitted/);
    expect(await out('batch', 'list', '-q')).toBe(before);
  });

  it('takes more jobs, and prints their ids', async () => {
    const batch = await out('batch', 'submit', file('one.jsonl', '1\n'), '--method', 'demo.echo');
    const { status, stdout } = await run(['batch', 'extend', batch, '-', '--method', 'demo.echo', '--wait'], {
      input: '2\n3\n',
    });
    expect([status, stdout.trim().split('\n').length]).toEqual([0, 2]);
    expect(await json<BatchView>('batch', 'show', batch)).toMatchObject({ items: 3, state: 'completed' });
  });

  it('is found in the list, and shown by show too', async () => {
    const list = await out('batch', 'list', '--search', 'three');
    expect(list).toMatch(/^batch +state +items +failed +created +name\n[0-9a-f]{24} {2}completed +3 +0 .* three$/);
    expect(await out('show', list.split('\n')[1]?.slice(0, 24) as string)).toContain('retries  3');
  });
});

describe('reprise retry', () => {
  it('gives each id its verdict, and ends with 3 if one was refused', async () => {
    const [failed, completed] = [
      (await run(['run', 'demo.fail', '--wait'])).stdout.trim(),
      await out('run', 'demo.echo', '--wait'),
    ];
    const { status, stdout, stderr } = await run(['retry', failed, completed, 'nope', '--reason', 'why not', '--wait']);
    expect(status).toBe(3);
    expect(stdout.trim()).toMatch(ID);
    expect(stderr).toMatch(
      new RegExp(`refused ${completed}: .*\\(ALREADY_SUCCEEDED\\)\\nrefused nope: .*\\(NOT_FOUND\\)\\n`),
    );
    const request = /reprise receipts (\S+)/.exec(stderr)?.[1] as string;
    const receipts = await json<RetryResult>('receipts', request);
    expect(receipts).toMatchObject({ accepted: 1, refused: 2, reason: 'why not' });
    expect(await out('receipts', request, '-q')).toBe(stdout.trim());
    expect(await out('receipts', request)).toContain('ALREADY_SUCCEEDED: ');

    const again = await json<Lineage>('lineage', stdout.trim());
    expect(again).toMatchObject({ root_id: failed, head_id: stdout.trim(), retry_count: 1 });
    const text = await out('lineage', failed);
    expect(text).toMatch(/^demo\.fail: 1 retry; the newest job is error\n\nroot {5}/);
    for (const part of ['why: why not', 'same inputs, commit and needs', 'by admin']) expect(text).toContain(part);
    expect(await out('lineage', failed, '-q')).toBe(`${failed}\n${stdout.trim()}`);
  });

  it('is refused as a wrong usage without ids, or with --failed but no batch', async () => {
    expect((await run(['retry'])).status).toBe(2);
    expect((await run(['retry', 'x', '--failed'])).stderr).toContain('give --batch too');
    expect((await run(['retry', 'x', '--batch', 'y'])).stderr).toContain('not both');
    expect((await run(['retry', '--batch', 'y', '--state', 'odd'])).status).toBe(2);
    expect(await run(['retry', '-'])).toEqual({
      status: 0,
      stdout: '',
      stderr: expect.stringContaining('nothing to retry'),
    });
  });
});

describe('reprise logs', () => {
  it('prints lines as they were written where they are piped, all, some, or those that match', async () => {
    const id = await out('run', 'demo.talk', '--wait');
    const lines = (await out('logs', id)).split('\n');
    expect(lines.toSorted()).toEqual(['one', '\x1b[31mred\x1b[0m\x1b]0;title\x07', 'three', 'bad'].toSorted());
    expect(await out('logs', id, '--errors')).toBe('bad');
    expect(await out('logs', id, '--contains', 'THREE')).toBe('three');
    expect((await out('logs', id, '--skip', '1', '--limit', '2')).split('\n')).toEqual(lines.slice(1, 3));
    expect(await out('logs', id, '--tail', '1')).toBe(lines[3]);
    const [first] = (await out('logs', id, '--limit', '1', '--json'))
      .split('\n')
      .map((line) => JSON.parse(line) as LogPage['lines'][0]);
    expect(first).toMatchObject({ position: 0, line: lines[0] });
    expect(await out('logs', id, '-t', '--limit', '1')).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}/);
  });

  it('-f follows until the job has ended', async () => {
    const { args, open } = gate();
    const following = cli.start(['logs', '-f', await out(...args)]);
    await until('the first line', async () => following.said.stdout === 'begin\n');
    open();
    const { status, stdout, stderr } = await following.ended;
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: 'begin\nend\n', stderr: 'the job is completed\n' });
  });

  it('end quietly when the reader has enough', async () => {
    const id = await out('run', 'demo.chatter', '--wait');
    expect((await out('logs', id)).split('\n')).toHaveLength(30_000);
    const head = await cli.shell(`reprise logs ${id} | head -1`);
    expect(head).toEqual({ status: 0, stdout: 'line 1\n', stderr: '' });
  });

  it('at a terminal shows no control character of the job', async () => {
    const id = await out('run', 'demo.talk', '--wait');
    const line = `${process.execPath} ${PROGRAM} logs ${id}`;
    const { stdout } = await cli.shell(`script -qec '${line}' /dev/null </dev/null`);
    const seen = stdout.replaceAll('\r', '').trim().split('\n');
    expect(seen.toSorted()).toEqual(['one', 'red', 'three', '\x1b[31mbad\x1b[0m'].toSorted());
    const plain = await cli.shell(`NO_COLOR=1 script -qec '${line}' /dev/null </dev/null`);
    expect(plain.stdout).not.toContain('\x1b');
  });
});

describe('reprise app', () => {
  it('adds by a relative path, moves tags, shows and withdraws', async () => {
    const second = repository.commit('two');
    const added = await run(['app', 'add', `./${basename(repository.path)}`, '--tag', 'beta'], {
      cwd: dirname(repository.path),
    });
    expect(added).toMatchObject({ status: 0, stdout: `${second}\n` });
    expect(added.stderr).toBe(`demo: tag beta points at ${second.slice(0, 7)}\n`);
    const moved = await run(['app', 'tag', 'demo', 'beta', commit.slice(0, 10)]);
    expect([moved.stdout, moved.stderr]).toEqual([
      `${commit}\n`,
      expect.stringContaining(`(it pointed at ${second.slice(0, 7)})`),
    ]);
    const detail = await json<AppDetail>('app', 'show', 'demo');
    expect(detail.tag_history.filter(({ tag }) => tag === 'beta')).toHaveLength(2);
    expect(await out('app', 'list', '-q')).toBe('demo');
    expect(await out('app', 'withdraw', second, '--reason', 'wrong units')).toBe(second);
    expect(await out('app', 'show', 'demo')).toMatch(/withdrawn .* by admin: wrong units/);
    const gone = await run(['run', 'demo.echo', '--commit', second]);
    expect([gone.status, gone.stderr]).toEqual([3, expect.stringContaining('(VERSION_WITHDRAWN)')]);
  });

  it('refuses a hostile address with a sentence', async () => {
    const { status, stderr } = await run(['app', 'add', 'ext::sh -c true']);
    expect([status, stderr]).toEqual([1, expect.stringContaining('(REPOSITORY_REFUSED)')]);
  });
});

describe('reprise cancel, list and events', () => {
  it('cancels jobs by id, and tells what was refused', async () => {
    const id = await out('run', 'demo.sleep');
    const { status, stdout, stderr } = await run(['cancel', id, 'nope']);
    expect([status, stdout]).toEqual([3, `${id}\n`]);
    expect(stderr).toMatch(/^refused nope: .*\(NOT_FOUND\)\n1 job cancelled\n$/);
    expect(await out('show', id)).toContain('cancelled by a user');
    expect(await run(['cancel', id])).toEqual({ status: 0, stdout: '', stderr: 'nothing was left to cancel\n' });
    expect((await run(['cancel', 'nope'])).stderr).toMatch(/^refused nope: .*\(NOT_FOUND\)\n$/);
  });

  it('names the retry that goes on when the job asked for has ended', async () => {
    const id = await out('run', 'demo.sleep');
    await out('cancel', id);
    const retry = await out('retry', id);
    const { status, stdout, stderr } = await run(['cancel', id]);
    expect([status, stdout]).toEqual([3, '']);
    expect(stderr).toMatch(new RegExp(`^${id} has ended; its retry ${retry} is [a-z]+: reprise cancel ${retry}\n$`));
    const both = await run(['cancel', id, retry]);
    expect(both).toEqual({ status: 0, stdout: `${retry}\n`, stderr: '1 job cancelled\n' });
  });

  it('lists by state and app, ids alone or as a table of 80 columns', async () => {
    const failed = (await out('list', '--state', 'failed', '--app', 'demo.fail', '-q')).split('\n');
    expect(failed.every((id) => ID.test(id))).toBe(true);
    const table = await out('list', '--state', 'failed');
    expect(table).toMatch(/^job +state +created +retry +method\n/);
    expect(Math.max(...table.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    expect((await json<{ items: unknown[] }>('list', '--limit', '2')).items).toHaveLength(2);
  });

  it('tells the events of a job, and follows what comes', async () => {
    const following = cli.start(['events', '-f', '--json', '--limit', '1']);
    const ids: string[] = [];
    await until('an event to come', async () => {
      ids.push(await out('run', 'demo.echo'));
      return following.said.stdout.includes('\n');
    });
    expect((await following.ended).status).toBe(0);
    expect(JSON.parse(following.said.stdout)).toMatchObject({ user: 'admin' });
    const [id] = ids as [string];
    await until('the job to end', async () => (await out('events', '--job', id)).includes('job.dispatch_closed'));
    const kinds = (await out('events', '--job', id)).split('\n').map((line) => /job\.\w+/.exec(line)?.[0]);
    expect(kinds[0]).toBe('job.created');
    expect(kinds).toContain('job.completed');
  });
});

describe('reprise token and workspace', () => {
  it('make users and share work with them', async () => {
    const made = await run(['token', 'create', '--user', 'ada', '--expires', '30d', '--name', 'laptop']);
    expect([made.status, made.stderr]).toEqual([0, expect.stringContaining('not shown again')]);
    const ada = { REPRISE_URL: url, REPRISE_TOKEN: made.stdout.trim() };
    const wsid = await out('workspace', 'create', '--name', 'lab');
    expect(wsid).toMatch(/^\d+$/);
    const before = await run(['run', 'demo.echo', '--wsid', wsid], { env: ada });
    expect([before.status, before.stderr]).toEqual([3, expect.stringContaining('(FORBIDDEN)')]);
    await out('workspace', 'share', wsid, '--user', 'ada', '--role', 'write');
    expect((await run(['run', 'demo.echo', '--wsid', wsid, '--wait'], { env: ada })).status).toBe(0);
    const { stdout } = await run(['workspace', 'list', '--json'], { env: ada });
    expect((JSON.parse(stdout) as { items: WorkspaceView[] }).items).toMatchObject([{ name: 'lab', role: 'write' }]);
    expect((await run(['list', '--as-admin'], { env: ada })).stderr).toContain('(FORBIDDEN)');

    const { items } = await json<{ items: TokenView[] }>('token', 'list', '--user', 'ada');
    const [token] = items as [TokenView];
    expect(token.name).toBe('laptop');
    expect(await out('token', 'revoke', token.token_id)).toBe(token.token_id);
    const after = await run(['list'], { env: ada });
    expect([after.status, after.stderr]).toEqual([1, expect.stringContaining('(UNAUTHENTICATED)')]);
  });
});

describe('a wrong usage', () => {
  it.each([
    [['rtry'], "unknown command 'rtry'; did you mean retry?"],
    [['batch', 'submit', 'none.jsonl', '--method', 'a.b'], 'there is no file none.jsonl'],
  ])('%j is told in one sentence and ends with 2', async (args, sentence) => {
    const { status, stdout, stderr } = await run(args);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^error: .*\n$/);
    expect(stderr).toContain(sentence);
  });

  it('with --json is JSON too', async () => {
    const { status, stdout } = await run(['show', 'nope', '--json']);
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'NOT_FOUND' } });
  });
});

describe('the server', () => {
  it('is not started twice on one directory, nor on a port in use', async () => {
    const twice = await run(['serve', '--port', '0']);
    expect([twice.status, twice.stdout]).toEqual([1, '']);
    expect(twice.stderr).toMatch(/error: .*process \d+.*\(DATA_DIR_IN_USE\)/);
    const other = mkdtempSync(join(tmpdir(), 'reprise-cli-other-'));
    try {
      const port = new URL(url).port;
      const taken = await run(['serve', '--port', port, '--data-dir', other, '--log-level', 'silent']);
      expect(taken.status).toBe(1);
      expect(taken.stderr).toMatch(new RegExp(`error: port ${port} .* is in use; .*--port`));
    } finally {
      rmSync(other, { recursive: true, force: true });
    }
  });

  it('that is not there is told with the way to start it', async () => {
    const none = await run(['list', '--data-dir', join(folder, 'none')]);
    expect(none.status).toBe(1);
    expect(none.stderr).toMatch(
      /^error: no server runs on .*none; start one with: reprise serve --data-dir .*\(UNAVAILABLE\)\n$/,
    );
    const version = await run(['version', '--data-dir', join(folder, 'none')]);
    expect([version.status, version.stderr]).toEqual([0, 'no server is running\n']);
    expect(await json<object>('version')).toMatchObject({ server: { url } });
  });

  it("elsewhere is never sent this machine's token", async () => {
    const seen: (string | undefined)[] = [];
    const { createServer } = await import('node:http');
    const elsewhere = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(401, { 'content-type': 'application/json' });
      response.end('{"error":{"code":"UNAUTHENTICATED","message":"no token"}}');
    });
    await new Promise<void>((done) => elsewhere.listen(0, '127.0.0.1', done));
    const { port } = elsewhere.address() as { port: number };
    const { status, stderr } = await run(['list'], { env: { REPRISE_URL: `http://127.0.0.1:${port}` } });
    elsewhere.close();
    expect([status, seen]).toEqual([1, [undefined]]);
    expect(stderr).toContain('set REPRISE_TOKEN');
  });

  it('may be killed and started at another port while a job is waited for and its log is followed', async () => {
    const dedicated = createCli();
    try {
      const server = await dedicated.serve();
      await dedicated.out('app', 'add', repository.path, '--ref', commit, '--tag', 'release');
      const { args, open } = gate();
      const waiting = dedicated.start([...args, '--wait']);
      const id = await until('the id', async () => waiting.said.stdout.includes('\n') && waiting.said.stdout.trim());
      const following = dedicated.start(['logs', '-f', id]);
      await until('the job to say something', async () => following.said.stdout.includes('begin'));
      server.child.kill('SIGKILL');
      await server.ended;
      await until('the loss to be noticed', async () => waiting.said.stderr.includes('waiting for it to come back'));
      const stale = await dedicated.run(['list']);
      expect(stale.stderr).toMatch(/\(process \d+\) does not answer at .*; start it again with: reprise serve/);
      await dedicated.serve();
      open();
      expect((await waiting.ended).status).toBe(0);
      expect((await following.ended).stdout).toBe('begin\nend\n');
    } finally {
      await dedicated.close();
    }
  });

  it('stops at SIGTERM with its calls answered, and says so', async () => {
    const dedicated = createCli();
    try {
      const server = await dedicated.serve('--host', '0.0.0.0');
      expect(server.said.stderr).toContain('warning: --host 0.0.0.0 lets other machines reach this server');
      expect(server.said.stderr).toContain(`serves ${dedicated.dataDir}`);
      expect(server.said.stderr).toContain(join(dedicated.dataDir, 'admin-token'));
      server.child.kill('SIGTERM');
      const { status, stdout, stderr } = await server.ended;
      expect([status, stdout]).toEqual([0, `${server.url}\n`]);
      expect(stderr).toContain('stopping; running jobs go on');
      expect(existsSync(join(dedicated.dataDir, 'server.json'))).toBe(false);
    } finally {
      await dedicated.close();
    }
  });
});
