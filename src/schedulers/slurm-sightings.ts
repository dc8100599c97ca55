/**
 * A task of an array that is cancelled before it begins leaves no record (22.05), just like one that slurmctld forgot in a
 * crash. The two are told apart by what was seen: every other end leaves a record for MinJobAge, and a slurmctld that was not
 * started anew has forgotten nothing.
 *
 * | a task that is not there was seen waiting                 | it was    |
 * | --------------------------------------------------------- | --------- |
 * | by the same start of slurmctld, less than MinJobAge ago   | cancelled |
 * | any other                                                 | forgotten |
 *
 * A slurmctld is told by its start, asked before the look for what is seen and after it for what is missed: it may be killed in
 * between. A server that was started anew has seen nothing: what it does not find is forgotten, and its job waits again.
 */
import type { SlurmTasks } from './slurm-squeue.js';

/** Of a start of slurmctld. */
export interface Reign {
  readonly bootTime: string;
  readonly minJobAgeMs: number;
  readonly hasAccounting: boolean;
}

interface Sighting {
  readonly bootTime: string;
  readonly at: number;
}

export interface Sightings {
  /** A submission that was acknowledged. */
  add(keys: readonly string[], reign: Reign): void;
  /** A look for all of these, begun at a time; what is not asked for any more is not remembered, unless it came since. */
  look(keys: readonly string[], tasks: SlurmTasks, reign: Reign, at: number): void;
  wasCancelled(key: string, reign: Reign): boolean;
}

/** `now`: milliseconds of a clock that never goes back. */
export function createSightings(now: () => number): Sightings {
  let seen = new Map<string, Sighting>();
  return {
    add(keys, { bootTime }) {
      for (const key of keys) seen.set(key, { bootTime, at: now() });
    },
    look(keys, tasks, { bootTime }, at) {
      const next = new Map([...seen].filter(([, sighting]) => sighting.at > at));
      for (const key of keys) {
        const known = seen.get(key);
        if (tasks.get(key)?.state === 'PENDING') next.set(key, { bootTime, at });
        else if (!tasks.has(key) && known !== undefined) next.set(key, known);
      }
      seen = next;
    },
    wasCancelled(key, { bootTime, minJobAgeMs }) {
      const known = seen.get(key);
      return known !== undefined && bootTime !== '' && known.bootTime === bootTime && now() - known.at < minJobAgeMs;
    },
  };
}
