/** What is said to the server, when calls fail, answers are lost, or one report cannot be taken. */

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FinishReport, WorkerAnswer, WorkerReport, WorkerReports } from '../../src/contract/worker.js';
import { LogSpool } from '../../src/runner/log-spool.js';
import { Reporter } from '../../src/runner/reporter.js';
import { until } from '../support/until.js';

type Behave = (reports: readonly WorkerReport[]) => { status: number; answers: WorkerAnswer[] } | 'hang up';

let directory: string;
let server: Server;
let url: string | null;
let behave: Behave;
let calls: WorkerReport[][];
let reporter: Reporter;

const fine: WorkerAnswer = { ok: true, canceled: false, logs_received: 0 };
const accept: Behave = (reports) => ({
  status: 200,
  answers: reports.map(({ logs }) => ({
    ...fine,
    logs_received: logs === undefined ? 0 : logs.first + logs.lines.length,
  })),
});
const done: FinishReport = { exit_code: 0, exit_signal: null, output: '1', peak_memory_mb: null, cpu_seconds: null };

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'reprise-reporter-'));
  calls = [];
  behave = accept;
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { reports } = JSON.parse(Buffer.concat(chunks).toString()) as WorkerReports;
      calls.push(reports);
      const answer = behave(reports);
      if (answer === 'hang up') response.destroy();
      else response.writeHead(answer.status).end(JSON.stringify({ answers: answer.answers }));
    });
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  reporter = new Reporter({ url: () => url, hostName: () => 'here', log: () => {}, now: () => performance.now() });
});
afterEach(() => {
  reporter.stop();
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

function open(token: string) {
  const spool = new LogSpool(directory, token);
  let cancels = 0;
  const channel = reporter.open({
    token,
    spool,
    onDrained: () => {},
    onCanceled: () => {
      cancels += 1;
    },
  });
  const say = (...lines: string[]) => {
    spool.push(lines.map((line) => ({ line, is_error: false, ts: 1 })));
    channel.lines();
  };
  return { ...channel, channel, say, cancels: () => cancels };
}
const said = () => calls.flat();

describe('the reporter', () => {
  it('says everything of a short job in two reports, and of many in few calls', async () => {
    const all = Array.from({ length: 100 }, (_, n) => open(`t${n}`));
    await Promise.all(all.map((one) => one.channel.start()));
    await Promise.all(
      all.map((one) => {
        one.finish(done);
        return one.gone();
      }),
    );
    expect(said()).toHaveLength(200);
    expect(calls.length).toBeLessThan(20);
    expect(said().filter(({ finish, gone }) => finish !== undefined && gone === true)).toHaveLength(100);
  });

  it('says lines before the finish, and the finish before that it is gone, however many lines there are', async () => {
    const one = open('t');
    await one.channel.start();
    one.say(...Array.from({ length: 20_000 }, (_, n) => `${'x'.repeat(100)} ${n}`));
    one.finish(done);
    await one.gone();
    const lines = said().flatMap(({ logs }) => logs?.lines ?? []);
    expect(lines.map(({ line }) => Number(line.split(' ')[1]))).toEqual(lines.map((_, n) => n));
    expect(lines).toHaveLength(20_000);
    expect(said().findIndex(({ finish }) => finish !== undefined)).toBe(said().length - 1);
  });

  it('repeats what was not answered, with the same count of lines before', async () => {
    const one = open('t');
    let lost = 0;
    behave = (reports) => {
      lost += 1;
      return lost <= 2 ? 'hang up' : accept(reports);
    };
    one.say('a', 'b');
    one.finish(done);
    await one.gone();
    expect(said().map(({ logs }) => [logs?.first, logs?.lines.map(({ line }) => line)])).toEqual([
      [0, ['a', 'b']],
      [0, ['a', 'b']],
      [0, ['a', 'b']],
    ]);
  });

  it('lets one report that the server cannot take not hold up the others, and ends that job as a failure of the platform', async () => {
    behave = (reports) =>
      reports.some(({ finish }) => finish?.output === '"poison"') ? { status: 400, answers: [] } : accept(reports);
    const all = Array.from({ length: 9 }, (_, n) => open(`t${n}`));
    await Promise.all(
      all.map((one, n) => {
        one.finish(n === 4 ? { ...done, output: '"poison"' } : done);
        return one.gone();
      }),
    );
    const last = said()
      .filter(({ token }) => token === 't4')
      .at(-1);
    expect(last?.finish).toMatchObject({ failure_class: 'platform', output: null });
    expect(last?.finish?.error_message).toMatch(/the server refused the result: HTTP 400/);
  });

  it('says nothing while no server is there, and goes on when one is', async () => {
    const there = url;
    url = null;
    const one = open('t');
    const started = one.channel.start();
    await new Promise((next) => setTimeout(next, 50));
    expect(calls).toEqual([]);
    url = there;
    reporter.retryNow();
    expect(await started).toMatchObject({ ok: true });
  });

  it('passes on once per answer that a job is cancelled, until its finish is known', async () => {
    behave = (reports) => ({
      status: 200,
      answers: reports.map(() => ({ ...fine, canceled: true, logs_received: 1 })),
    });
    const one = open('t');
    one.say('a');
    await until('the cancel', async () => one.cancels() === 1);
    one.finish(done);
    await one.gone();
    expect(one.cancels()).toBe(1);
  });

  it('gives up a dispatch that the server does not know', async () => {
    behave = (reports) => ({
      status: 200,
      answers: reports.map(() => ({
        ...fine,
        ok: false,
        canceled: true,
        error: { code: 'UNAUTHENTICATED', message: 'whose?' },
      })),
    });
    const one = open('t');
    expect(await one.channel.start()).toMatchObject({ ok: false });
    expect(one.cancels()).toBe(1);
    one.say('nobody hears this');
    await one.gone();
  });
});
