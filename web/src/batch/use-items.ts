/** The rows of one batch: read page by page while the stream already runs, then kept by it. */
import { useCallback, useState } from 'react';
import { call } from '../api/call.js';
import { useLive } from '../api/live.js';
import { type Items, NO_ITEMS, withEvents, withRows } from './items.js';

const FIRST = 500;
const PAGE = 5_000;

export interface BatchItems {
  readonly items: Items;
  /** All rows are there, so counts of rows are counts of items. */
  readonly complete: boolean;
  readonly error: unknown;
}

/** `onOther` hears of events that rows do not show: the batch was cancelled or extended, jobs were retried. */
export function useItems(batchId: string, onOther: () => void): BatchItems {
  const [state, setState] = useState<BatchItems>({ items: NO_ITEMS, complete: false, error: null });
  const change = useCallback(
    (step: (items: Items) => Items, more: Partial<BatchItems> = {}) =>
      setState((before) => ({ ...before, ...more, items: step(before.items) })),
    [],
  );
  const load = useCallback(async () => {
    try {
      // what failed is what people came for: a batch of thousands shows it before the rest has arrived
      const failed = await call('listItems', { batch_id: batchId, state: ['error'], limit: FIRST });
      change((items) => withRows(items, failed.items));
      let cursor: string | null = null;
      do {
        const page: Awaited<ReturnType<typeof readPage>> = await readPage(batchId, cursor);
        change((items) => withRows(items, page.items));
        cursor = page.next_cursor;
      } while (cursor !== null);
      change((items) => items, { complete: true, error: null });
    } catch (error) {
      change((items) => items, { error });
      throw error;
    }
  }, [batchId, change]);
  useLive(
    { batch_id: batchId },
    {
      onStart: load,
      onEvents: (events) => {
        change((items) => withEvents(items, events));
        if (events.some((event) => event.kind.startsWith('batch.'))) onOther();
        if (events.some((event) => event.kind === 'batch.extended')) void load().catch(() => {});
      },
    },
  );
  return state;
}

const readPage = (batchId: string, cursor: string | null) =>
  call('listItems', { batch_id: batchId, limit: PAGE, ...(cursor !== null && { cursor }) });
