/** What every scheduler does, whatever runs the jobs: written against the seam and the server's record only. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobSpec } from '../../src/contract/worker.js';
import type { DispatchRef, Scheduler, Submission, SubmissionOutcome } from '../../src/schedulers/scheduler.js';
import type { Recorded, ReportServer } from '../support/report-server.js';
import { until } from '../support/until.js';

/** One scheduler at work beside a server that records. */
export interface SchedulerHarness {
  scheduler: Scheduler;
  readonly server: ReportServer;
  /** A bare mirror and its commit, with a file `hello.txt`. */
  readonly repository: string;
  readonly commit: string;
  /** It queues whatever it is given, starts a runner for each job, and what a cancel ended is for `poll` to say. */
  readonly isCluster?: true;
  /** Another object for the same jobs, as a restarted server makes it. */
  reopen(): Promise<void>;
  close(): Promise<void>;
}

export const newId = () => randomBytes(12).toString('hex');

export function shell(script: string): Pick<JobSpec, 'command'> {
  return { command: ['sh', '-c', script] };
}

/** Records a job as queued, and hands its dispatch over. */
export async function submit(h: SchedulerHarness, job: Partial<JobSpec>): Promise<string> {
  const [id] = await submitAll(h, [job]);
  return id as string;
}

export async function submitAll(h: SchedulerHarness, jobs: readonly Partial<JobSpec>[]): Promise<string[]> {
  const { ids, outcomes } = await handOver(h, jobs);
  expect(outcomes.map((outcome) => outcome.outcome)).toEqual(ids.map(() => 'accepted'));
  return ids;
}

export async function handOver(h: SchedulerHarness, jobs: readonly Partial<JobSpec>[]) {
  const ids = jobs.map((job) => record(h, job));
  const outcomes = await submitNamed(
    h,
    ids.map((id) => submissionOf(h, id)),
  );
  return { ids, outcomes };
}

/** As the dispatcher does: named, the names recorded, handed over. */
function submitNamed(h: SchedulerHarness, submissions: readonly Submission[]): Promise<SubmissionOutcome[]> {
  const names = h.scheduler.plan?.(submissions) ?? [];
  submissions.forEach(({ dispatchId }, at) => {
    rowOf(h, dispatchId).name = names[at] ?? null;
  });
  return h.scheduler.submitMany(submissions.map((one, at) => ({ ...one, name: names[at] ?? null })));
}

function record(h: SchedulerHarness, given: Partial<JobSpec>): string {
  const id = newId();
  const job: JobSpec = {
    job_id: newId(),
    module: 'demo',
    method: 'demo.run',
    commit: h.commit,
    repository: h.repository,
    command: ['true'],
    env: {},
    input: 'null',
    timeout_ms: 60_000,
    cpus: 1,
    memory_mb: 50,
    ...given,
  };
  const row: Recorded = {
    job,
    status: 'queued',
    starts: 0,
    startsAllowed: 0,
    lines: [],
    repeated: 0,
    finish: null,
    closed: false,
  };
  h.server.recorded.set(id, row);
  return id;
}

function submissionOf(h: SchedulerHarness, dispatchId: string) {
  const { job } = h.server.recorded.get(dispatchId) as Recorded;
  return {
    dispatchId,
    name: null,
    jobId: job.job_id,
    token: h.server.tokenOf(dispatchId),
    owner: 'alice',
    cpus: job.cpus,
    memoryMb: job.memory_mb,
    diskGb: null,
    clientGroup: null,
    timeoutMs: job.timeout_ms,
  };
}

export const rowOf = (h: SchedulerHarness, id: string) => h.server.recorded.get(id) as Recorded;
export const closed = (h: SchedulerHarness, id: string, seconds?: number) =>
  until(`dispatch ${id} to be closed`, async () => rowOf(h, id).closed && rowOf(h, id), seconds);
/** Nothing of it is left: its runner said so, or its scheduler does. */
export const over = (h: SchedulerHarness, id: string, seconds?: number) =>
  until(
    `dispatch ${id} to be over`,
    async () => (rowOf(h, id).closed || (h.isCluster === true && (await stateOf(h, id)) === 'gone')) && rowOf(h, id),
    seconds,
  );
const isGone = (h: SchedulerHarness, id: string) =>
  until(`${id} to be gone`, async () => (await stateOf(h, id)) === 'gone');
export const wordsOf = (row: Recorded, isError?: boolean) =>
  row.lines.filter((line) => isError === undefined || line.is_error === isError).map((line) => line.line);
/** As it is recorded: what `plan` called it. */
export function refOf(h: SchedulerHarness, id: string): DispatchRef {
  return { dispatchId: id, name: h.server.recorded.get(id)?.name ?? null, schedulerId: null };
}
export const stateOf = async (h: SchedulerHarness, id: string) => {
  return (await h.scheduler.poll([refOf(h, id)])).get(id)?.state;
};
export const said = (h: SchedulerHarness, id: string, word: string) =>
  until(`${id} to say ${word}`, async () => wordsOf(rowOf(h, id)).includes(word));

const HARD = '[1.0, 9007199254740993, 1e22, -0.0, "\\u2028", {"b":1,"a":2}]\n';

export function schedulerConformance(name: string, open: () => Promise<SchedulerHarness>): void {
  describe(`scheduler ${name}`, () => {
    let h: SchedulerHarness;
    beforeAll(async () => {
      h = await open();
    });
    afterAll(() => h.close());

    it('runs a job at its commit, with its input and output as exact text, and then knows it no more', async () => {
      const id = await submit(h, { ...shell('cat "$0" && cp input.json output.json'), input: HARD });
      rowOf(h, id).job.command.push('{app}/hello.txt');
      const row = await closed(h, id);
      expect(row).toMatchObject({ status: 'completed', finish: { exit_code: 0, exit_signal: null, output: HARD } });
      expect(wordsOf(row)).toEqual(['hello from the commit']);
      await isGone(h, id);
    });

    it('tells how a job failed, and ends with what it said last', async () => {
      const id = await submit(h, shell('echo about to; echo "the wheel came off" >&2; exit 3'));
      const { finish, lines } = await closed(h, id);
      expect(finish).toMatchObject({ failure_class: 'app', exit_code: 3, output: null });
      expect(finish?.error_message).toMatch(/the wheel came off$/);
      expect(lines.map((line) => [line.line, line.is_error]).sort()).toEqual([
        ['about to', false],
        ['the wheel came off', true],
      ]);
    });

    it('ends a running job with its whole tree when it is cancelled', async () => {
      const id = await submit(h, shell('(trap "" TERM; while :; do sleep 1; done) & echo up; wait'));
      await said(h, id, 'up');
      expect(await stateOf(h, id)).toBe('running');
      expect([...(await h.scheduler.find([refOf(h, id)])).keys()]).toEqual([id]);
      h.server.terminate(id);
      await h.scheduler.cancel([refOf(h, id)]);
      expect(await over(h, id)).toMatchObject({ status: 'terminated', startsAllowed: 1 });
      await isGone(h, id);
    });

    it('never runs what was cancelled while it waited', async () => {
      const { cpus } = h.scheduler.limits();
      const first = await submit(h, { ...shell('echo up; sleep 100'), cpus });
      await said(h, first, 'up');
      const second = await submit(h, { ...shell('echo ran'), cpus });
      expect(await stateOf(h, second)).toBe('pending');
      h.server.terminate(second);
      await h.scheduler.cancel([refOf(h, second)]);
      expect(await over(h, second)).toMatchObject({ status: 'terminated', lines: [], finish: null });
      h.server.terminate(first);
      await h.scheduler.cancel([refOf(h, first)]);
      await over(h, first);
    });

    it('never runs what the server does not let start', async () => {
      const id = record(h, shell('echo ran'));
      h.server.terminate(id); // and the cancel was lost on its way
      await submitNamed(h, [submissionOf(h, id)]);
      expect(await over(h, id)).toMatchObject({ startsAllowed: 0, lines: [], finish: null });
    });

    it('runs a submission once, however often it comes', async () => {
      const id = await submit(h, shell('sleep 0.3; echo ran; echo 1 > output.json'));
      const again = await submitNamed(h, [submissionOf(h, id), submissionOf(h, id)]);
      expect(again.map((outcome) => outcome.outcome)).toEqual(['accepted', 'accepted']);
      expect(wordsOf(await closed(h, id))).toEqual(['ran']);
    });

    it('says that what it never had is gone, and cancels it without a word', async () => {
      const id = newId();
      expect(await stateOf(h, id)).toBe('gone');
      expect((await h.scheduler.find([refOf(h, id)])).size).toBe(0);
      await h.scheduler.cancel([refOf(h, id)]);
    });

    it('has capacity for its largest job when it is idle, less while that runs, and hints when it is free again', async () => {
      // a cluster has a queue of its own
      if (h.isCluster === true) return expect((await h.scheduler.capacity()).jobs).toBeGreaterThan(1000);
      const { cpus, memoryMb } = h.scheduler.limits();
      const idle = await h.scheduler.capacity();
      expect(idle.cpus).toBeGreaterThanOrEqual(cpus);
      expect(idle.memoryMb).toBeGreaterThanOrEqual(memoryMb);
      expect(idle.jobs).toBeGreaterThanOrEqual(1);
      let hints = 0;
      h.scheduler.onChange(() => {
        hints += 1;
      });
      const id = await submit(h, { ...shell('echo up; sleep 100'), cpus });
      await said(h, id, 'up');
      expect((await h.scheduler.capacity()).jobs).toBeLessThan(idle.jobs);
      const before = hints;
      h.server.terminate(id);
      await h.scheduler.cancel([refOf(h, id)]);
      await closed(h, id);
      await until('a hint', async () => hints > before);
    });

    it('shares the calls of many jobs, and runs each once', async () => {
      const before = h.server.calls.length;
      const length = h.isCluster === true ? 20 : 60;
      const ids = await submitAll(
        h,
        Array.from({ length }, () => shell('echo "$REPRISE_JOB_ID"; echo 1 > output.json')),
      );
      for (const id of ids) {
        const row = await closed(h, id);
        expect([row.status, wordsOf(row)]).toEqual(['completed', [row.job.job_id]]);
      }
      const calls = h.server.calls.slice(before);
      if (h.isCluster !== true) expect(calls.length).toBeLessThan(120);
    });

    it('lets running jobs go on without a server, and delivers their lines once and their results to the next one', async () => {
      const id = await submit(
        h,
        shell('for i in 1 2 3 4 5 6; do echo "line $i"; sleep 0.1; done; echo 1 > output.json'),
      );
      await said(h, id, 'line 2');
      await h.scheduler.stop();
      await h.server.shut();
      await new Promise((done) => setTimeout(done, 300));
      await h.server.open();
      await h.reopen();
      const row = await closed(h, id);
      expect(row).toMatchObject({ status: 'completed', startsAllowed: 1 });
      expect(wordsOf(row)).toEqual(['line 1', 'line 2', 'line 3', 'line 4', 'line 5', 'line 6']);
    });
  });
}
