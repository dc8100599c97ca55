/** Hints that something is to be done; loops poll as well, so a lost hint costs time, never work. */

/**
 * `dispatch`: there may be something to hand over. `events`: something was written to the record. `cancel`: a job has ended
 * whose processes are on another server's machine.
 */
export type Hint = 'dispatch' | 'events' | 'cancel';
export const HINTS: readonly Hint[] = ['dispatch', 'events', 'cancel'];

export interface Wake {
  wake(what: Hint): void;
  /** As `wake`, but not passed on: it came from another server. */
  hear(what: Hint): void;
  /** Calls back at most every `coalesceMs`; returns the way to stop. */
  on(what: Hint, listener: () => void): () => void;
  /** Calls back for what began here, likewise. */
  onOwn(listener: (what: Hint) => void): () => void;
}

export function createWake(coalesceMs: Readonly<Record<Hint, number>>): Wake {
  const listeners: Record<Hint, Set<() => void>> = { dispatch: new Set(), events: new Set(), cancel: new Set() };
  const outward = new Set<(what: Hint) => void>();
  const heard = coalesced(coalesceMs, (what) => {
    for (const listener of listeners[what]) listener();
  });
  const own = coalesced(coalesceMs, (what) => {
    for (const listener of outward) listener(what);
  });
  return {
    wake(what) {
      heard(what);
      if (outward.size > 0) own(what);
    },
    hear: heard,
    on(what, listener) {
      listeners[what].add(listener);
      return () => listeners[what].delete(listener);
    },
    onOwn(listener) {
      outward.add(listener);
      return () => outward.delete(listener);
    },
  };
}

function coalesced(coalesceMs: Readonly<Record<Hint, number>>, call: (what: Hint) => void): (what: Hint) => void {
  const pending = new Set<Hint>();
  return (what) => {
    if (pending.has(what)) return;
    pending.add(what);
    setTimeout(() => {
      pending.delete(what);
      call(what);
    }, coalesceMs[what]);
  };
}
