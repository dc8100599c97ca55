/**
 * Whether silence means anything: who says nothing may be dead, or we could not hear, since this server had stopped, its
 * machine slept or the database was away. Silence is believed only after a whole lease of turns without a break.
 */
export interface Hearing {
  /** `hears`: nothing that was said for a lease has been missed. A turn that fails heard nothing. */
  turn<T>(run: (hears: boolean) => Promise<T>): Promise<T>;
}

/** `now`: milliseconds of a clock that never goes back. */
export function createHearing(leaseMs: number, intervalMs: number, now: () => number): Hearing {
  let lastTurn = Number.NEGATIVE_INFINITY;
  let since = now();
  return {
    async turn(run) {
      if (now() - lastTurn > 3 * intervalMs) since = now();
      const result = await run(now() - since >= leaseMs);
      lastTurn = now();
      return result;
    },
  };
}
