/**
 * Servers on one database, each with the jobs of its own machine. A server renews its machine's lease by the database's
 * clock; who finds another's lease lost gives up what that machine had:
 *
 * | lease of the machine | job not started                  | job started                        | job ended         |
 * | -------------------- | -------------------------------- | ---------------------------------- | ----------------- |
 * | renewed in time      | left to its server               | left to its server                 | left to its server |
 * | lost                 | waits again, for another machine | error: platform, never run again   | dispatch closed   |
 *
 * After an outage of the database every lease is old, and proves nothing: only who has itself renewed without a break for
 * half a lease judges others.
 *
 * A machine that comes back is told with the next report of each of its jobs that they were given up, and ends them. Until
 * then they may still run: what is given up was unreachable for the whole lease, not proven dead.
 */
import type { Context } from '../engine/context.js';
import type { Limits, Scheduler } from '../schedulers/scheduler.js';
import type { Db } from '../store/db.js';
import {
  findDispatchesOfLostHosts,
  findLiveHosts,
  forgetHosts,
  lockHostsThatAreLost,
  renewHost,
} from '../store/hosts.js';
import { giveUpDispatches } from './give-up.js';

export interface Hosts {
  /** What one job may ask for at most, for each machine that is alive. */
  limitsOf(scheduler: Scheduler): readonly Limits[];
  /** Between two renewals, and two looks for lost machines. */
  readonly intervalMs: number;
  /** Renews our lease. */
  renew(): Promise<void>;
  /** Gives up what lost machines had. Returns how many dispatches that were. */
  takeOver(ctx: Context): Promise<number>;
}

export interface HostsOptions {
  readonly db: Db;
  /** The machine's own; null: it runs no jobs, and only looks after the others. */
  readonly scheduler: Scheduler | null;
  readonly url: () => string;
  readonly leaseMs: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  readonly log: (message: string, detail?: object) => void;
}

const LONGEST_INTERVAL_MS = 20_000;

export function createHosts({ db, scheduler: own, url, leaseMs, now, log }: HostsOptions): Hosts {
  const leaseSeconds = leaseMs / 1000;
  let others: readonly Limits[] = [];
  let renewedAt = Number.NEGATIVE_INFINITY;
  let steadySince = Number.POSITIVE_INFINITY;

  async function renewOwn(scheduler: Scheduler): Promise<void> {
    const host = scheduler.host as string;
    const unseen = await renewHost(db, { host, url: url(), ...scheduler.limits() });
    if (unseen === null || unseen <= leaseSeconds) return;
    log('this machine gave no sign of life for longer than its lease; jobs it had may have been given up', {
      host,
      unseen_seconds: Math.round(unseen),
    });
  }

  return {
    intervalMs: Math.min(leaseMs / 10, LONGEST_INTERVAL_MS),
    limitsOf: (scheduler) => [scheduler.limits(), ...(scheduler === own ? others : [])],
    async renew() {
      if (own !== null) await renewOwn(own);
      if (now() - renewedAt > leaseMs / 3) steadySince = now();
      renewedAt = now();
      const live = await findLiveHosts(db, leaseSeconds);
      others = live.filter((row) => row.host !== own?.host).map((row) => ({ cpus: row.cpus, memoryMb: row.memory_mb }));
    },
    async takeOver(ctx) {
      if (now() - renewedAt > leaseMs / 3 || now() - steadySince < leaseMs / 2) return 0;
      const givenUp = await ctx.db.transaction((tx) => giveUpLost(tx, leaseSeconds));
      await forgetHosts(ctx.db);
      if (givenUp.length === 0) return 0;
      log('machines gave no sign of life for longer than their lease; what they had is given up', {
        hosts: [...new Set(givenUp.map((row) => row.scheduler_host))],
        dispatches: givenUp.length,
      });
      ctx.wake('dispatch');
      ctx.wake('events');
      return givenUp.length;
    },
  };
}

async function giveUpLost(tx: Parameters<typeof giveUpDispatches>[0], leaseSeconds: number) {
  const hosts = await lockHostsThatAreLost(tx, leaseSeconds);
  const found = await findDispatchesOfLostHosts(tx, hosts, leaseSeconds);
  if (found.length === 0) return [];
  const message = `the job was lost: its machine gave no sign of life for ${Math.round(leaseSeconds)} s`;
  const rows = await giveUpDispatches(
    tx,
    found.map((row) => row.dispatch_id),
    { message },
  );
  const closed = new Set(rows.map((row) => row.dispatch_id));
  return found.filter((row) => closed.has(row.dispatch_id));
}
