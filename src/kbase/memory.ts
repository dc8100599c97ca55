/**
 * What a far service said, kept for a while. Of many who ask for one thing at once one asks for all (single-flight).
 * Failures are not kept.
 *
 * | what is kept is          | the service answers      | it says no            | it can not be asked    |
 * | ------------------------ | ------------------------ | --------------------- | ---------------------- |
 * | fresh                    | not asked: what is kept  | not asked             | not asked              |
 * | old, within the grace    | its answer, kept         | its no; forgotten     | what is kept           |
 * | nothing, or beyond grace | its answer, kept         | its no                | the failure            |
 */
import { ServiceOutage } from './outage.js';

export interface MemoryOptions {
  readonly now: () => number;
  /** ms that an answer is used without asking. */
  readonly freshMs: number;
  /** ms beyond that, in which it is used while the service can not be asked. */
  readonly graceMs: number;
  /** Answers kept; those used longest ago go first. */
  readonly size: number;
}

export interface Memory<V> {
  get(key: string, ask: () => Promise<V>): Promise<V>;
  /** What was learned otherwise. */
  keep(key: string, value: V): void;
}

interface Kept<V> {
  readonly value: V;
  readonly at: number;
}

export function createMemory<V>({ now, freshMs, graceMs, size }: MemoryOptions): Memory<V> {
  const kept = new Map<string, Kept<V>>();
  const flights = new Map<string, Promise<V>>();

  const keep = (key: string, entry: Kept<V>) => {
    kept.delete(key);
    kept.set(key, entry);
    for (const oldest of kept.keys()) {
      if (kept.size <= size) break;
      kept.delete(oldest);
    }
  };
  const fly = async (key: string, ask: () => Promise<V>): Promise<V> => {
    const begun = now();
    try {
      const value = await ask();
      // as old as the question: what changed while it was on its way may not be in it
      if (freshMs + graceMs > 0) keep(key, { value, at: begun });
      return value;
    } catch (error) {
      const known = kept.get(key);
      if (error instanceof ServiceOutage && known !== undefined && now() - known.at < freshMs + graceMs)
        return known.value;
      kept.delete(key);
      throw error;
    }
  };
  return {
    keep: (key, value) => keep(key, { value, at: now() }),
    get(key, ask) {
      const known = kept.get(key);
      if (known !== undefined && now() - known.at < freshMs) {
        keep(key, known);
        return Promise.resolve(known.value);
      }
      const flying = flights.get(key);
      if (flying !== undefined) return flying;
      const flight = fly(key, ask).finally(() => flights.delete(key));
      flights.set(key, flight);
      return flight;
    },
  };
}
