/** In-process hints that something is to be done; loops poll as well, so a lost hint costs time, never work. */

export interface Wake {
  wake(what: 'dispatch' | 'events'): void;
  /** Calls back at most every `coalesceMs`; returns the way to stop. */
  on(what: 'dispatch' | 'events', listener: () => void): () => void;
}

export function createWake(coalesceMs: Readonly<Record<'dispatch' | 'events', number>>): Wake {
  const listeners = { dispatch: new Set<() => void>(), events: new Set<() => void>() };
  const pending = { dispatch: false, events: false };
  return {
    wake(what) {
      if (pending[what]) return;
      pending[what] = true;
      setTimeout(() => {
        pending[what] = false;
        for (const listener of listeners[what]) listener();
      }, coalesceMs[what]);
    },
    on(what, listener) {
      listeners[what].add(listener);
      return () => listeners[what].delete(listener);
    },
  };
}
