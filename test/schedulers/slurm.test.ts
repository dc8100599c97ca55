/** The scheduler `slurm` with the engine and its record, on a fake that is full, away, silent or forgetful on demand. */
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Db } from '../../src/store/db.js';
import { openTestDb } from '../support/databases.js';
import { admin, DONE, idsOf, submitJobs } from '../support/engine.js';
import { SlurmEngine } from '../support/slurm-engine.js';

let db: Db;
let w: SlurmEngine;
beforeAll(async () => {
  db = await openTestDb();
});
afterAll(() => db.close());
afterEach(() => w.close());

const MINUTE = 60_000;

async function eachBeganOnce(ids: readonly string[]): Promise<void> {
  for (const id of ids) expect(await w.timesBegun(id)).toBe(1);
}
const reasonsOf = async (ids: readonly string[]) => {
  return [...new Set(await Promise.all(ids.map(async (id) => (await w.job(id)).waitReason)))];
};

const FULL = 'Slurm temporarily unable to accept job, sleeping and retrying';
const REFUSALS = [
  'Batch job submission failed: Resource temporarily unavailable',
  "Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
  'QOSMaxSubmitJobPerUserLimit',
  'AssocMaxSubmitJobLimit',
];

describe('more jobs than are recorded in one transaction', () => {
  const MANY = 2500;
  const ARRAYS = 3;

  /** They stay there: no other test should meet them. */
  async function openOwn(): Promise<Db> {
    const own = await openTestDb();
    onTestFinished(() => own.close());
    w = await SlurmEngine.open(own);
    w.fake.held = true;
    return own;
  }

  it('are handed over in one call an array', async () => {
    await openOwn();
    const ids = await w.submit(MANY);
    await w.dispatch();
    expect(await w.statuses(ids)).toEqual({ queued: MANY });
    expect(w.countCalls('sbatch')).toBe(ARRAYS);
    expect(w.fake.tasks).toHaveLength(MANY);
  });

  it('are all handed over, and once, when some could not be opened the first time', async () => {
    const own = await openOwn();
    const ids = await w.submit(MANY);
    vi.spyOn(own, 'transaction').mockRejectedValueOnce(new Error('the connection is gone'));
    await expect(w.dispatch()).rejects.toThrow('the connection is gone');
    expect(await w.statuses(ids)).toEqual({ created: MANY });
    expect(w.fake.tasks).toHaveLength(0);
    await w.reconcile();
    await w.dispatch();
    expect(await w.statuses(ids)).toEqual({ queued: MANY });
    expect(w.fake.tasks).toHaveLength(MANY);
  });
});

describe('what Slurm does not take now', () => {
  it('waits with the reason, is tried after 1 s, 2 s … 60 s, and runs when there is room', async () => {
    w = await SlurmEngine.open(db);
    w.fake.most = 0;
    const ids = await w.submit(3);
    await w.dispatch();
    const pauses: number[] = [];
    for (let tries = 1; tries <= 8; tries += 1) {
      expect(w.countCalls('sbatch')).toBe(tries);
      let waited = 0;
      while (w.countCalls('sbatch') === tries) {
        await w.dispatch(500);
        waited += 500;
      }
      pauses.push(waited);
      expect(await reasonsOf(ids)).toEqual([expect.stringContaining(FULL)]);
    }
    expect(pauses).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    expect(await w.statuses(ids)).toEqual({ created: 3 });
    w.fake.most = 10_000;
    await w.completeAll(ids);
    await eachBeganOnce(ids);
    expect(await reasonsOf(ids)).toEqual([null]);
  });

  it.each(REFUSALS)('is not failed for "%s"', async (sentence) => {
    w = await SlurmEngine.open(db);
    w.fake.refuse = () => sentence;
    const ids = await w.submit(2);
    await w.dispatch();
    await w.dispatch(MINUTE);
    expect(await w.statuses(ids)).toEqual({ created: 2 });
    expect(await reasonsOf(ids)).toEqual([`Slurm: ${sentence}`]);
    w.fake.refuse = () => null;
    await w.completeAll(ids);
    await eachBeganOnce(ids);
  });

  it('is not even offered while slurmctld is down', async () => {
    w = await SlurmEngine.open(db);
    w.fake.down = true;
    const ids = await w.submit(2);
    await w.dispatch();
    const later = await w.submit(1);
    await w.dispatch(500);
    expect(await reasonsOf([...ids, ...later])).toEqual(['Slurm can not be reached (slurmctld is down)']);
    expect(w.countCalls('sbatch')).toBe(0);
    w.fake.down = false;
    await w.completeAll([...ids, ...later]);
    await eachBeganOnce([...ids, ...later]);
  });

  it('is halved until what fits is taken, and none is lost', async () => {
    w = await SlurmEngine.open(db);
    w.fake.most = 10;
    w.fake.held = true;
    const ids = await w.submit(40);
    for (let turn = 0; turn < 3; turn += 1) await w.dispatch(MINUTE);
    expect(await w.statuses(ids)).toEqual({ queued: 10, created: 30 });
    expect(w.fake.tasks).toHaveLength(10);
    w.fake.release();
    await w.completeAll(ids);
    await eachBeganOnce(ids);
    expect(w.fake.tasks).toHaveLength(40);
  });

  it('does not hold up those that Slurm takes', async () => {
    w = await SlurmEngine.open(db);
    w.fake.refuse = (options) => (options.get('cpus-per-task') === '2' ? 'AssocMaxSubmitJobLimit' : null);
    const large = await w.submit(2, { requirements: { cpus: 2 } });
    const small = await w.submit(2);
    await w.dispatch();
    expect(await w.statuses(small)).toEqual({ queued: 2 });
    expect(await w.statuses(large)).toEqual({ created: 2 });
    w.fake.refuse = () => null;
    await w.completeAll([...large, ...small]);
  });
});

describe('a sbatch that never answers', () => {
  it('and was heard: its array is adopted, and nothing begins twice', async () => {
    w = await SlurmEngine.open(db);
    w.fake.hangs = 'heard';
    const ids = await w.submit(3);
    await w.dispatch();
    expect(await reasonsOf(ids)).toEqual(['Slurm: it gave no answer in time']);
    await w.dispatch(MINUTE);
    expect(w.countCalls('sbatch')).toBe(1);
    w.fake.hangs = null;
    await w.completeAll(ids);
    await eachBeganOnce(ids);
  });

  it('and whose array waits in the queue: the jobs are queued with its id', async () => {
    w = await SlurmEngine.open(db);
    w.fake.hangs = 'heard';
    w.fake.held = true;
    const ids = await w.submit(2);
    await w.dispatch();
    w.fake.hangs = null;
    await w.reconcile();
    expect(await w.statuses(ids)).toEqual({ queued: 2 });
    const dispatches = await Promise.all(ids.map((id) => w.h.engine.dispatchesOf(id)));
    expect(dispatches.map((of) => of.map(({ schedulerId }) => schedulerId))).toEqual([['1_0'], ['1_1']]);
    w.fake.release();
    await w.completeAll(ids);
    await eachBeganOnce(ids);
  });

  it('and was not heard: its jobs are handed over anew, once', async () => {
    w = await SlurmEngine.open(db);
    w.fake.hangs = 'unheard';
    const ids = await w.submit(3);
    await w.dispatch();
    w.fake.hangs = null;
    await w.dispatch(MINUTE);
    expect(w.countCalls('sbatch')).toBe(1);
    await w.reconcile();
    await w.completeAll(ids);
    await eachBeganOnce(ids);
    for (const id of ids) {
      expect((await w.h.engine.dispatchesOf(id)).map(({ closeReason }) => closeReason)).toEqual(['lost', 'finished']);
    }
  });

  it('is not followed by another at once', async () => {
    w = await SlurmEngine.open(db);
    w.fake.hangs = 'heard';
    const one = await w.submit(1);
    const other = await w.submit(1, { requirements: { cpus: 2 } });
    await w.dispatch();
    expect(w.countCalls('sbatch')).toBe(1);
    w.fake.hangs = null;
    await w.completeAll([...one, ...other]);
    await eachBeganOnce([...one, ...other]);
  });
});

describe('a job that Slurm has purged', () => {
  /** Begun and reported, then ended in Slurm without a word of its runner. */
  async function purged(): Promise<string> {
    w.mayEnd(false);
    const [id] = (await w.submit(1)) as [string];
    await w.dispatch();
    await w.begins(1);
    await w.report(false);
    expect((await w.job(id)).status).toBe('running');
    await w.reconcile();
    w.fake.end(() => true, 'TIMEOUT');
    await w.tasksEnd();
    w.fake.purge();
    w.now += 5 * MINUTE;
    return id;
  }

  async function begunAndPurged(accounting: boolean): Promise<string> {
    w = await SlurmEngine.open(db, { accounting });
    const id = await purged();
    await w.reconcile();
    return id;
  }

  it('ends as the accounting remembers', async () => {
    const id = await begunAndPurged(true);
    const job = await w.job(id);
    expect(job).toMatchObject({ status: 'error', failureClass: 'time' });
    expect(job.errormsg).toContain('TIMEOUT');
  });

  it('ends as the accounting remembers, also if that was not there when the server started', async () => {
    w = await SlurmEngine.open(db);
    const id = await purged();
    w.fake.accounting = true;
    await w.reconcile();
    expect(await w.job(id)).toMatchObject({ status: 'error', failureClass: 'time' });
  });

  it.each(['sacct', 'scontrol'])('waits for a %s that does not answer', async (program) => {
    w = await SlurmEngine.open(db, { accounting: true });
    const id = await purged();
    await w.fallSilent();
    w.fake.deaf = program;
    // who can not tell whether there is accounting can not tell the end of anything
    if (program === 'scontrol') await expect(w.reconcile()).rejects.toThrow('scontrol show config');
    else await w.reconcile();
    expect((await w.job(id)).status).toBe('running');
    w.fake.deaf = null;
    await w.reconcile();
    expect(await w.job(id)).toMatchObject({ status: 'error', failureClass: 'time' });
  });

  it('without accounting is lost, for the end is unknown', async () => {
    const id = await begunAndPurged(false);
    // its last report was a moment ago: perhaps it lives
    expect((await w.job(id)).status).toBe('running');
    await w.fallSilent();
    await w.reconcile();
    const job = await w.job(id);
    expect(job).toMatchObject({ status: 'error', failureClass: 'platform' });
    expect(job.errormsg).not.toContain('Slurm job');
  });

  it('and that had not begun waits again and begins once', async () => {
    w = await SlurmEngine.open(db);
    w.fake.launches = false;
    const ids = await w.submit(2);
    await w.dispatch();
    w.fake.purge();
    w.now += 5 * MINUTE;
    w.fake.launches = true;
    await w.reconcile();
    expect(await w.statuses(ids)).toEqual({ created: 2 });
    await w.completeAll(ids);
    await eachBeganOnce(ids);
  });
});

/** They run, and slurmctld was killed and knows nothing of them. */
async function startedAndForgotten(count: number): Promise<string[]> {
  w = await SlurmEngine.open(db);
  w.mayEnd(false);
  const ids = await w.submit(count);
  await w.dispatch();
  await w.begins(count);
  await w.report(false);
  w.fake.forget();
  w.fake.bootTime = '2030-01-02T00:00:00';
  return ids;
}

it('a started job that slurmctld forgot goes on while its runner speaks, and ends as that says', async () => {
  const ids = await startedAndForgotten(2);
  await w.reconcile();
  expect(await w.statuses(ids)).toEqual({ running: 2 });
  const tokens = (await Promise.all(ids.map((id) => w.h.engine.dispatchesOf(id)))).map(
    ([one]) => `t-${one?.dispatchId}`,
  );
  await w.fallSilent();
  await w.h.engine.report([{ token: tokens[0] as string }]);
  await w.reconcile();
  expect(await w.statuses(ids)).toEqual({ running: 1, error: 1 });
  await w.h.engine.report([{ token: tokens[0] as string, finish: DONE, gone: true }]);
  expect((await w.job(ids[0] as string)).status).toBe('completed');
});

it('a started job that slurmctld forgot is not silent while the server may not have heard it', async () => {
  const [id] = (await startedAndForgotten(1)) as [string];
  await w.fallSilent();
  w.hears = false;
  await w.reconcile();
  expect((await w.job(id)).status).toBe('running');
  w.hears = true;
  await w.reconcile();
  expect((await w.job(id)).status).toBe('error');
});

it('a cancel spares whom a slurmctld that was killed meanwhile gave the id', async () => {
  w = await SlurmEngine.open(db);
  w.mayEnd(false);
  const [one] = (await w.submit(1)) as [string];
  await w.dispatch();
  const [other] = (await w.submit(1)) as [string];
  await w.dispatch();
  await w.begins(2);
  await w.report(false);
  w.fake.answered = (program) => {
    if (program !== 'squeue') return;
    w.fake.answered = () => {};
    w.fake.forget((task) => task.arrayJobId === 1);
    w.fake.bootTime = '2030-01-02T00:00:00';
    w.fake.tasks = w.fake.tasks.map((task) => Object.assign(task, { arrayJobId: 1 }));
  };
  await w.h.engine.cancel(admin, [one], null);
  await w.reconcile();
  expect(w.countCalls('scancel')).toBe(0);
  expect((await w.job(other)).status).toBe('running');
  await w.h.engine.cancel(admin, [other], null);
  expect(w.countCalls('scancel')).toBe(1);
});

describe('a waiting job that slurmctld forgot when it was killed', () => {
  // of the programs with which it is looked for, two rounds
  it.each([1, 2, 3, 4, 5, 6])('after program %i waits again: nobody cancelled it', async (last) => {
    w = await SlurmEngine.open(db);
    w.fake.held = true;
    const ids = await w.submit(2);
    await w.dispatch();
    let ran = 0;
    w.fake.answered = () => {
      ran += 1;
      if (ran !== last) return;
      w.fake.forget();
      w.fake.bootTime = '2030-01-02T00:00:00';
    };
    await w.reconcile();
    await w.reconcile();
    expect(ran).toBeGreaterThan(last);
    expect(await w.statuses(ids)).toEqual({ created: 2 });
    w.fake.release();
    await w.completeAll(ids);
    await eachBeganOnce(ids);
  });
});

describe('a squeue that breaks off and ends well, as a pipe in its place does', () => {
  it('is not believed: nothing has become of its jobs', async () => {
    w = await SlurmEngine.open(db);
    w.fake.held = true;
    const ids = await w.submit(2);
    await w.dispatch();
    w.fake.deaf = 'squeue';
    await expect(w.reconcile()).rejects.toThrow('squeue');
    expect(await w.statuses(ids)).toEqual({ queued: 2 });
    w.fake.deaf = null;
    w.fake.release();
    await w.completeAll(ids);
    await eachBeganOnce(ids);
  });
});

describe('what Slurm will never take', () => {
  const PARTITION = 'Batch job submission failed: Invalid partition name specified';
  const ACCOUNT = 'Batch job submission failed: Invalid account or account/partition combination specified';
  const NODES = 'Batch job submission failed: Requested node configuration is not available';

  async function failed(id: string): Promise<string> {
    const job = await w.job(id);
    expect(job).toMatchObject({ status: 'error', failureClass: 'submission' });
    return job.errormsg ?? '';
  }

  it('of a partition that is not there fails with its name, and the others go on', async () => {
    w = await SlurmEngine.open(db, { needs: { partitions: { far: 'nowhere' } } });
    const good = await w.submit(2);
    const [bad] = (await w.submit(1, { requirements: { client_group: 'far' } })) as [string];
    await w.dispatch();
    expect(await failed(bad)).toMatch(new RegExp(`${PARTITION}.*--partition=nowhere`));
    await w.completeAll(good);
    await eachBeganOnce(good);
  });

  it('of an account or a constraint that is not there fails with its name', async () => {
    w = await SlurmEngine.open(db);
    w.fake.refuse = (options) => {
      if (options.get('account') === 'broke') return ACCOUNT;
      return options.get('constraint') === 'gold' ? NODES : null;
    };
    const withOptions = async (options: object) => {
      const job = { method: 'demo.run', options };
      return idsOf(await submitJobs(w.h, 1, { job }))[0] as string;
    };
    const unpaid = await withOptions({ bill_to_user: 'broke' });
    const golden = await withOptions({ scheduler_requirements: { constraint: 'gold' } });
    const good = await withOptions({ scheduler_requirements: { constraint: 'silver' }, bill_to_user: 'lab' });
    await w.dispatch();
    expect(await failed(unpaid)).toMatch(/Invalid account.*--account=broke/);
    expect(await failed(golden)).toMatch(/node configuration.*--constraint=gold/);
    await w.completeAll([good]);
  });

  it('is refused before anything is recorded, where that is known: an option that is not allowed, a job larger than a node', async () => {
    w = await SlurmEngine.open(db);
    const one = (given: object) => ({ method: 'demo.run', ...given });
    const result = await w.h.engine.submit(
      { user: 'alice', admin: 'none', asAdmin: false },
      {
        jobs: [
          one({ options: { scheduler_requirements: { wrap: 'id' } } }),
          one({ options: { scheduler_requirements: { qos: 'a b' } } }),
          one({ requirements: { cpus: 5 } }),
          one({ requirements: { memory_mb: 3905 } }),
          one({}),
        ],
        target: { kind: 'jobs' },
        allOrNothing: false,
        dryRun: false,
        repeat: { operation: 'submit', requestId: undefined, body: 'same' },
      },
    );
    expect(result.items.map(({ error }) => error?.message ?? null)).toEqual([
      "the slurm scheduler takes no requirement 'wrap'; allowed are constraint, qos (slurm.allowed_options)",
      "the value of the requirement 'qos' is not one that Slurm is given",
      '5 cpus asked, but the slurm scheduler has 4; ask for less',
      '3905 MB of memory asked, but the slurm scheduler has 3904 MB; ask for less',
      null,
    ]);
    await w.completeAll([result.items[4]?.job_id as string]);
  });
});
