/** An engine whose jobs go to a fake of Slurm; its runner notes what it was given to begin. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobRequest } from '../../src/contract/schemas.js';
import { createSlurmScheduler, type SlurmSchedulerOptions } from '../../src/schedulers/slurm.js';
import { type Db, statement } from '../../src/store/db.js';
import { admin, DONE, type Harness, idsOf, openEngine, submitJobs } from './engine.js';
import { removeTree } from './remove-tree.js';
import { FakeSlurm } from './slurm-fake.js';
import { until } from './until.js';

/** Notes the order that it gets, and goes on until it may end. */
const RUNNER = '#!/bin/sh\ncat >> "$0.begun"\nwhile [ ! -e "$0.go" ]; do sleep 0.05; done\n';

const fallSilent = statement('test_fall_silent', `update dispatches set seen_at = now() - interval '2 minutes'`);
const agePlans = statement(
  'test_age_dispatches',
  "update dispatches set opened_at = opened_at - interval '1 minute' where closed_at is null",
);

type Needs = Partial<SlurmSchedulerOptions['needs']>;

interface Wishes {
  readonly needs?: Needs;
  readonly accounting?: boolean;
}

export class SlurmEngine {
  /** The scheduler's clock, in milliseconds. */
  now = 1_000_000;
  /** Whether the server has been up for long enough to believe that a runner is silent. */
  hears = true;
  readonly fake: FakeSlurm;
  readonly h: Harness;
  readonly #db: Db;
  readonly #directory = mkdtempSync(join(tmpdir(), 'reprise-slurm-engine-'));
  readonly #reported = new Set<string>();

  private constructor(fake: FakeSlurm, db: Db, needs: Needs) {
    this.fake = fake;
    this.#db = db;
    writeFileSync(this.#runner, RUNNER, { mode: 0o755 });
    this.mayEnd(true);
    const scheduler = createSlurmScheduler({
      programs: { binDirectory: fake.binDirectory, configFile: null },
      needs: {
        partition: null,
        partitions: {},
        accounts: true,
        memory: true,
        marginMinutes: 15,
        reuseSeconds: 30,
        allowedOptions: ['constraint', 'qos'],
        output: '/dev/null',
        ...needs,
      },
      task: () => {
        return {
          nodeCommand: this.#runner,
          packageDirectory: '/',
          directory: '/',
          url: 'http://nowhere',
          reuseSeconds: 30,
        };
      },
      requeue: false,
      log: () => {},
      now: () => this.now,
      // long, unless it is to pass
      get patienceMs() {
        return fake.hangs === null ? 60_000 : 5_000;
      },
    });
    const parts = { schedulers: new Map([[scheduler.name, scheduler]]), schedulerFor: () => scheduler };
    this.h = openEngine(db, parts, undefined, { turn: (run) => run(this.hears) });
  }

  static async open(db: Db, { needs = {}, accounting = false }: Wishes = {}): Promise<SlurmEngine> {
    const fake = await FakeSlurm.open();
    fake.accounting = accounting;
    const w = new SlurmEngine(fake, db, needs);
    for (const scheduler of w.h.ctx.schedulers.values()) await scheduler.start();
    return w;
  }

  async close(): Promise<void> {
    await this.fake.close();
    removeTree(this.#directory);
  }

  get #runner() {
    return join(this.#directory, 'runner');
  }

  mayEnd(may: boolean): void {
    if (may) writeFileSync(`${this.#runner}.go`, '');
    else rmSync(`${this.#runner}.go`, { force: true });
  }

  async submit(count: number, job: Partial<JobRequest> = {}): Promise<string[]> {
    return idsOf(await submitJobs(this.h, count, { job }));
  }

  /** What the dispatcher does every two seconds, so much later. */
  async dispatch(afterMs = 0): Promise<void> {
    this.now += afterMs;
    await this.h.dispatcher.runOnce();
  }

  /** "gone" is believed when it is said twice; what was just opened may be under way elsewhere. */
  async reconcile(): Promise<void> {
    await this.#db.query(agePlans);
    await this.h.reconciler.runOnce();
    await this.h.reconciler.runOnce();
  }

  /** Of all runners nothing was heard for a while. */
  async fallSilent(): Promise<void> {
    await this.#db.query(fallSilent);
  }

  countCalls(program: string): number {
    return this.fake.calls.filter((call) => call.program === program).length;
  }

  /** Dispatch ids, each as often as it began. */
  get begun(): string[] {
    if (!existsSync(`${this.#runner}.begun`)) return [];
    // the last one may be on its way
    const lines = readFileSync(`${this.#runner}.begun`, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => (JSON.parse(line) as { dispatchId: string }).dispatchId);
  }

  async timesBegun(jobId: string): Promise<number> {
    const own = (await this.h.engine.dispatchesOf(jobId)).map(({ dispatchId }) => dispatchId);
    return this.begun.filter((id) => own.includes(id)).length;
  }

  /** Says as the runners of all that have begun that they began, and that their jobs are done. */
  async report(isDone = true): Promise<void> {
    const fresh = [...new Set(this.begun)].filter((id) => !this.#reported.has(id));
    await this.h.engine.report(
      fresh.map((id) => ({ token: `t-${id}`, start: { host: 'n1' }, ...(isDone && { finish: DONE, gone: true }) })),
    );
    for (const id of fresh) this.#reported.add(id);
  }

  async job(id: string) {
    const found = (await this.h.engine.find(admin, [id])).get(id);
    if (found?.kind !== 'job') throw new Error(`no job ${id}`);
    return found.job;
  }

  /** How many there are of each status. */
  async statuses(ids: readonly string[]): Promise<Record<string, number>> {
    const found: Record<string, number> = {};
    for (const id of ids) {
      const { status } = await this.job(id);
      found[status] = (found[status] ?? 0) + 1;
    }
    return found;
  }

  /** The server at work, a minute of the scheduler's clock a turn. */
  async completeAll(ids: readonly string[]): Promise<void> {
    await until('all jobs to be completed', async () => {
      await this.dispatch(60_000);
      await this.report();
      return (await this.statuses(ids)).completed === ids.length;
    });
  }

  begins(count: number): Promise<unknown> {
    return until(`${count} to begin`, async () => this.begun.length >= count);
  }

  tasksEnd(): Promise<unknown> {
    return until('the tasks to end', async () => this.fake.tasks.every(({ child }) => child === null));
  }
}
