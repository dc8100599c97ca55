/**
 * Removes what retention no longer keeps, in steps that are small enough to be in nobody's way. Killed between two steps,
 * the record is whole and the next turn goes on. Times are the database's.
 */
import type { Db } from '../store/db.js';
import { databaseTime, removeEvents, removeLogChunks, removeRequests } from '../store/prune.js';

/** Null: kept for ever. */
export interface Retention {
  /** Request ids and receipts, since the request. */
  readonly requestsMs: number | null;
  /** Since the end of the job. */
  readonly logsMs: number | null;
  readonly eventsMs: number | null;
}

export const RETENTION: Retention = { requestsMs: 7 * 24 * 3_600_000, logsMs: null, eventsMs: null };

export interface Pruned {
  requests: number;
  logChunks: number;
  events: number;
}

/** One request may have ten thousand receipts, one chunk 256 kB. */
const REQUESTS_AT_ONCE = 20;
const CHUNKS_AT_ONCE = 200;
const EVENTS_AT_ONCE = 2_000;

/** `pause` comes between two steps: others are let in. Stops early when it says so. */
export async function prune(db: Db, retention: Retention, pause: () => Promise<boolean>): Promise<Pruned> {
  const now = (await databaseTime(db)).getTime();
  const before = (ms: number | null) => (ms === null ? null : new Date(now - ms));
  const pruned: Pruned = { requests: 0, logChunks: 0, events: 0 };
  const requests = before(retention.requestsMs);
  const logs = before(retention.logsMs);
  const events = before(retention.eventsMs);
  if (requests !== null) {
    pruned.requests = await untilDone(pause, () => removeRequests(db, requests, REQUESTS_AT_ONCE));
  }
  if (logs !== null) pruned.logChunks = await untilDone(pause, () => removeLogChunks(db, logs, CHUNKS_AT_ONCE));
  if (events !== null) pruned.events = await pruneEvents(db, events, pause);
  return pruned;
}

async function untilDone(pause: () => Promise<boolean>, step: () => Promise<number>): Promise<number> {
  let removed = 0;
  for (;;) {
    const count = await step();
    removed += count;
    if (count === 0 || !(await pause())) return removed;
  }
}

async function pruneEvents(db: Db, before: Date, pause: () => Promise<boolean>): Promise<number> {
  let removed = 0;
  for (let after: number | null = 0; after !== null; ) {
    const step = await removeEvents(db, before, after, EVENTS_AT_ONCE);
    removed += step.removed;
    after = step.next;
    if (!(await pause())) break;
  }
  return removed;
}
