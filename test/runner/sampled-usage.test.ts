/** Runs on machines where no cgroup can be made. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runToEnd } from '../../src/runner/process.js';
import { createSampledUsage } from '../../src/runner/sampled-usage.js';
import { MARK } from '../../src/runner/tree.js';
import { isAlive } from '../support/local-scheduler.js';
import { until } from '../support/until.js';

const directory = mkdtempSync(join(tmpdir(), 'reprise-sampled-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Whole ones. */
function linesOf(name: string): string[] {
  const file = join(directory, name);
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
}

async function run(script: string, timeoutMs = 60_000) {
  const dispatchId = randomBytes(12).toString('hex');
  const cgroup = createSampledUsage('').take(dispatchId, 100);
  const exit = await runToEnd({
    dispatchId,
    command: ['sh', '-c', script],
    cwd: directory,
    env: { PATH: process.env.PATH ?? '', [MARK]: dispatchId },
    cgroup,
    timeoutMs,
    canceled: new AbortController().signal,
    onStarted: () => {},
    sink: { push: () => {}, isFull: false, whenDrained: (then) => then() },
  });
  const usage = cgroup.usage();
  cgroup.release();
  return { exit, usage };
}

describe('a run without a cgroup', () => {
  it('is told with the cpu time of all its children, and with their memory', async () => {
    const spin = 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done';
    const hog = 'x=$(head -c 40000000 /dev/zero | tr "\\0" x); echo >> held; until [ -e seen ]; do sleep 0.05; done';
    const running = run(`sh -c '${spin}' & sh -c '${hog}' & sh -c '${hog}' & wait`);
    await until('both to hold their memory', async () => linesOf('held').length === 2);
    // a look is due within a second; one that was late has come before a timer that was set later
    await new Promise((next) => setTimeout(next, 1_500));
    writeFileSync(join(directory, 'seen'), '');
    const { usage } = await running;
    expect(usage.cpuSeconds).toBeGreaterThan(0.1);
    // two at once: more than the peak of one
    expect(usage.peakMemoryMb).toBeGreaterThan(75);
    expect(usage.outOfMemory).toBe(false);
  });

  it('does not count what runs before and beside it', async () => {
    const { usage } = await run('true');
    expect(usage.cpuSeconds).toBeLessThan(0.05);
  });

  it('is ended with all that it started, also in sessions of their own', async () => {
    const { exit } = await run('setsid sleep 300 & echo $! > pids; sleep 300 & echo $! >> pids; wait', 3_000);
    expect(exit.reason).toBe('timeout');
    const pids = linesOf('pids').map(Number);
    expect(pids).toHaveLength(2);
    expect(pids.filter(isAlive)).toEqual([]);
  });
});
