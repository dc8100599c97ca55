/** The append-only record. Its cursor is (transaction, event), which no late commit can slip behind. */
import { type Queryable, statement } from './db.js';

export interface EventRow {
  readonly event_id: number;
  readonly txid: string;
  readonly kind: string;
  readonly job_id: string | null;
  readonly batch_id: string | null;
  readonly owner: string;
  readonly actor: string | null;
  readonly at: Date;
  readonly payload: string;
}

/**
 * Rows of transactions older than every transaction still running: what is behind the cursor can never grow. The three
 * texts differ only in which index they walk.
 */
const eventColumns =
  'e.event_id, e.txid::text as txid, e.kind, e.job_id, e.batch_id, e.owner, e.actor, e.at, e.payload';
const settled = 'e.txid < pg_snapshot_xmin(pg_current_snapshot())';
const afterCursor = '(e.txid, e.event_id) > ($2::text::xid8, $3::bigint)';

const selectEventsOfOwner = statement<EventRow>(
  'select_events_of_owner',
  `
  select ${eventColumns}
  from events e
  where ($1::text is null or e.owner = $1) and ${afterCursor} and ${settled}
  order by e.txid, e.event_id
  limit $4::integer`,
);
const selectEventsOfJob = statement<EventRow>(
  'select_events_of_job',
  `
  select ${eventColumns}
  from events e
  where e.job_id = $1::text and ${afterCursor} and ${settled}
  order by e.txid, e.event_id
  limit $4::integer`,
);
const selectEventsOfBatch = statement<EventRow>(
  'select_events_of_batch',
  `
  select ${eventColumns}
  from events e
  where e.batch_id = $1::text and ${afterCursor} and ${settled}
  order by e.txid, e.event_id
  limit $4::integer`,
);

export interface EventCursor {
  readonly txid: string;
  readonly eventId: number;
}

export type EventScope =
  | { readonly kind: 'owner'; readonly owner: string | null }
  | { readonly kind: 'job'; readonly jobId: string }
  | { readonly kind: 'batch'; readonly batchId: string };

/** Oldest first; an owner of null means everyone's. */
export function findEvents(db: Queryable, scope: EventScope, after: EventCursor, limit: number): Promise<EventRow[]> {
  const tail = [after.txid, after.eventId, limit] as const;
  if (scope.kind === 'job') return db.query(selectEventsOfJob, [scope.jobId, ...tail]);
  if (scope.kind === 'batch') return db.query(selectEventsOfBatch, [scope.batchId, ...tail]);
  return db.query(selectEventsOfOwner, [scope.owner, ...tail]);
}

const selectLastEvent = statement<{ txid: string; event_id: number }>(
  'select_last_event',
  `
  select e.txid::text as txid, e.event_id
  from events e
  where ${settled}
  order by e.txid desc, e.event_id desc
  limit 1`,
);

/** Where a reader starts who wants only what comes. */
export async function lastCursor(db: Queryable): Promise<EventCursor> {
  const [row] = await db.query(selectLastEvent);
  return row === undefined ? { txid: '0', eventId: 0 } : { txid: row.txid, eventId: row.event_id };
}
