/**
 * How much Slurm is given, and when it is tried again after it took nothing: after 1 s, 2 s … 60 s, and each time with half
 * as much, until one probe is left; what it takes is doubled again. A refused submission is a row in our record too.
 */
const MOST_AT_ONCE = 10_000;
const SHORTEST_MS = 1_000;
const LONGEST_MS = 60_000;

export interface Pressure {
  /** How many may be handed over in one round. */
  readonly allowance: number;
  /** Why nothing may be handed over now; null if it may. */
  reason(): string | null;
  /** A round in which everything that was asked was taken, or at least something. */
  taken(): void;
  /** A round in which nothing was. `size`: of what was refused; 0 if Slurm was not even asked. */
  refused(reason: string, size: number): void;
}

/** `now`: milliseconds of a clock that never goes back. */
export function createPressure(now: () => number): Pressure {
  let allowance = MOST_AT_ONCE;
  let pauseMs = 0;
  let until = Number.NEGATIVE_INFINITY;
  let why = '';
  return {
    get allowance() {
      return allowance;
    },
    reason: () => (now() < until ? why : null),
    taken() {
      allowance = Math.min(MOST_AT_ONCE, allowance * 2);
      pauseMs = 0;
      until = Number.NEGATIVE_INFINITY;
    },
    refused(reason, size) {
      if (size > 0) allowance = Math.max(1, Math.floor(Math.min(allowance, size) / 2));
      pauseMs = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, pauseMs * 2));
      until = now() + pauseMs;
      why = reason;
    },
  };
}
