/** j and k move, x selects, Enter opens, R retries, / searches, Esc clears. */
import { useNavigate } from '@tanstack/react-router';
import { type RefObject, useCallback, useRef, useState } from 'react';
import type { BatchItem } from '../../../src/contract/schemas.js';
import { isOnControl, useKeys } from '../parts/use-keys.js';

interface Keys {
  readonly searchBox: RefObject<HTMLInputElement | null>;
  readonly rows: ReadonlyMap<string, BatchItem>;
  readonly toggle: (rootId: string) => void;
  readonly retry: (row: BatchItem) => void;
  readonly clear: () => void;
}

export function useBatchKeys({ searchBox, rows, toggle, retry, clear }: Keys) {
  const navigate = useNavigate();
  const [active, setActive] = useState<string | null>(null);
  const order = useRef<readonly string[]>([]);
  const setOrder = useCallback((ids: readonly string[]) => {
    order.current = ids;
  }, []);
  const move = (by: number) => {
    const at = active === null ? -1 : order.current.indexOf(active);
    const next = order.current[Math.max(0, Math.min(at + by, order.current.length - 1))];
    if (next !== undefined) setActive(next);
  };
  const row = rows.get(active ?? '');
  const leave = () => {
    setActive(null);
    clear();
  };
  useKeys([
    ['/', () => searchBox.current?.focus()],
    ['j', () => move(1)],
    ['k', () => move(-1)],
    ['x', () => row !== undefined && toggle(row.root_id)],
    ['shift+R', () => row !== undefined && retry(row)],
    ['Escape', leave],
    [
      'Enter',
      () => row !== undefined && !isOnControl() && void navigate({ to: '/jobs/$jobId', params: { jobId: row.job_id } }),
      'own',
    ],
  ]);
  return { active, setOrder };
}
