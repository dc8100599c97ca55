/**
 * How far the record was passed on to a service outside. The event of a job's end is written in the end's own transaction,
 * so the events are the outbox; a relay is a reader of it that remembers its place.
 */
import type { Status } from '../contract/status.js';
import { type Queryable, statement } from './db.js';
import { type EventCursor, lastCursor } from './events.js';

const insertRelayIfNew = statement(
  'insert_relay_if_new',
  `
  insert into relays (relay_name, txid, event_id)
  values ($1::text, $2::text::xid8, $3::bigint)
  on conflict (relay_name) do nothing`,
);

/** A relay that is new begins with what comes. */
export async function addRelay(db: Queryable, name: string): Promise<void> {
  const { txid, eventId } = await lastCursor(db);
  await db.query(insertRelayIfNew, [name, txid, eventId]);
}

const claimRelayIfFree = statement<{ txid: string; event_id: number }>(
  'claim_relay_if_free',
  `
  update relays
  set claimed_by = $2::text, claimed_until = now() + make_interval(secs => $3::float8)
  where relay_name = $1::text and (claimed_until <= now() or claimed_by = $2::text)
  returning txid::text as txid, event_id`,
);

/** Where to go on; undefined if another server is at it. */
export async function claimRelay(
  db: Queryable,
  name: string,
  server: string,
  seconds: number,
): Promise<EventCursor | undefined> {
  const [row] = await db.query(claimRelayIfFree, [name, server, seconds]);
  return row === undefined ? undefined : { txid: row.txid, eventId: row.event_id };
}

const advanceRelayIfClaimed = statement<{ relay_name: string }>(
  'advance_relay_if_claimed',
  `
  update relays
  set txid = $3::text::xid8, event_id = $4::bigint, claimed_until = now() + make_interval(secs => $5::float8)
  where relay_name = $1::text and claimed_by = $2::text and claimed_until > now()
  returning relay_name`,
);

/** False: the claim has run out, and another server may be at it. */
export async function advanceRelay(
  db: Queryable,
  name: string,
  server: string,
  { txid, eventId }: EventCursor,
  seconds: number,
): Promise<boolean> {
  return (await db.query(advanceRelayIfClaimed, [name, server, txid, eventId, seconds])).length > 0;
}

export interface EndedRow {
  readonly txid: string;
  readonly event_id: number;
  /** Null for events that are not the end of a job that had started. */
  readonly job_id: string | null;
  readonly owner: string;
  readonly method: string;
  readonly app_commit: string;
  readonly app_id: string | null;
  readonly status: Status;
  readonly created_at: Date;
  readonly running_at: Date;
  readonly finished_at: Date;
}

const selectEndsAfter = statement<EndedRow>(
  'select_ends_after',
  `
  select
    e.txid::text as txid, e.event_id, j.job_id, j.owner, j.method, j.app_commit, j.app_id, j.status, j.created_at,
    j.running_at, j.finished_at
  from events e
  left join jobs j on j.job_id = e.job_id and e.kind in ('job.completed', 'job.failed') and j.running_at is not null
  where (e.txid, e.event_id) > ($1::text::xid8, $2::bigint) and e.txid < pg_snapshot_xmin(pg_current_snapshot())
  order by e.txid, e.event_id
  limit $3::integer`,
);

/** All events in their order, those of ends with what is known of the job. */
export function findEndsAfter(db: Queryable, { txid, eventId }: EventCursor, limit: number): Promise<EndedRow[]> {
  return db.query(selectEndsAfter, [txid, eventId, limit]);
}
