/** On a real Slurm: what happens to jobs when the server, the controller or somebody else intervenes. */
import { copyFileSync, existsSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.js';
import { parentOf } from './processes.js';
import { SlurmWorld, type TracedJob } from './world.js';

const CPUS = 4;
let w: SlurmWorld;
beforeAll(async () => {
  w = await SlurmWorld.open({ nodes: 2, cpus: CPUS / 2 });
});
afterAll(async () => {
  const found = await w.examine();
  await w.close();
  expect(found).toEqual([]);
});
afterEach(async () => {
  await w.empty();
  // whatever was tried, nothing ever began twice
  expect([...w.beginnings()].filter(([, times]) => times > 1)).toEqual([]);
});

const MINUTES = 60_000;

/** The whole cluster, for as long as it is wanted. */
async function fill(): Promise<TracedJob[]> {
  const blockers = await w.submit('wait', CPUS);
  for (const one of blockers) await w.waitFor(one, 'to run', ({ status }) => status === 'running');
  return blockers;
}
async function release(blockers: readonly TracedJob[]): Promise<void> {
  for (const one of blockers) w.letEnd(one);
  for (const one of blockers) expect((await w.ended(one)).status).toBe('completed');
}

async function allComplete(jobs: readonly TracedJob[], seconds = 120): Promise<void> {
  for (const job of jobs) expect((await w.ended(job, seconds)).status).toBe('completed');
  const began = w.beginnings();
  expect(jobs.map(({ id }) => began.get(id))).toEqual(jobs.map(() => 1));
}

const countDispatches = async (job: TracedJob) => (await w.jobOf(job)).dispatches.length;
const slurmIdOf = (job: TracedJob) => w.slurmIdOf(job);
const queued = (job: TracedJob) => w.waitFor(job, 'to be queued', ({ status }) => status === 'queued');

async function controllerIsUp(): Promise<void> {
  await until('slurmctld to answer', async () => {
    const told = await w.cluster.run('scontrol', 'ping').catch(() => '');
    return told.includes('is UP');
  });
}

it('a batch of 200 jobs ends with its failures told, and a retry of those completes it', {
  timeout: 8 * MINUTES,
}, async () => {
  const jobs = Array.from({ length: 200 }, (_, at) => w.newJob(at % 5 === 0 ? 'fail' : 'plain'));
  const { batch_id: batchId } = await w.client.call('submitBatch', { jobs });
  const state = (wanted: string) =>
    until(
      `the batch to be ${wanted}`,
      async () => (await w.client.call('getBatch', { batch_id: batchId as string })).state === wanted,
      300,
    );
  await state('error');
  const { accepted, refused } = await w.client.call('retryBatch', { batch_id: batchId as string });
  expect([accepted, refused]).toEqual([40, 0]);
  await state('completed');
  expect([...w.beginnings().values()]).toHaveLength(240);
  // of the server's environment no more than this; the rest is Slurm's and the shell's
  const told = ['HOME', 'LC_ALL', 'LOGNAME', 'PATH', 'TZ', 'USER', 'ENVIRONMENT', 'HELD', 'HOSTNAME', 'PWD', 'TMPDIR'];
  expect(w.environmentOnNode().filter((name) => !told.includes(name))).toEqual([]);
  // 200 jobs of one kind are one array, their retries another
  const submitted = new Set((await w.cluster.run('squeue', '-h', '-t', 'all', '-o', '%F')).trim().split('\n'));
  expect(submitted.size).toBe(2);
  // tasks went on with others' jobs, whose own tasks were taken back
  const { items } = await w.client.call('listItems', { batch_id: batchId as string, limit: 1000 });
  const ids = await Promise.all(items.map((item) => w.slurmIdOf({ id: item.job_id, path: '' })));
  expect(new Set(ids).size).toBeLessThan(100);
  await until('nothing to be left', async () => (await w.cluster.run('squeue', '-h', '-o', '%i')).trim() === '');
});

describe('a task that has gone on with another job', () => {
  /** Short ones before one that waits: a task that did one of those has it. All of one array. */
  async function goneOn(): Promise<{ job: TracedJob; task: string; others: TracedJob[] }> {
    const others = await Promise.all(Array.from({ length: CPUS }, () => w.newJob('plain')));
    const jobs = [...others, w.newJob('wait')];
    const { items } = await w.client.call('submitJobs', { jobs });
    const traced = items.map(({ job_id: id }, at) => ({ id: id as string, path: jobs[at]?.params.parse() as string }));
    const job = traced.at(-1) as TracedJob;
    await w.waitFor(job, 'to run', ({ status }) => status === 'running');
    await until('it to have begun', async () => w.beginnings().has(job.id));
    const task = await slurmIdOf(job);
    expect(task).not.toMatch(/_4$/);
    return { job, task, others: traced.slice(0, -1) };
  }

  it(
    'is cancelled in Slurm: that ends the job that it carries out now, and no other',
    async () => {
      const { job, task, others } = await goneOn();
      await w.cluster.run('scancel', task);
      expect(await w.ended(job)).toMatchObject({ status: 'terminated', terminated_code: 1 });
      await allComplete(others);
    },
    3 * MINUTES,
  );

  it(
    'ends that job when it is cancelled here, and a retry follows',
    async () => {
      const { job, others } = await goneOn();
      await w.client.call('cancelJobs', { job_ids: [job.id] });
      const { receipts } = await w.client.call('retryJobs', { job_ids: [job.id] });
      w.letEnd(job);
      await allComplete([{ id: receipts[0]?.retry_id as string, path: job.path }, ...others]);
    },
    3 * MINUTES,
  );

  it(
    'is killed with it: Slurm tells the end of that job, which is not begun again',
    async () => {
      const { job, others } = await goneOn();
      const pid = w.pidOf(job);
      process.kill(parentOf(pid), 'SIGKILL');
      process.kill(pid, 'SIGKILL');
      const over = await w.ended(job);
      expect(over).toMatchObject({ status: 'error', failure: { failure_class: 'platform' } });
      expect(over.failure?.message).toMatch(/^the runner .*\(Slurm job \d+_\d+: FAILED/);
      expect(over.dispatches).toHaveLength(1);
      await allComplete(others);
    },
    3 * MINUTES,
  );

  it(
    'is given the same one again by a server that was killed before it answered',
    async () => {
      const mark = join(w.root, 'died-giving');
      await w.kill();
      await w.start({ point: 'report.recorded-gone', mark });
      const jobs = await w.submit('plain', 12);
      await until('the server to die', async () => existsSync(mark));
      await w.kill();
      await w.start();
      await allComplete(jobs);
      expect(await Promise.all(jobs.map(countDispatches))).toEqual(jobs.map(() => 1));
    },
    4 * MINUTES,
  );
});

it(
  'a server that is killed between sbatch and its record finds what it handed over, and does not hand it over again',
  async () => {
    const mark = join(w.root, 'died');
    await w.kill();
    await w.start({ point: 'dispatch.submitted', mark });
    const blockers = await w.submit('wait', CPUS).catch(() => [] as TracedJob[]);
    await until('the server to die', async () => existsSync(mark));
    await w.kill();
    await w.start();
    for (const one of blockers) await w.waitFor(one, 'to run', ({ status }) => status === 'running');
    for (const one of blockers)
      await w.waitFor(one, 'to be found in Slurm', (now) => now.dispatches[0]?.scheduler_id !== null);
    await release(blockers);
    expect(await Promise.all(blockers.map(countDispatches))).toEqual(blockers.map(() => 1));
    expect(await slurmIdOf(blockers[0] as TracedJob)).toMatch(/^\d+_\d+$/);
  },
  3 * MINUTES,
);

describe('slurmctld', () => {
  it('that loses what it acknowledged and gives its ids again: the jobs wait again, and run once', {
    timeout: 4 * MINUTES,
  }, async () => {
    const blockers = await fill();
    await w.cluster.run('sbatch', '--hold', '--output=/dev/null', '--wrap=true');
    const acknowledged = Date.now();
    const state = join(w.cluster.directory, 'state', 'job_state');
    await until('slurmctld to write what it has', async () => statSync(state).mtimeMs > acknowledged);
    copyFileSync(state, `${state}.before`);
    const jobs = await w.submit('plain', 5);
    await queued(jobs[4] as TracedJob);
    const lost = await slurmIdOf(jobs[0] as TracedJob);
    await w.cluster.controller.stop('SIGKILL');
    // as if it had been killed before it wrote what it acknowledged since, which it may do at any time
    renameSync(`${state}.before`, state);
    await w.cluster.controller.start();
    await controllerIsUp();
    const known = await w.cluster.run('squeue', '-h', '-o', '%F');
    expect(known.split('\n')).not.toContain(lost.split('_')[0]);
    const stranger = await w.cluster.run('sbatch', '--parsable', '--array=0-4', '--output=/dev/null', '--wrap=sleep 1');
    expect(stranger.trim()).toBe(lost.split('_')[0]);
    for (const job of jobs) await w.waitFor(job, 'to have a second dispatch', (now) => now.dispatches.length === 2);
    await release(blockers);
    await allComplete(jobs);
    expect((await w.jobOf(jobs[0] as TracedJob)).dispatches[0]?.close_reason).toBe('lost');
  });

  it(
    'that is down during a submission: jobs wait with that reason, and run when it is back',
    async () => {
      await w.cluster.controller.stop('SIGTERM');
      const jobs = await w.submit('plain', 3);
      const waiting = await w.waitFor(jobs[2] as TracedJob, 'to say why', ({ wait_reason }) => wait_reason !== null);
      expect(waiting).toMatchObject({ status: 'created', wait_reason: 'Slurm can not be reached (slurmctld is down)' });
      await w.cluster.controller.start();
      await allComplete(jobs);
      expect(await countDispatches(jobs[0] as TracedJob)).toBe(1);
    },
    3 * MINUTES,
  );

  it(
    'that takes a submission and does not say so: the jobs are found, and not handed over again',
    async () => {
      const pid = w.cluster.controller.pid as number;
      // stopped after the ping and before the submission; it goes on when sbatch has given up and that was seen
      w.replaceSbatch(`kill -STOP ${pid}\nexec /usr/bin/sbatch "$@"`);
      const jobs = await w.submit('plain', 3);
      try {
        const unsure = await w.waitFor(
          jobs[0] as TracedJob,
          'to be unsure',
          (now) => now.wait_reason?.includes('timed out') === true,
        );
        expect(unsure.status).toBe('created');
      } finally {
        w.restoreSbatch();
        process.kill(pid, 'SIGCONT');
      }
      await allComplete(jobs);
      expect(await Promise.all(jobs.map(countDispatches))).toEqual([1, 1, 1]);
    },
    3 * MINUTES,
  );
});

describe('somebody else', () => {
  it(
    'who cancels a waiting and a running job in Slurm ends them here, with a line that says so',
    async () => {
      const blockers = await fill();
      const [waiting] = (await w.submit('plain', 1)) as [TracedJob];
      await queued(waiting);
      const [running] = blockers as [TracedJob];
      await w.cluster.run('scancel', await slurmIdOf(waiting), await slurmIdOf(running));
      for (const job of [waiting, running]) {
        expect(await w.ended(job)).toMatchObject({ status: 'terminated', terminated_code: 1 });
        const { lines } = await w.client.call('getLogs', { job_id: job.id });
        expect(lines.map((one) => one.line).join('\n')).toMatch(
          /^the job was cancelled in Slurm, not here \(Slurm job \d+_0: CANCELLED/m,
        );
      }
      expect(w.beginnings().get(waiting.id)).toBeUndefined();
      await release(blockers.slice(1));
    },
    3 * MINUTES,
  );

  it(
    'who holds a job makes it wait with that reason until it is released',
    async () => {
      const blockers = await fill();
      const [job] = (await w.submit('plain', 1)) as [TracedJob];
      await queued(job);
      const id = await slurmIdOf(job);
      await w.cluster.run('scontrol', 'hold', id);
      await w.waitFor(job, 'to say why', ({ wait_reason }) => wait_reason?.startsWith('Slurm: JobHeld') === true);
      await w.cluster.run('scontrol', 'release', id);
      await release(blockers);
      await allComplete([job]);
    },
    3 * MINUTES,
  );
});

it(
  'a cancel here ends the job there, running or not, and a retry follows when nothing is left',
  async () => {
    const blockers = await fill();
    const [waiting] = (await w.submit('plain', 1)) as [TracedJob];
    await queued(waiting);
    const [running] = blockers as [TracedJob];
    await w.client.call('cancelJobs', { job_ids: [waiting.id, running.id] });
    const { receipts } = await w.client.call('retryJobs', { job_ids: [running.id] });
    const retry = { id: receipts[0]?.retry_id as string, path: running.path };
    w.letEnd(running);
    await allComplete([retry]);
    await w.waitFor(waiting, 'to be closed', ({ dispatches }) => dispatches[0]?.closed_at !== null);
    await release(blockers.slice(1));
  },
  3 * MINUTES,
);

it('a job that asks for more than the largest node has is refused', async () => {
  const asked = { requirements: { cpus: 64 } };
  await expect(w.submit('plain', 1, asked)).rejects.toThrow('the slurm scheduler has 2');
});
