/** The local scheduler and its host, with real processes. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closed, handOver, rowOf, said, shell, stateOf, submit, submitAll, wordsOf } from '../conformance/scheduler.js';
import { isAlive, type LocalHarness, openLocal } from '../support/local-scheduler.js';
import { removeTree } from '../support/remove-tree.js';
import { until } from '../support/until.js';

let h: LocalHarness;
beforeAll(async () => {
  h = await openLocal();
});
afterAll(() => h.close());

const fails = async (script: string, more: object = {}) =>
  (await closed(h, await submit(h, { ...shell(script), ...more }))).finish;

/** Pids that a script wrote into a file of its working directory. */
const pidsOf = (id: string) => {
  const file = join(h.stateDir, 'work', id, 'pids');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').map(Number) : [];
};

describe('a run', () => {
  it('that ends by a signal says which', async () => {
    const finish = await fails('echo hm >&2; kill -SEGV $$');
    expect(finish).toMatchObject({ failure_class: 'app', exit_code: null, exit_signal: 'SIGSEGV' });
    expect(finish?.error_message).toBe('it was ended by SIGSEGV: hm');
  });

  it('that leaves no output, or one that is no JSON, failed for its output', async () => {
    expect(await fails('echo bye')).toMatchObject({
      failure_class: 'output',
      exit_code: 0,
      error_message: expect.stringMatching(/no output\.json: bye$/),
    });
    expect(await fails('echo "{1}" > output.json')).toMatchObject({
      failure_class: 'output',
      error_message: expect.stringMatching(/not valid JSON/),
    });
    expect(await fails('printf "\\"\\377\\"" > output.json')).toMatchObject({ failure_class: 'output' });
    expect(await fails('mkdir output.json')).toMatchObject({
      failure_class: 'output',
      error_message: expect.stringMatching(/not a file/),
    });
    const large = await fails('head -c 20000000 /dev/zero > output.json');
    expect(large?.error_message).toMatch(/20000000 bytes; at most 16 MB are kept/);
  });

  it('whose command is missing says so as a failure of the app', async () => {
    const { finish } = await closed(h, await submit(h, { command: ['no-such-program'] }));
    expect(finish).toMatchObject({ failure_class: 'app', exit_code: null });
    expect(finish?.error_message).toMatch(/the command no-such-program was not found/);
    const other = await closed(h, await submit(h, { command: ['{app}/hello.txt'] }));
    expect(other.finish?.error_message).toMatch(/hello\.txt is missing or not executable/);
  });

  it('can be a file of the checkout', async () => {
    expect((await closed(h, await submit(h, { command: ['{app}/bin/run'] }))).status).toBe('completed');
  });

  it('whose checkout cannot be made failed for its platform', async () => {
    const { finish } = await closed(h, await submit(h, { commit: 'f'.repeat(40) }));
    expect(finish).toMatchObject({ failure_class: 'platform' });
    expect(finish?.error_message).toMatch(/no checkout of commit ffff.*git read-tree failed/);
  });

  it('that ignores TERM after its timeout is killed', async () => {
    const finish = await fails('trap "" TERM; echo stubborn; while :; do sleep 0.1; done', { timeout_ms: 2_300 });
    expect(finish).toMatchObject({ failure_class: 'time', exit_signal: 'SIGKILL' });
    expect(finish?.error_message).toBe('it ran longer than its timeout of 2300 ms: stubborn');
  });

  it('that heeds TERM after its timeout can clean up, and is over at once', async () => {
    const script = 'trap "echo cleaned; exit 9" TERM; sleep 100 & wait';
    const { finish, lines } = await closed(h, await submit(h, { ...shell(script), timeout_ms: 2_000 }));
    expect(finish).toMatchObject({ failure_class: 'time', exit_code: 9 });
    expect(finish?.error_message).toMatch(/cleaned$/);
    // the grace is five seconds; both times are the host's
    expect((finish?.ended_at as number) - (lines.at(-1)?.ts as number)).toBeLessThan(4_000);
  });

  it('that takes too much memory is told from one that was killed', async () => {
    // where nothing may be limited (a user without a cgroup of their own) the host says why
    if (!h.limits.startsWith('memory is limited')) return expect(h.limits).toMatch(/^memory is not limited[:( ]/);
    const eats = 'x=aaaaaaaaaaaaaaaa; while :; do x="$x$x"; done';
    const finish = await fails(`echo hungry; ${eats}`, { memory_mb: 30 });
    expect(finish).toMatchObject({ failure_class: 'memory', exit_signal: 'SIGKILL' });
    expect(finish?.error_message).toBe('it needed more than its 30 MB of memory (it was ended by SIGKILL): hungry');
    expect(finish?.peak_memory_mb).toBeGreaterThan(15);
    expect(finish?.peak_memory_mb).toBeLessThanOrEqual(30);
    expect(await fails('kill -KILL $$', { memory_mb: 30 })).toMatchObject({
      failure_class: 'app',
      exit_signal: 'SIGKILL',
    });
    expect((await closed(h, await submit(h, shell('echo 1 > output.json')))).status).toBe('completed');
  });

  it('has its peak memory and cpu time in the record', async () => {
    const finish = await fails(
      'x=$(head -c 20000000 /dev/zero | tr "\\0" x); i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; exit 1',
    );
    if (!h.limits.startsWith('memory is limited')) return expect(finish?.peak_memory_mb).toBeNull();
    expect(finish?.peak_memory_mb).toBeGreaterThan(15);
    expect(finish?.cpu_seconds).toBeGreaterThan(0.02);
    const small = await fails('exit 1');
    expect(small?.peak_memory_mb).toBeLessThan(10);
    expect(small?.cpu_seconds).toBeLessThan(finish?.cpu_seconds ?? 0);
  });

  it('finds a clean environment, and no token in it', async () => {
    process.env.REPRISE_TEST_SECRET = 'of the server';
    const row = await closed(
      h,
      await submit(h, { ...shell('env; pwd; ls -A; echo 1 > output.json'), env: { GREETING: 'hi from {app}' } }),
    );
    const words = wordsOf(row);
    const work = words.find((word) => word.startsWith(h.stateDir) && word.includes('/work/'));
    expect(words).toContain(`GREETING=hi from ${join(h.stateDir, 'checkouts', h.commit)}`);
    expect(words).toContain(`REPRISE_JOB_ID=${row.job.job_id}`);
    expect(words).toContain(`HOME=${work}`);
    expect(words.slice(words.indexOf(work as string) + 1)).toEqual(['input.json']);
    expect(words.filter((word) => /token|secret/i.test(word))).toEqual([]);
    const names = words.filter((word) => /^\w+=/.test(word)).map((word) => word.split('=')[0]);
    expect(
      names.filter((name) => !/^(PATH|HOME|PWD|TMPDIR|LANG|TZ|GREETING|REPRISE_\w+)$/.test(name as string)),
    ).toEqual([]);
  });

  it('takes what it left behind down with it: daemons too, in sessions of their own', async () => {
    const script =
      'setsid sh -c "echo \\$\\$ >> pids; exec sleep 100" & (setsid sleep 101 & echo $! >> pids) & while [ "$(wc -l < pids)" != 2 ]; do sleep 0.01; done; exit 4';
    const id = await submit(h, shell(script));
    const row = await closed(h, id);
    expect(row.finish).toMatchObject({ exit_code: 4 });
    expect(pidsOf(id)).toHaveLength(2);
    expect(pidsOf(id).filter(isAlive)).toEqual([]);
  });

  it('keeps its working directory when it failed, and not when it succeeded', async () => {
    const good = await submit(h, shell('mkdir deep; touch deep/file; echo 1 > output.json'));
    const bad = await submit(h, shell('touch evidence; exit 1'));
    await closed(h, good);
    await closed(h, bad);
    expect(existsSync(join(h.stateDir, 'work', bad, 'evidence'))).toBe(true);
    await until('the directory to be removed', async () => !existsSync(join(h.stateDir, 'work', good)));
    expect(readFileSync(join(h.stateDir, 'host.log'), 'utf8')).toContain(join(h.stateDir, 'work', bad));
  });
});

describe('log lines', () => {
  it('of binary output, a huge line and a last line without a newline arrive, in order', async () => {
    const row = await closed(
      h,
      await submit(
        h,
        shell('printf "a\\0b\\377c\\n"; head -c 150000 /dev/zero | tr "\\0" x; printf "\\nlast"; exit 1'),
      ),
    );
    const words = wordsOf(row, false);
    expect(words[0]).toBe('a\uFFFDb\uFFFDc');
    expect(words.slice(1, -1).join('')).toBe('x'.repeat(150_000));
    expect(words.at(-1)).toBe('last');
    expect(row.finish?.error_message).toBe('exit code 1: last');
  });

  it('by the hundred thousand arrive once each, while the memory of the host stays bounded', async () => {
    const host = h.hosts.at(-1) as number;
    const before = memoryMb(host);
    const script = 'i=0; while [ $i -lt 30 ]; do seq 1 10000; i=$((i+1)); done; echo 1 > output.json';
    const row = await closed(h, await submit(h, { ...shell(script), timeout_ms: 100_000 }), 60);
    const expected = Array.from({ length: 300_000 }, (_, n) => String((n % 10_000) + 1));
    expect(row.lines.length).toBe(expected.length);
    expect(wordsOf(row).every((word, at) => word === expected[at])).toBe(true);
    expect(memoryMb(host) - before).toBeLessThan(150);
  });

  it('and results arrive once each although every answer is lost for a while', async () => {
    h.server.loseAnswers = true;
    const ids = await handOver(h, [shell('echo never')]);
    const heard = await until('the start to be heard', async () => rowOf(h, ids.ids[0] as string).starts > 1);
    expect(heard).toBe(true);
    h.server.loseAnswers = false;
    const row = await closed(h, ids.ids[0] as string);
    expect(wordsOf(row)).toEqual(['never']);
  });
});

const memoryMb = (pid: number) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

describe('fifty jobs that want one commit first', () => {
  it('share one checkout', async () => {
    removeTree(join(h.stateDir, 'checkouts', h.commit));
    const ids = await submitAll(
      h,
      Array.from({ length: 50 }, () => ({ command: ['{app}/bin/run'] })),
    );
    for (const id of ids) expect((await closed(h, id)).status).toBe('completed');
    expect(readdirSync(join(h.stateDir, 'checkouts'))).toEqual([h.commit]);
  });
});

describe('without the server', () => {
  it('a job ends, and its lines and result wait for the next one, on another port, once each', async () => {
    const id = await submit(
      h,
      shell('for i in $(seq 1 40); do echo "line $i"; sleep 0.02; done; echo "[1.0]" > output.json'),
    );
    await said(h, id, 'line 5');
    await h.server.shut(); // calls under way break; the host is told nothing
    await until('the job to end', async () => existsSync(join(h.stateDir, 'work', id, 'output.json')));
    await h.scheduler.stop();
    await h.server.open();
    await h.reopen();
    const row = await closed(h, id);
    expect(row).toMatchObject({ status: 'completed', startsAllowed: 1, finish: { output: '[1.0]\n' } });
    expect(wordsOf(row)).toEqual(Array.from({ length: 40 }, (_, n) => `line ${n + 1}`));
    expect(await stateOf(h, id)).toBe('gone');
  });
});

describe('a host that is killed', () => {
  it('leaves its orphans to the next one, which ends them, delivers what had ended, and runs nothing twice', async () => {
    const loud = await submit(
      h,
      shell('for i in $(seq 1 30000); do echo "line $i"; done; touch said; echo 2 > output.json'),
    );
    await said(h, loud, 'line 1');
    await h.server.shut();
    const orphan = await submit(h, shell('true')).catch(() => '');
    expect(orphan).not.toBe('');
    await until('the loud one to end', async () => existsSync(join(h.stateDir, 'work', loud, 'output.json')));
    await until('its end to be noted', async () =>
      journal().some((entry) => entry.is === 'ended' && entry.id === loud),
    );
    const old = h.hosts.at(-1) as number;
    process.kill(old, 'SIGKILL');
    await h.server.open();
    await until('another host', async () => h.hosts.at(-1) !== old);
    const row = await closed(h, loud);
    expect(row).toMatchObject({ status: 'completed', startsAllowed: 1, finish: { output: '2\n' } });
    expect(wordsOf(row)).toEqual(Array.from({ length: 30_000 }, (_, n) => `line ${n + 1}`));
    // it had not started: it waits for another dispatch
    expect(await closed(h, orphan)).toMatchObject({ startsAllowed: 0, status: 'queued' });
  });

  it('has its running jobs ended with all their processes, as failures of the platform', async () => {
    const id = await submit(
      h,
      shell('setsid sleep 102 & echo $! > pids; sleep 103 & echo $! >> pids; echo $$ >> pids; echo up; wait'),
    );
    await said(h, id, 'up');
    expect(pidsOf(id).filter(isAlive)).toHaveLength(3);
    const old = h.hosts.at(-1) as number;
    process.kill(old, 'SIGKILL');
    expect(await closed(h, id)).toMatchObject({ status: 'error', finish: null, startsAllowed: 1 });
    expect(pidsOf(id).filter(isAlive)).toEqual([]);
    expect((await closed(h, await submit(h, shell('echo 1 > output.json')))).status).toBe('completed');
  });

  const journal = () =>
    readFileSync(join(h.stateDir, 'journal.jsonl'), 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { is?: string; id?: string });
});

describe('a host that is ended with TERM', () => {
  it('ends its jobs and says why, through the next one', async () => {
    const id = await submit(h, shell('echo up; sleep 100'));
    await said(h, id, 'up');
    const old = h.hosts.at(-1) as number;
    process.kill(old, 'SIGTERM');
    const { finish } = await closed(h, id);
    expect(finish).toMatchObject({ failure_class: 'platform' });
    expect(finish?.error_message).toMatch(/the runner host of this machine was ended/);
    await until('the old one to be gone', async () => !isAlive(old));
  });
});

describe('the state directory', () => {
  it('may be deeper than the path of a socket', async () => {
    const deep = join(h.stateDir, '..', 'x'.repeat(100), 'y'.repeat(100));
    const other = await openLocal({ stateDir: deep });
    expect((await closed(other, await submit(other, shell('echo 1 > output.json')))).status).toBe('completed');
    await other.close();
    removeTree(deep);
  });
});
