/**
 * On a real Slurm, side by side because each takes as long as Slurm's own times: parts of a node die, limits are passed, a
 * task can not be launched. Each scenario has nodes of its own.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isAlive } from '../../src/runner/tree.js';
import { openCluster, type TestCluster } from '../support/slurm-cluster.js';
import { until } from '../support/until.js';
import { parentOf, stepdOf } from './processes.js';
import { type Kind, SlurmWorld, type TracedJob } from './world.js';

const NODES = 9;
const NAMES = Array.from({ length: NODES }, (_, at) => `n${at + 1}`);
const PAIR = 'pair';
const SILENT_SECONDS = 60;
const MINUTES = 60_000;
/** For turns of 16 s each; the first one does, unless the machine is busy. */
const TURNS_MS = 6 * MINUTES;
/** Slurm's states with their reasons. */
const [RUNNING, FAILED] = ['RUNNING None', 'FAILED NonZeroExitCode'];

let cluster: TestCluster;
let w: SlurmWorld;
/** Another server, which dispatches anew what a node's death ended. */
let again: SlurmWorld;
/** A third, whose runners can not be launched: no node has the directory for their output. */
let bare: SlurmWorld;

beforeAll(async () => {
  cluster = await openCluster({
    nodes: NODES,
    cpus: 1,
    partitions: { ...Object.fromEntries(NAMES.map((name) => [name, name])), [PAIR]: 'n7,n8' },
    credentialSeconds: 15,
    settings: {
      SelectTypeParameters: 'CR_Core_Memory',
      JobAcctGatherType: 'jobacct_gather/linux',
      JobAcctGatherParams: 'OverMemoryKill',
      JobAcctGatherFrequency: 'task=2',
    },
  });
  const slurm = { partitions: Object.fromEntries([...NAMES, PAIR].map((name) => [name, name])) };
  const upkeep = { reap: { leaseMs: SILENT_SECONDS * 1000 } };
  [w, again, bare] = await Promise.all([
    SlurmWorld.on(cluster, { slurm, server: { upkeep } }),
    SlurmWorld.on(cluster, { slurm: { ...slurm, requeue: true } }),
    SlurmWorld.on(cluster, { slurm: { ...slurm, output: join(missing(), 'runner-%A_%a.log') } }),
  ]);
});
afterAll(async () => {
  const worlds = [w, again, bare];
  const found = await Promise.all(worlds.map((world) => world.examine()));
  await Promise.all(worlds.map((world) => world.close({ leavesCluster: true })));
  await cluster.down();
  expect(found).toEqual([[], [], []]);
});

const missing = () => join(cluster.directory, 'missing');
const slurmd = (node: string) => cluster.nodes.get(node) as NonNullable<ReturnType<typeof cluster.nodes.get>>;

async function submit(world: SlurmWorld, kind: Kind, on: string, more: object = {}): Promise<TracedJob> {
  const [job] = await world.submit(kind, 1, { requirements: { client_group: on }, ...more });
  return job as TracedJob;
}

async function submitRunning(world: SlurmWorld, on: string, more: object = {}): Promise<TracedJob> {
  const job = await submit(world, 'wait', on, more);
  await world.waitFor(job, 'to run', ({ status }) => status === 'running');
  await until('its app to begin', async () => world.beginnings().has(job.id));
  return job;
}

const ends = (pid: number, seconds = 60) => until(`process ${pid} to end`, async () => !isAlive(pid), seconds);

const failed = (error_code: number, failure_class: string, more: object = {}) => {
  return { status: 'error', failure: { error_code, failure_class, ...more } };
};

async function isRunning(world: SlurmWorld, job: TracedJob): Promise<boolean> {
  return (await world.askSlurm(job, '%T')) === 'RUNNING';
}

describe.concurrent('dead parts', { timeout: 9 * MINUTES }, () => {
  it('fault 4: a slurmd that died left its process alive; the job ends as a platform failure, then the process', async () => {
    const job = await submitRunning(w, 'n1');
    const pid = w.pidOf(job);
    await slurmd('n1').stop('SIGKILL');
    const over = await w.ended(job);
    expect(over).toMatchObject(failed(2, 'platform'));
    expect(over.failure?.message).toMatch(/^the node that ran the job died \(Slurm job \d+_\d+: NODE_FAIL/);
    await ends(pid);
    expect(over.dispatches).toHaveLength(1);
    expect(w.beginnings().get(job.id)).toBe(1);
    await slurmd('n1').start();
  });

  it('fault 4, dispatched anew by opt-in: of two live processes the old one is fenced off and ends', async () => {
    const job = await submitRunning(again, PAIR);
    const old = again.pidOf(job);
    const runner = parentOf(old);
    const node = await again.askSlurm(job, '%N');
    // nothing is heard of the node, and it hears nothing, until its job runs elsewhere
    process.kill(runner, 'SIGSTOP');
    await slurmd(node).stop('SIGKILL');
    await again.waitFor(
      job,
      'to run again',
      ({ status, dispatches }) => status === 'running' && dispatches.length === 2,
    );
    await until('the second process to begin', async () => again.beginnings().get(job.id) === 2);
    const second = again.pidOf(job);
    expect([isAlive(old), isAlive(second)]).toEqual([true, true]);
    process.kill(runner, 'SIGCONT');
    await ends(old);
    expect(isAlive(second)).toBe(true);
    again.letEnd(job);
    const over = await again.ended(job);
    expect(over.status).toBe('completed');
    expect(over.dispatches.map(({ close_reason }) => close_reason)).toEqual(['lost', 'finished']);
    await slurmd(node).start();
  });

  /**
   * A node goes down under a job and comes back, kills what it finds of it, and is given it again. In the same second it
   * refuses it as one that it has killed (slurmd compares the seconds of the credential and of the kill); before its end, it
   * would have Slurm hold it as a second copy.
   */
  async function beginAgainAtOnce(job: TracedJob, node: string): Promise<string> {
    const id = await w.slurmIdOf(job);
    const told = async () => (await cluster.run('squeue', '-h', '-t', 'all', '-j', id, '-o', '%T %r')).trim();
    const pid = w.heldPid(node);
    await slurmd(node).stop('SIGKILL');
    await cluster.run('scontrol', 'update', `NodeName=${node}`, 'State=DOWN', 'Reason=killed');
    const isDue = async () => {
      // asked first: while it runs, this time is that of its first start
      if (!(await told()).startsWith('PENDING')) return false;
      const eligible = /EligibleTime=(\S+)/.exec(await cluster.run('scontrol', 'show', 'job', id))?.[1] ?? '';
      return Date.now() > Date.parse(eligible);
    };
    await until('its first credential to be over', isDue, 60);
    await cluster.run('scontrol', 'hold', id);
    await until('a second to begin', async () => Date.now() % 1000 < 100);
    await slurmd(node).start();
    await ends(pid);
    await cluster.run('scontrol', 'release', id);
    return until('Slurm to begin it again', async () => {
      const state = await told();
      return (state === FAILED || (state === RUNNING && w.heldPid(node) !== pid)) && state;
    });
  }

  it('fault 5: a FAILED of a script that never began is no end; the job is handed over again and runs once', async () => {
    w.hold('n2');
    const job = await submit(w, 'plain', 'n2');
    await w.waitFor(job, 'to be queued', ({ status }) => status === 'queued');
    await until('its script to begin', async () => w.isHeld('n2'));
    const id = await w.slurmIdOf(job);
    // an operator's hand: else Slurm begins nothing twice
    await cluster.run('scontrol', 'update', `JobId=${id}`, 'Requeue=1');
    let state = RUNNING;
    const end = Date.now() + TURNS_MS;
    // begun in a later second it begins indeed, and waits to be killed anew
    while (state === RUNNING && Date.now() < end) state = await beginAgainAtOnce(job, 'n2');
    expect(state).toBe(FAILED);
    w.letGo('n2');
    const over = await w.ended(job);
    expect(over.status).toBe('completed');
    expect(over.dispatches.map(({ close_reason }) => close_reason)).toEqual(['lost', 'finished']);
    expect(w.beginnings().get(job.id)).toBe(1);
  });

  it("fault 6: a slurmstepd that died leaves a job that runs for ever in Slurm; the job's own time ends it here", async () => {
    const job = await submitRunning(w, 'n3', { method: 'demo.brief' });
    const pid = w.pidOf(job);
    process.kill(stepdOf(pid), 'SIGKILL');
    const over = await w.ended(job);
    expect(over).toMatchObject(failed(3, 'time'));
    expect(isAlive(pid)).toBe(false);
    expect(await isRunning(w, job)).toBe(true);
  });

  it('fault 6, with the runner: an orphan that nobody speaks for is silent, ends its job, and ends with the next task', async () => {
    const job = await submitRunning(w, 'n4');
    const pid = w.pidOf(job);
    process.kill(stepdOf(pid), 'SIGKILL');
    process.kill(parentOf(pid), 'SIGKILL');
    const over = await w.ended(job);
    expect(over).toMatchObject(failed(2, 'platform'));
    expect(over.failure?.message).toBe(`the job was lost: its runner gave no sign of life for ${SILENT_SECONDS} s`);
    const next = await submit(w, 'plain', 'n4');
    expect((await w.ended(next)).status).toBe('completed');
    await ends(pid);
    await w.waitFor(job, 'to be closed', ({ dispatches }) => dispatches[0]?.closed_at !== null);
  });
});

describe.concurrent('limits and launches', { timeout: 5 * MINUTES }, () => {
  it("Slurm's time limit ends a job with the class time, and all that runs of it", async () => {
    const job = await submitRunning(w, 'n5');
    const pid = w.pidOf(job);
    await cluster.run('scontrol', 'update', `JobId=${await w.slurmIdOf(job)}`, 'TimeLimit=1');
    const over = await w.ended(job, 150);
    expect(over).toMatchObject(failed(3, 'time'));
    expect(over.failure?.message).toMatch(
      /^the job used more time than it had been given \(Slurm job \d+_\d+: TIMEOUT/,
    );
    expect(isAlive(pid)).toBe(false);
  });

  it('a job that eats more memory than it asked for ends with the class memory, by its runner', async () => {
    const over = await w.ended(await submit(w, 'eat', 'n6'));
    expect(over).toMatchObject(failed(1, 'memory'));
  });

  it('a job that only Slurm limits is killed by it, and its end says so', async () => {
    const job = await submit(w, 'escape', 'n6');
    const over = await w.ended(job);
    expect(over).toMatchObject(failed(2, 'platform', { exit_signal: 'SIGKILL' }));
    expect(over.failure?.message).toMatch(/perhaps for want of memory \(Slurm job \d+_\d+: FAILED 0:9/);
    await ends(w.pidOf(job));
  });

  it('a launch that fails for a missing directory is tried three times, and ends with that reason', async () => {
    const first = await submit(bare, 'plain', 'n9');
    const over = await bare.ended(first);
    expect(over).toMatchObject(failed(2, 'platform'));
    expect(over.failure?.message).toMatch(
      /^the runner could not be launched on its node \(Slurm job \d+_\d+: FAILED \d+:53/,
    );
    expect(over.dispatches.map(({ close_reason }) => close_reason)).toEqual(['lost', 'lost', 'lost']);
    const next = await submit(bare, 'plain', 'n9');
    await bare.waitFor(next, 'to fail to launch', ({ dispatches }) => dispatches.length === 2);
    mkdirSync(missing());
    expect((await bare.ended(next)).status).toBe('completed');
    expect([first, next].map(({ id }) => bare.beginnings().get(id))).toEqual([undefined, 1]);
  });
});
