/** `/` goes to the search, j and k move through the list, Enter opens. */
import { useRef, useState } from 'react';
import { isOnControl, useKeys } from './use-keys.js';

export function useListKeys(ids: readonly string[], open: (id: string) => void) {
  const box = useRef<HTMLInputElement>(null);
  const [active, setActive] = useState<string | null>(null);
  const move = (by: number) => {
    const at = active === null ? -1 : ids.indexOf(active);
    const next = ids[Math.max(0, Math.min(at + by, ids.length - 1))];
    if (next !== undefined) setActive(next);
  };
  useKeys([
    ['/', () => box.current?.focus()],
    ['j', () => move(1)],
    ['k', () => move(-1)],
    ['Enter', () => active !== null && !isOnControl() && open(active), 'own'],
    ['Escape', () => setActive(null)],
  ]);
  return { box, active };
}
