/**
 * The items of a batch as the page knows them: read once, then kept by events. Pure, so that it can be tested without a
 * page. Events may repeat what the rows say already (they are followed from before the rows were read); in their order
 * they lead to the same end.
 */
import type { RawJson } from '../../../src/contract/raw-json.js';
import type { BatchItem, Counts, EventView } from '../../../src/contract/schemas.js';
import { isTerminal, type Status } from '../../../src/contract/status.js';

export interface Items {
  /** By root, in the order of the batch. */
  readonly rows: ReadonlyMap<string, BatchItem>;
  /** The same as a list; a new one after every change. */
  readonly list: readonly BatchItem[];
}

export const NO_ITEMS: Items = { rows: new Map(), list: [] };

/** Of two rows of one lineage the newer job counts. */
export function withRows(items: Items, added: readonly BatchItem[]): Items {
  const rows = new Map(items.rows);
  for (const row of added) {
    const known = rows.get(row.root_id);
    if (known === undefined || known.retry_number <= row.retry_number) rows.set(row.root_id, row);
  }
  const list = [...rows.values()].sort((a, b) => (a.root_id < b.root_id ? -1 : 1));
  return { rows: new Map(list.map((row) => [row.root_id, row])), list };
}

interface Payload {
  readonly method?: string;
  readonly commit?: string;
  readonly retry_number?: number;
  readonly root_id?: string;
  readonly failure_class?: BatchItem['failure_class'];
  readonly message?: string | null;
  /** Of `batch.abandoned`. */
  readonly job_ids?: readonly string[];
}

const STATUS_AFTER: Partial<Record<EventView['kind'], Status>> = {
  'job.queued': 'queued',
  'job.estimating': 'estimating',
  'job.started': 'running',
  'job.completed': 'completed',
  'job.failed': 'error',
  'job.terminated': 'terminated',
  'job.requeued': 'created',
};

export function withEvents(items: Items, events: readonly EventView[]): Items {
  const rows = new Map(items.rows);
  const rootOf = new Map(items.list.map((row) => [row.job_id, row.root_id]));
  for (const event of events) {
    const payload = (event.payload as RawJson).parse() as Payload;
    if (event.kind === 'batch.abandoned') dropHeads(rows, rootOf, payload.job_ids ?? []);
    if (event.job_id === null) continue;
    if (event.kind === 'job.created') {
      const root = payload.root_id ?? event.job_id;
      const known = rows.get(root);
      if (known !== undefined && known.retry_number >= (payload.retry_number ?? 0)) continue;
      rows.set(root, createdRow(event, payload, root, known));
      rootOf.set(event.job_id, root);
    } else {
      const row = rows.get(rootOf.get(event.job_id) ?? '');
      const next = row?.job_id === event.job_id ? changedRow(row, event, payload) : undefined;
      if (next !== undefined) rows.set(next.root_id, next);
    }
  }
  return { rows, list: [...rows.values()] };
}

/** An item is its head: a batch that gives up an older job of a lineage keeps the item. */
function dropHeads(rows: Map<string, BatchItem>, rootOf: ReadonlyMap<string, string>, jobIds: readonly string[]): void {
  for (const id of jobIds) {
    const root = rootOf.get(id) ?? '';
    if (rows.get(root)?.job_id === id) rows.delete(root);
  }
}

function createdRow(event: EventView, payload: Payload, root: string, known: BatchItem | undefined): BatchItem {
  return {
    job_id: event.job_id as string,
    root_id: root,
    retry_number: payload.retry_number ?? 0,
    superseded: false,
    status: 'created',
    method: payload.method ?? known?.method ?? '',
    commit: payload.commit ?? known?.commit ?? '',
    params_start: known?.params_start ?? null,
    failure_class: null,
    error_start: null,
    created_at: event.at,
    running_at: null,
    finished_at: null,
  };
}

function changedRow(row: BatchItem, event: EventView, payload: Payload): BatchItem | undefined {
  const status = STATUS_AFTER[event.kind];
  // a finished job never runs again: what says otherwise is older than the row
  if (status === undefined || isTerminal(row.status)) return undefined;
  if (status === 'running') return { ...row, status, running_at: row.running_at ?? event.at };
  if (status === 'created') return { ...row, status, running_at: null };
  if (!isTerminal(status)) return { ...row, status };
  const failed = status === 'error';
  return {
    ...row,
    status,
    finished_at: event.at,
    failure_class: failed ? (payload.failure_class ?? null) : null,
    error_start: failed ? (payload.message?.slice(0, 200) ?? null) : null,
  };
}

export function countItems(list: readonly BatchItem[]): Counts {
  const counts = { created: 0, estimating: 0, queued: 0, running: 0, completed: 0, error: 0, terminated: 0 };
  for (const row of list) counts[row.status] += 1;
  return counts;
}
