/** Leases of machines: who is lost, who judges, and what becomes of the jobs (src/maintenance/hosts.ts). */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createHosts, type Hosts } from '../../src/maintenance/hosts.js';
import { type Db, statement } from '../../src/store/db.js';
import { openTestDb } from '../support/databases.js';
import {
  alice,
  DONE,
  HandScheduler,
  type Harness,
  idsOf,
  openEngine,
  statusOf,
  submitJobs,
} from '../support/engine.js';

const LEASE_MS = 60_000;
let db: Db;
let here: Machine;
let there: Machine;

interface Machine {
  readonly h: Harness;
  readonly hosts: Hosts;
  readonly said: string[];
  clock: number;
}

const silence = statement(
  'test_silence',
  `
  with silent as (
    update hosts set seen_at = now() - make_interval(secs => $2::float8) where host = $1::text
  )
  update dispatches set seen_at = now() - make_interval(secs => $2::float8) where scheduler_host = $1::text`,
);
const forget = statement('test_forget_host', 'delete from hosts where host = $1::text');
/** What the test before left. */
const clear = statement(
  'test_clear',
  `
  with forgotten as (
    delete from hosts
  ), closed as (
    update dispatches set closed_at = now(), close_reason = 'lost' where closed_at is null
  )
  update jobs set status = 'terminated', finished_at = now() where status not in ('completed', 'error', 'terminated')`,
);
const silent = (host: string, seconds: number) => db.query(silence, [host, seconds]);

let machines = 0;

function machine(name: string): Machine {
  const scheduler = new HandScheduler(`${name}-${machines}`);
  const h = openEngine(db, {}, scheduler);
  const self: Machine = { h, said: [], clock: 0, hosts: undefined as never };
  const hosts = createHosts({
    db,
    scheduler,
    url: () => `http://${name}`,
    leaseMs: LEASE_MS,
    now: () => self.clock,
    log: (message) => self.said.push(message),
  });
  return Object.assign(self, { hosts });
}

/** Renews in time for half a lease: from then on it may judge others. */
async function steady(one: Machine): Promise<void> {
  for (let passed = 0; passed <= LEASE_MS / 2; passed += 10_000) {
    one.clock += 10_000;
    await one.hosts.renew();
  }
}

beforeAll(async () => {
  db = await openTestDb();
});
afterAll(() => db.close());
beforeEach(async () => {
  machines += 1;
  await db.query(clear);
  here = machine('here');
  there = machine('there');
  await there.hosts.renew();
});

const takeOver = () => here.hosts.takeOver(here.h.ctx);
const submissionOf = (jobId: string) => [...there.h.scheduler.given.values()].find((one) => one.jobId === jobId)!;

/** One that has begun and one that has not, both at the other machine. */
async function twoJobsThere(): Promise<[string, string]> {
  const [begun, waiting] = idsOf(await submitJobs(there.h, 2)) as [string, string];
  await there.h.dispatcher.runOnce();
  await there.h.engine.report([{ token: submissionOf(begun).token, start: { host: 'there' } }]);
  return [begun, waiting];
}

describe('a machine whose lease is lost', () => {
  it('has its jobs given up: one that had begun is a platform failure, one that had not waits for another', async () => {
    const [begun, waiting] = await twoJobsThere();
    await steady(here);
    await silent(there.h.scheduler.host, 61);
    expect(await takeOver()).toBe(2);
    expect((await here.h.engine.find(alice, [begun])).get(begun)).toMatchObject({
      job: {
        status: 'error',
        failureClass: 'platform',
        errormsg: 'the job was lost: its machine gave no sign of life for 60 s',
      },
    });
    expect(await statusOf(here.h, waiting)).toBe('created');
    await here.h.dispatcher.runOnce();
    expect(await statusOf(here.h, waiting)).toBe('queued');
    const dispatches = await here.h.engine.dispatchesOf(waiting);
    expect(dispatches.map((one) => [one.schedulerHost, one.closeReason])).toEqual([
      [there.h.scheduler.host, 'lost'],
      [here.h.scheduler.host, null],
    ]);
  });

  it('can change nothing when it comes back: it is told to end what it still has', async () => {
    const [begun, waiting] = await twoJobsThere();
    await steady(here);
    await silent(there.h.scheduler.host, 61);
    await takeOver();
    there.clock += 200_000;
    await there.hosts.renew();
    expect(there.said.at(-1)).toMatch(/gave no sign of life for longer than its lease/);
    const [end, start] = await there.h.engine.report([
      { token: submissionOf(begun).token, finish: DONE },
      { token: submissionOf(waiting).token, start: { host: 'there' } },
    ]);
    expect([end!.ok, end!.canceled, start!.ok, start!.canceled]).toEqual([false, true, false, true]);
    expect(await statusOf(here.h, begun)).toBe('error');
    expect(await statusOf(here.h, waiting)).toBe('created');
  });

  it('is left alone while its lease holds, and while its runner still reports', async () => {
    const [, waiting] = await twoJobsThere();
    await steady(here);
    await silent(there.h.scheduler.host, 59);
    expect(await takeOver()).toBe(0);
    await silent(there.h.scheduler.host, 61);
    await there.h.engine.report([{ token: submissionOf(waiting).token }]);
    expect(await takeOver()).toBe(1);
    expect(await statusOf(here.h, waiting)).toBe('queued');
  });

  it('is not judged by one who has just heard from the database again: all leases are old then', async () => {
    await twoJobsThere();
    await steady(here);
    await silent(there.h.scheduler.host, 200);
    here.clock += 200_000;
    expect(await takeOver()).toBe(0);
    await here.hosts.renew();
    expect(await takeOver()).toBe(0);
    await steady(here);
    expect(await takeOver()).toBe(2);
  });

  it('is judged by one of two at once', async () => {
    await twoJobsThere();
    const third = machine('third');
    await Promise.all([steady(here), steady(third)]);
    await silent(there.h.scheduler.host, 61);
    const both = await Promise.all([takeOver(), third.hosts.takeOver(third.h.ctx)]);
    expect(both.toSorted()).toEqual([0, 2]);
  });

  it('may be one that was never here: its dispatches came with a record from elsewhere', async () => {
    await twoJobsThere();
    await steady(here);
    await silent(there.h.scheduler.host, 61);
    await db.query(forget, [there.h.scheduler.host]);
    expect(await takeOver()).toBe(2);
  });
});

describe('the limits of a machine', () => {
  it('are known to the others while it lives: what only it can run is taken everywhere', async () => {
    there.h.scheduler.limits = () => ({ cpus: 128, memoryMb: 1000 });
    await there.hosts.renew();
    await here.hosts.renew();
    expect(here.hosts.limitsOf(here.h.scheduler)).toEqual([
      { cpus: 64, memoryMb: 64_000 },
      { cpus: 128, memoryMb: 1000 },
    ]);
    await silent(there.h.scheduler.host, 61);
    await here.hosts.renew();
    expect(here.hosts.limitsOf(here.h.scheduler)).toEqual([{ cpus: 64, memoryMb: 64_000 }]);
  });

  it('decide together: a job that needs the cpus of one and the memory of another fits nowhere', async () => {
    there.h.scheduler.limits = () => ({ cpus: 128, memoryMb: 1000 });
    await there.hosts.renew();
    await here.hosts.renew();
    const taking = openEngine(db, { limitsOf: here.hosts.limitsOf, schedulerFor: () => here.h.scheduler });
    const [item] = (await submitJobs(taking, 1, { job: { requirements: { cpus: 100, memory_mb: 2000 } } })).items;
    expect(item?.error?.message).toMatch(/100 cpus and 2000 MB asked, but no machine of the local scheduler has both/);
    expect((await submitJobs(taking, 1, { job: { requirements: { cpus: 100, memory_mb: 900 } } })).accepted).toBe(1);
  });
});
