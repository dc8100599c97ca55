/** Which items are selected, by root: a selection stays with an item when it is retried. */
import { useCallback, useMemo, useState } from 'react';
import type { Selection } from '../parts/data-table.js';

export function useSelection(): Selection & { readonly clear: () => void } {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  /** A range takes the state that its last row gets. */
  const toggle = useCallback((id: string, range: readonly string[]) => {
    setChosen((before) => {
      const next = new Set(before);
      const on = !before.has(id);
      for (const one of range) {
        if (on) next.add(one);
        else next.delete(one);
      }
      return next;
    });
  }, []);
  const toggleAll = useCallback((ids: readonly string[]) => setChosen(new Set(ids)), []);
  const clear = useCallback(() => setChosen((before) => (before.size === 0 ? before : new Set())), []);
  return useMemo(() => ({ chosen, toggle, toggleAll, clear }), [chosen, toggle, toggleAll, clear]);
}
