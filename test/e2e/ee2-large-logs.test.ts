/** A log that would not fit into EE2: 60 MB of lines, read page by page from a server whose memory is watched. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeAppRepository } from '../support/app-repository.js';
import { type ServeProcess, serve } from '../support/serve-process.js';

/** `npm test` writes 60 MB; with the long form (LARGE_LOG_MB=300) it is 300. The bound does not grow with it. */
const MEGABYTES = Number(process.env.LARGE_LOG_MB ?? 60);
/** Over what the server needs before it has a log: pages in several forms at once, and the database's cache. */
const MOST_MORE_MB = 600;

let dataDir: string;
let server: ServeProcess;
const repository = makeAppRepository();
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'reprise-logs-'));
  server = await serve(dataDir, 1);
});
afterAll(async () => {
  await server.kill();
  for (const directory of [dataDir, repository.path]) rmSync(directory, { recursive: true, force: true });
});

async function call<T>(method: string, params: unknown[]): Promise<T> {
  const answer = await fetch(`${server.url}/services/ee2`, {
    method: 'POST',
    headers: { AUTHORIZATION: server.token },
    body: JSON.stringify({ method: `execution_engine2.${method}`, params, version: '1.1', id: '1' }),
  });
  const text = await answer.text();
  expect(answer.status, text.slice(0, 500)).toBe(200);
  return JSON.parse(text).result[0];
}

/** The most the process ever had in memory. */
function peakMegabytes(): number {
  const status = readFileSync(`/proc/${server.child.pid}/status`, 'utf8');
  return Number(/VmHWM:\s*(\d+) kB/.exec(status)?.[1]) / 1024;
}

it('is read to its end by a client that skips what it holds, and the memory of the server stays bounded', {
  timeout: 600_000,
}, async () => {
  repository.commit('one');
  await server.client.call('addApp', { repository: repository.path, tag: 'release' });
  const id = await call<string>('run_job', [{ method: 'demo.sleep' }]);
  const before = peakMegabytes();
  const line = (n: number) => `${n} `.padEnd(1000, 'log ');
  for (let n = 0; n < MEGABYTES * 1000; n += 2000) {
    await call('add_job_logs', [{ job_id: id }, Array.from({ length: 2000 }, (_, at) => ({ line: line(n + at) }))]);
  }
  let held = 0;
  for (;;) {
    const page = await call<{ lines: { line: string; linepos: number }[]; count: number; last_line_number: number }>(
      'get_job_logs',
      [{ job_id: id, skip_lines: held }],
    );
    for (const [at, one] of page.lines.entries()) {
      if (one.linepos !== held + at || one.line !== line(held + at))
        throw new Error(`line ${held + at} is ${one.line}`);
    }
    held += page.lines.length;
    expect(page.last_line_number).toBe(held);
    if (held === page.count) break;
    expect(page.lines.length).toBeGreaterThan(10_000);
  }
  expect(held).toBe(MEGABYTES * 1000);
  console.log(
    `peak memory: ${before.toFixed(0)} MB before, ${peakMegabytes().toFixed(0)} MB after ${MEGABYTES} MB of log`,
  );
  expect(peakMegabytes() - before).toBeLessThan(MOST_MORE_MB);
  await call('cancel_job', [{ job_id: id }]).catch(() => {});
});
