/** On a real Slurm: slurmctld goes back in time or is away while jobs end, and so is the server. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { isAlive } from '../../src/runner/tree.js';
import { until } from '../support/until.js';
import { parentOf } from './processes.js';
import { SlurmWorld, type TracedJob } from './world.js';

/** What can not be waited for each time. */
const isLong = process.env.REPRISE_LONG === '1';
const MINUTES = 60_000;
const OUTAGE_MS = isLong ? 10 * MINUTES : 12_000;

let w: SlurmWorld;
beforeAll(async () => {
  w = await SlurmWorld.open({ nodes: 2, cpus: 2, credentialSeconds: 5 });
});
afterAll(async () => {
  const found = await w.examine();
  await w.close();
  expect(found).toEqual([]);
});
afterEach(() => w.empty());

async function submitRunning(count = 1): Promise<TracedJob[]> {
  const jobs = await w.submit('wait', count);
  for (const job of jobs) await w.waitFor(job, 'to run', ({ status }) => status === 'running');
  await until('their apps to begin', async () => jobs.every(({ id }) => w.beginnings().has(id)));
  return jobs;
}

const stateOf = (job: TracedJob) => w.askSlurm(job, '%T');

async function letComplete(job: TracedJob): Promise<void> {
  w.letEnd(job);
  await w.waitFor(job, 'to be closed', ({ dispatches }) => dispatches[0]?.closed_at !== null);
  expect((await w.jobOf(job)).status).toBe('completed');
}

/** Nothing changed: one dispatch, one result, one beginning. */
async function stillCompleted(job: TracedJob): Promise<void> {
  const now = await w.jobOf(job);
  expect([now.status, now.dispatches.length, w.beginnings().get(job.id)]).toEqual(['completed', 1, 1]);
}

it('fault 2: a finished job that Slurm runs again is not begun again', { timeout: 2 * MINUTES }, async () => {
  const [job] = (await submitRunning()) as [TracedJob];
  const id = await w.slurmIdOf(job);
  // an operator's hand: we submit with --no-requeue, and Slurm refuses this of a finished job
  await w.cluster.run('scontrol', 'update', `JobId=${id}`, 'Requeue=1');
  await letComplete(job);
  await until('Slurm to know its end', async () => (await stateOf(job)) === 'COMPLETED');
  await w.cluster.run('scontrol', 'requeue', id);
  const restarts = async () => /Restarts=(\d+)/.exec(await w.cluster.run('scontrol', 'show', 'job', id))?.[1];
  await until(
    'Slurm to have run it again',
    async () => (await restarts()) === '1' && (await stateOf(job)) === 'COMPLETED',
    60,
  );
  await stillCompleted(job);
});

/** Slurm misses a job on its node only after three minutes. */
it.runIf(isLong)(
  'fault 2: a finished job that comes back with a slurmctld that forgot its end is not begun again',
  { timeout: 15 * MINUTES },
  async () => {
    const [plain, requeueable] = (await submitRunning(2)) as [TracedJob, TracedJob];
    await w.cluster.run('scontrol', 'update', `JobId=${await w.slurmIdOf(requeueable)}`, 'Requeue=1');
    // written within five seconds; what follows is not
    await new Promise((next) => setTimeout(next, 7_000));
    await Promise.all([letComplete(plain), letComplete(requeueable)]);
    await w.cluster.controller.stop('SIGKILL');
    await w.cluster.controller.start();
    await until('both to run again in its eyes', async () => {
      const states = await Promise.all([stateOf(plain), stateOf(requeueable)]).catch(() => []);
      return states.length === 2 && states.every((state) => state === 'RUNNING');
    });
    await until('the one to be missed', async () => (await stateOf(plain)) === 'NODE_FAIL', 600);
    await until('the other to have run again', async () => (await stateOf(requeueable)) === 'COMPLETED', 600);
    await stillCompleted(plain);
    await stillCompleted(requeueable);
  },
);

it('fault 7: jobs that end while slurmctld is away: what the runner says, and what only Slurm can say', {
  timeout: 3 * MINUTES,
}, async () => {
  const [good, killed] = (await submitRunning(2)) as [TracedJob, TracedJob];
  await w.cluster.controller.stop('SIGTERM');
  await letComplete(good);
  const pid = w.pidOf(killed);
  process.kill(parentOf(pid), 'SIGKILL');
  process.kill(pid, 'SIGKILL');
  await until('the app to be gone', async () => !isAlive(pid));
  await w.cluster.controller.start();
  const over = await w.ended(killed);
  expect(over).toMatchObject({ status: 'error', failure: { error_code: 2, failure_class: 'platform' } });
  expect(over.failure?.message).toMatch(/^the runner .*\(Slurm job \d+_\d+: FAILED/);
  expect(over.dispatches).toHaveLength(1);
  await until('Slurm to know the end of the other', async () => (await stateOf(good)) === 'COMPLETED');
  await stillCompleted(good);
});

it('a cancel while the submission is under way ends the job in Slurm, too', { timeout: 2 * MINUTES }, async () => {
  const [asked, open] = [join(w.root, 'asked'), join(w.root, 'open')];
  w.replaceSbatch(`: > '${asked}'\nwhile [ ! -e '${open}' ]; do sleep 0.1; done\nexec /usr/bin/sbatch "$@"`);
  const [job] = (await w.submit('wait', 1)) as [TracedJob];
  await until('the submission to be under way', async () => existsSync(asked));
  await w.client.call('cancelJobs', { job_ids: [job.id] });
  expect((await w.jobOf(job)).status).toBe('terminated');
  writeFileSync(open, '');
  const over = await w.waitFor(job, 'to be closed', ({ dispatches }) => dispatches[0]?.closed_at !== null);
  expect([over.status, over.dispatches.map(({ close_reason }) => close_reason)]).toEqual(['terminated', ['canceled']]);
  expect((await w.cluster.run('squeue', '-h', '-o', '%i')).trim()).toBe('');
  expect(w.beginnings().has(job.id)).toBe(false);
});

it('jobs that end while the server is away bring their lines and results when it is back', {
  timeout: OUTAGE_MS + 3 * MINUTES,
}, async () => {
  const [ending, going] = (await submitRunning(2)) as [TracedJob, TracedJob];
  await w.kill();
  w.letEnd(ending);
  await new Promise((next) => setTimeout(next, OUTAGE_MS));
  await w.start();
  const over = await w.ended(ending);
  expect([over.status, over.output?.text]).toEqual(['completed', '"done"']);
  const { lines } = await w.client.call('getLogs', { job_id: ending.id });
  expect(lines.map(({ line }) => line)).toEqual(['began']);
  expect((await w.jobOf(going)).status).toBe('running');
  await letComplete(going);
  await stillCompleted(ending);
  await stillCompleted(going);
});
