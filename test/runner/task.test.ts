/** The task of a cluster's node: `dist/runner/task.cjs` as the scheduler there starts it, beside a server that records. */
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TASK_PROGRAM } from '../../src/contract/task.js';
import { type BareMirror, makeBareMirror } from '../support/bare-mirror.js';
import { type BreakableProxy, startBreakableProxy } from '../support/breakable-proxy.js';
import { isAlive } from '../support/local-scheduler.js';
import { removeTree } from '../support/remove-tree.js';
import { openReportServer, type Recorded, type ReportServer } from '../support/report-server.js';
import { recordDispatch, startTask, type TaskProcess } from '../support/task-process.js';
import { until } from '../support/until.js';

const ROOT = resolve(import.meta.dirname, '../..');

let mirror: BareMirror;
let server: ReportServer;
let network: BreakableProxy;
let directory: string;
let tasks: TaskProcess[] = [];
beforeAll(async () => {
  mirror = makeBareMirror({ 'hello.txt': 'hello\n', 'bin/run': '#!/bin/sh\ncp input.json output.json\n' });
  server = await openReportServer();
  network = await startBreakableProxy(server.url);
});
afterAll(async () => {
  await network.close();
  await server.shut();
  mirror.remove();
});
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'reprise-task-'));
});
afterEach(async () => {
  for (const { child } of tasks) child.kill('SIGKILL');
  await Promise.all(tasks.map(({ ended }) => ended));
  tasks = [];
  network.setDown(false);
  removeTree(directory);
});

const record = (script: string) => recordDispatch(server, mirror, script);
const row = (id: string) => server.recorded.get(id) as Recorded;

function start(id: string, env?: NodeJS.ProcessEnv): TaskProcess {
  const order = { url: network.url, dispatchId: id, token: server.tokenOf(id), directory, name: 'node7' };
  const task = startTask(order, env);
  tasks.push(task);
  return task;
}
/** Lines that have waited for long enough leave in a call of their own. */
const callsWithMore = () => server.calls.length - server.callsWithLinesOnly;
const words = (id: string) => row(id).lines.map(({ line }) => line);
const node = () => join(directory, 'nodes', hostname());
const left = () => readdirSync(join(node(), 'tasks'));
const spoke = (id: string, word: string) => until(`"${word}"`, async () => words(id).includes(word));
const pidsOf = (id: string) =>
  readFileSync(join(node(), 'work', id, 'pids'), 'utf8')
    .trim()
    .split('\n')
    .map(Number);

describe('a task', () => {
  it('carries out its dispatch, says all of it in two calls, ends with 0 and leaves nothing but the checkout', async () => {
    const id = record('cat "$REPRISE_APP/hello.txt"; cp input.json output.json');
    const [before, withLines] = [callsWithMore(), server.callsWithLinesOnly];
    const task = start(id);
    expect([await task.ended, task.said]).toEqual([0, '']);
    expect(row(id)).toMatchObject({ status: 'completed', closed: true, starts: 1, finish: { output: '{"a":1.0}' } });
    expect(words(id)).toEqual(['hello']);
    expect(callsWithMore() - before).toBe(2);
    expect(server.callsWithLinesOnly - withLines).toBeLessThanOrEqual(1);
    expect([left(), readdirSync(join(node(), 'work'))]).toEqual([[], []]);
    expect(readdirSync(join(directory, 'checkouts'))).toEqual([mirror.commit]);
  });

  it('gives its app the devices that the cluster assigned, and nothing else of what it was started with', async () => {
    const devices = {
      CUDA_VISIBLE_DEVICES: '1,3',
      ROCR_VISIBLE_DEVICES: '0',
      GPU_DEVICE_ORDINAL: '',
      ZE_AFFINITY_MASK: '0.1',
    };
    const id = record('env | grep -E "DEVICE|AFFINITY|SLURM|SECRET" | sort; cp input.json output.json');
    const others = { SLURM_JOB_ID: '17', SLURM_JOB_GPUS: '1,3', MY_SECRET: 'x', MY_VISIBLE_DEVICES: '9' };
    expect(await start(id, { ...process.env, ...devices, ...others }).ended).toBe(0);
    const expected = Object.entries(devices).map(([name, value]) => `${name}=${value}`);
    expect(words(id)).toEqual(expected.sort());
    const without = record('env | grep -E "DEVICE|AFFINITY"; cp input.json output.json');
    expect(await start(without).ended).toBe(0);
    expect(words(without)).toEqual([]);
  });

  it('that cannot do its own work says why and runs nothing', async () => {
    const id = record('true');
    const file = join(directory, 'file');
    writeFileSync(file, '');
    const order = { url: network.url, dispatchId: id, token: server.tokenOf(id), name: null };
    const task = startTask({ ...order, directory: join(file, 'below') });
    tasks.push(task);
    expect(await task.ended).toBe(1);
    expect(task.said).toMatch(/can not go on.*file\/below/);
    expect(row(id).starts).toBe(0);
  });

  it('of a package that was copied without its modules ends its job with that reason', async () => {
    const program = join(directory, 'task.cjs');
    copyFileSync(join(ROOT, TASK_PROGRAM), program);
    const id = record('true');
    const order = { url: network.url, dispatchId: id, token: server.tokenOf(id), directory, name: 'node7' };
    const task = startTask(order, process.env, { program });
    tasks.push(task);
    expect(await task.ended).toBe(0);
    expect(row(id)).toMatchObject({ status: 'error', closed: true, finish: { failure_class: 'platform' } });
    expect(row(id).finish?.error_message).toMatch(/^no checkout of commit .*Cannot find package 'tar'/);
  });

  it('reports what its job used, and ends with 0 however the job ended', async () => {
    const work =
      'x=$(head -c 30000000 /dev/zero | tr "\\0" x); i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; exit 3';
    const id = record(work);
    expect(await start(id).ended).toBe(0);
    expect(row(id).finish).toMatchObject({ failure_class: 'app', exit_code: 3 });
    expect(row(id).finish?.peak_memory_mb).toBeGreaterThan(25);
    expect(row(id).finish?.cpu_seconds).toBeGreaterThan(0.05);
  });

  it('of a dispatch that another process started runs nothing, says nothing more, and ends with 0', async () => {
    const first = record('echo begun; sleep 60');
    const one = start(first);
    await spoke(first, 'begun');
    expect(await start(first).ended).toBe(0);
    expect(row(first)).toMatchObject({ status: 'running', closed: false, starts: 2, startsAllowed: 1 });
    expect(one.child.exitCode).toBe(null);
  });

  it('ends its job when the server says that it was cancelled', async () => {
    const id = record(
      'echo $$ > pids; sleep 300 & echo $! >> pids; echo begun; while :; do echo tick; sleep 0.2; done',
    );
    const task = start(id);
    await spoke(id, 'begun');
    const pids = pidsOf(id);
    server.terminate(id);
    expect(await task.ended).toBe(0);
    expect(row(id)).toMatchObject({ closed: true, finish: { failure_class: 'user' } });
    expect(pids.filter(isAlive)).toEqual([]);
  });
});

describe('a task whose job was short', () => {
  const GOOD = 'cp input.json output.json';
  const startAnother = (id: string, reuseSeconds: number) => {
    const order = {
      url: network.url,
      dispatchId: id,
      token: server.tokenOf(id),
      directory,
      name: 'node7',
      reuseSeconds,
    };
    const task = startTask(order);
    tasks.push(task);
    return task;
  };
  /** This project, and Node, may lie where only root may look. */
  const copyForAll = () => {
    const place = join(directory, 'program');
    const [node, program] = [join(place, 'node'), join(place, 'task.cjs')];
    for (const name of ['tar', 'chownr', 'minipass', 'minizlib', 'yallist', '@isaacs/fs-minipass']) {
      cpSync(join(ROOT, 'node_modules', name), join(place, 'node_modules', name), { recursive: true });
    }
    copyFileSync(join(ROOT, TASK_PROGRAM), program);
    copyFileSync(process.execPath, node);
    return { node, program };
  };
  const began = (id: string) => words(id).filter((word) => word === 'begun').length;

  it('goes on with those that wait, a call each, until one fails, and leaves nothing', async () => {
    const ids = [GOOD, `echo begun; ${GOOD}`, `cat "$REPRISE_APP/hello.txt"; ${GOOD}`, 'exit 3'].map(record);
    const waiting = record(GOOD);
    // the last is given first
    server.waiting.push(waiting, ...ids.slice(1).toReversed());
    const [before, withLines] = [callsWithMore(), server.callsWithLinesOnly];
    const task = startAnother(ids[0] as string, 30);
    expect(await task.ended).toBe(0);
    expect(ids.map((id) => [row(id).status, row(id).starts, row(id).closed])).toEqual([
      ['completed', 1, true],
      ['completed', 1, true],
      ['completed', 1, true],
      ['error', 1, true],
    ]);
    expect([words(ids[1] as string), words(ids[2] as string)]).toEqual([['begun'], ['hello']]);
    expect([callsWithMore() - before, server.waiting.pop()]).toEqual([1 + ids.length, waiting]);
    // two of them have a line
    expect(server.callsWithLinesOnly - withLines).toBeLessThanOrEqual(2);
    expect([left(), readdirSync(join(node(), 'work'))]).toEqual([[], [ids[3]]]);
  });

  it.runIf(process.getuid?.() === 0)('goes on after a job that left what only root could remove at once', async () => {
    const [first, second] = [`mkdir -p d/e; touch d/e/f; chmod -R a-w d; ${GOOD}`, GOOD].map(record) as [
      string,
      string,
    ];
    server.waiting.push(second);
    // root would not notice
    const nobody = { ...copyForAll(), uid: 65_534 };
    chmodSync(directory, 0o777);
    const order = { url: network.url, dispatchId: first, token: server.tokenOf(first), directory, name: 'node7' };
    const task = startTask({ ...order, reuseSeconds: 30 }, process.env, nobody);
    tasks.push(task);
    expect([await task.ended, task.said]).toEqual([0, '']);
    expect([row(first).status, row(second).status]).toEqual(['completed', 'completed']);
    expect([left(), readdirSync(join(node(), 'work'))]).toEqual([[], []]);
  });

  it('takes none after its time, and none if it is to take none', async () => {
    const [first, second, waiting] = ['sleep 1.2; echo 1 > output.json', GOOD, GOOD].map(record) as [
      string,
      string,
      string,
    ];
    server.waiting.push(waiting);
    expect(await startAnother(first, 1).ended).toBe(0);
    expect(await startAnother(second, 0).ended).toBe(0);
    expect(await start(record(GOOD)).ended).toBe(0);
    expect([row(first).status, row(waiting).starts, server.waiting.pop()]).toEqual(['completed', 0, waiting]);
  });

  it('carries out once what it was given in an answer that was lost', async () => {
    const first = record(`echo begun; while [ ! -e go ]; do sleep 0.05; done; ${GOOD}`);
    const second = record(`echo begun; ${GOOD}`);
    const task = startAnother(first, 6);
    await spoke(first, 'begun');
    server.waiting.push(second);
    server.loseAnswers = true;
    writeFileSync(join(node(), 'work', first, 'go'), '');
    await until('the next to be given', async () => row(second).status === 'running');
    // meanwhile its time is over, and another comes
    const third = record(GOOD);
    server.waiting.push(third);
    await until('its time to be over', async () => server.askedAgain > 0);
    expect(began(second)).toBe(0);
    server.loseAnswers = false;
    expect(await task.ended).toBe(0);
    expect([row(first).status, row(second).status, began(second), row(third).starts]).toEqual([
      'completed',
      'completed',
      1,
      0,
    ]);
    server.waiting.pop();
  });

  it('is ended by SIGTERM in any of them, and leaves the last word on that one to the scheduler', async () => {
    const [first, second] = [GOOD, 'echo $$ > pids; echo begun; sleep 300'].map(record) as [string, string];
    server.waiting.push(second);
    const task = startAnother(first, 30);
    await spoke(second, 'begun');
    const pids = pidsOf(second);
    task.child.kill('SIGTERM');
    expect(await task.ended).toBe(143);
    expect([row(first).status, row(second).finish, row(second).closed]).toEqual(['completed', null, false]);
    expect([pids.filter(isAlive), left()]).toEqual([[], []]);
  });

  it('that is killed in the second leaves what that one said to the next task of the machine', async () => {
    const [first, second] = [GOOD, 'echo $$ > pids; echo begun; sleep 300'].map(record) as [string, string];
    server.waiting.push(second);
    const task = startAnother(first, 30);
    await spoke(second, 'begun');
    const pids = pidsOf(second);
    task.child.kill('SIGKILL');
    await task.ended;
    expect(left()).toHaveLength(1);
    expect(await start(record(GOOD)).ended).toBe(0);
    expect([pids.filter(isAlive), left()]).toEqual([[], []]);
    expect(row(second)).toMatchObject({ finish: null, closed: false });
  });

  it('whose server tells of a cancel in the second ends that one, and is given none', async () => {
    const [first, second, third] = [GOOD, 'echo begun; sleep 300', GOOD].map(record) as [string, string, string];
    server.waiting.push(second);
    const task = startAnother(first, 30);
    await spoke(second, 'begun');
    server.waiting.push(third);
    server.terminate(second);
    // after a cancel none is given
    expect(await task.ended).toBe(0);
    expect([row(second).closed, row(third).starts]).toEqual([true, 0]);
    server.waiting.pop();
  });
});

describe('a task without its server', () => {
  it('goes on, and tells everything when the server is back', async () => {
    const id = record(
      'echo begun; while [ ! -e go ]; do sleep 0.05; done; seq 20000; echo 1 > output.json; echo done >&2',
    );
    const task = start(id);
    await spoke(id, 'begun');
    network.setDown(true);
    writeFileSync(join(node(), 'work', id, 'go'), '');
    await until('the result to be noted', async () =>
      readFileSync(join(node(), 'tasks', left()[0] ?? '', 'notes.jsonl'), 'utf8').includes('"ended"'),
    );
    expect(row(id).finish).toBe(null);
    network.setDown(false);
    expect(await task.ended).toBe(0);
    expect(row(id)).toMatchObject({ status: 'completed', closed: true });
    expect(words(id)).toEqual(expect.arrayContaining(['begun', '1', '20000', 'done']));
    expect(words(id)).toHaveLength(20_002);
  });

  it('of twenty seconds loses nothing either', async () => {
    const id = record(
      'echo begun; i=0; while [ $i -lt 40 ]; do echo "line $i"; i=$((i+1)); sleep 0.05; done; cp input.json output.json',
    );
    const task = start(id);
    await spoke(id, 'begun');
    network.setDown(true);
    // what is tested is that time itself changes nothing
    await new Promise((next) => setTimeout(next, 20_000));
    expect(task.child.exitCode).toBe(null);
    network.setDown(false);
    expect(await task.ended).toBe(0);
    expect(words(id)).toEqual(['begun', ...Array.from({ length: 40 }, (_, n) => `line ${n}`)]);
    const { finish, finishSentAt } = row(id);
    expect((finishSentAt as number) - (finish?.ended_at as number)).toBeGreaterThan(10_000);
    expect(row(id)).toMatchObject({ status: 'completed', closed: true });
  });

  it('asks for its start until it is answered', async () => {
    network.setDown(true);
    const id = record('echo 1 > output.json');
    const task = start(id);
    await until('it to have tried', async () => task.said.includes('sent again'));
    network.setDown(false);
    expect(await task.ended).toBe(0);
    expect(row(id)).toMatchObject({ status: 'completed', starts: 1 });
  });

  it('downloads its app when the server is back', async () => {
    const id = record('cp input.json output.json');
    const task = start(id);
    await until('the start', async () => row(id).starts === 1);
    network.setDown(true);
    // down before the answer to the start has come back, the start is sent again first
    const tried = async () => existsSync(join(directory, 'checkouts')) || task.said.includes('again');
    await until('the checkout, or a try', tried);
    network.setDown(false);
    expect(await task.ended).toBe(0);
    expect(row(id).status).toBe('completed');
  });
});

describe('SIGTERM', () => {
  it('ends the whole tree, delivers the lines, leaves the last word to the scheduler, and the exit code is 143', async () => {
    const script = 'trap "echo bye; exit 0" TERM; echo $$ > pids; setsid sleep 300 & echo $! >> pids; echo begun; wait';
    const id = record(script);
    const task = start(id);
    await spoke(id, 'begun');
    const pids = pidsOf(id);
    task.child.kill('SIGTERM');
    expect(await task.ended).toBe(143);
    expect(row(id)).toMatchObject({ status: 'running', finish: null, closed: false });
    expect(words(id)).toEqual(['begun', 'bye']);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(left()).toEqual([]);
  });

  it('that reaches the app before the task is not told as a failure of the app', async () => {
    const id = record('echo $$ > pids; echo begun; sleep 300');
    const task = start(id);
    await spoke(id, 'begun');
    process.kill(pidsOf(id)[0] as number, 'SIGTERM');
    await new Promise((next) => setTimeout(next, 10));
    task.child.kill('SIGTERM');
    expect(await task.ended).toBe(143);
    expect(row(id)).toMatchObject({ finish: null, closed: false });
  });

  it('after a cancel says that nothing is left, so that a retry may start', async () => {
    const id = record('echo begun; sleep 300');
    const task = start(id);
    await spoke(id, 'begun');
    server.terminate(id);
    task.child.kill('SIGTERM');
    expect(await task.ended).toBe(0);
    expect(row(id).closed).toBe(true);
  });

  it('ends a task that waits for its server', async () => {
    network.setDown(true);
    const id = record('true');
    const task = start(id);
    await until('it to have tried', async () => task.said.includes('sent again'));
    task.child.kill('SIGTERM');
    expect(await task.ended).toBe(143);
    network.setDown(false);
    expect(row(id).starts).toBe(0);
  });

  it('without a server leaves the lines to the next task of the machine', async () => {
    const id = record('echo begun; while [ ! -e go ]; do sleep 0.05; done; echo late; touch told; sleep 300');
    const task = start(id);
    await spoke(id, 'begun');
    network.setDown(true);
    writeFileSync(join(node(), 'work', id, 'go'), '');
    await until('the app to have said it', async () => existsSync(join(node(), 'work', id, 'told')));
    task.child.kill('SIGTERM');
    expect(await task.ended).toBe(143);
    expect(left()).toHaveLength(1);
    network.setDown(false);
    expect(await start(record('echo 1 > output.json')).ended).toBe(0);
    expect(words(id)).toEqual(['begun', 'late']);
    expect(row(id)).toMatchObject({ finish: null, closed: false });
    expect(left()).toEqual([]);
  });
});

describe('a task that is killed', () => {
  it('leaves its processes to the next task of the machine, which ends them', async () => {
    const id = record('echo $$ > pids; setsid sleep 300 & echo $! >> pids; echo begun; wait');
    const task = start(id);
    await spoke(id, 'begun');
    const pids = pidsOf(id);
    task.child.kill('SIGKILL');
    expect(await task.ended).toBe('SIGKILL');
    expect(pids.filter(isAlive)).toHaveLength(2);
    expect(await start(record('echo 1 > output.json')).ended).toBe(0);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(row(id)).toMatchObject({ status: 'running', finish: null, closed: false });
    expect(left()).toEqual([]);
  });

  it('without having begun leaves alone who carries the same dispatch out now', async () => {
    network.setDown(true);
    const id = record('echo begun; while [ ! -e go ]; do sleep 0.05; done; echo 1 > output.json');
    const first = start(id);
    await until('it to have tried', async () => first.said.includes('sent again'));
    first.child.kill('SIGKILL');
    await first.ended;
    network.setDown(false);
    const second = start(id);
    await spoke(id, 'begun');
    expect(await start(record('echo 1 > output.json')).ended).toBe(0);
    expect(left()).toHaveLength(2);
    writeFileSync(join(node(), 'work', id, 'go'), '');
    expect(await second.ended).toBe(0);
    expect(row(id)).toMatchObject({ status: 'completed', closed: true });
    expect(await start(record('echo 1 > output.json')).ended).toBe(0);
    expect(left()).toEqual([]);
  });

  it('after its job had ended leaves the result to the next task, which delivers it', async () => {
    const id = record('echo begun; while [ ! -e go ]; do sleep 0.05; done; echo last; echo 7 > output.json');
    const task = start(id);
    await spoke(id, 'begun');
    network.setDown(true);
    writeFileSync(join(node(), 'work', id, 'go'), '');
    await until('the result to be noted', async () =>
      readFileSync(join(node(), 'tasks', left()[0] ?? '', 'notes.jsonl'), 'utf8').includes('"ended"'),
    );
    task.child.kill('SIGKILL');
    await task.ended;
    network.setDown(false);
    expect(await start(record('echo 1 > output.json')).ended).toBe(0);
    expect(row(id)).toMatchObject({ status: 'completed', closed: true, finish: { output: '7\n' } });
    expect(words(id)).toEqual(['begun', 'last']);
  });
});
