/** What every connection sets, and what a server must be before anything is asked of it. */
import type pg from 'pg';
import { RepriseError } from '../contract/errors.js';
import { type Queryable, statement } from './db.js';
import type { Target } from './postgres-target.js';

export interface Limits {
  /** Ends a statement that takes longer. */
  readonly statementMs: number;
  /** Ends a statement that waits longer for a row of another transaction. */
  readonly lockMs: number;
  /** Ends a transaction whose server of ours says nothing: it was stopped, or its machine is gone. */
  readonly idleTransactionMs: number;
}

/**
 * Formats do not depend on what the role or the database has set. Plans are kept, since planning took twice as long as
 * what was planned; as tables here grow from empty to millions of rows, one that was made at the beginning must not read
 * them whole (`enable_seqscan`; where there is no index it is done all the same, at a cost that must not call for jit).
 * No statement is so long that it would win by a second process, whose start alone takes longer than a page.
 * A machine of ours that is gone is noticed within a minute, so that what it had locked is free.
 */
export async function prepareSession(client: pg.ClientBase, limits: Limits): Promise<void> {
  await client.query(`
    set datestyle = 'ISO';
    set intervalstyle = 'postgres';
    set timezone = 'UTC';
    set extra_float_digits = 1;
    set bytea_output = 'hex';
    set client_encoding = 'UTF8';
    set standard_conforming_strings = on;
    set default_transaction_isolation = 'read committed';
    set plan_cache_mode = 'auto';
    set enable_seqscan = off;
    set jit = off;
    set max_parallel_workers_per_gather = 0;
    set tcp_keepalives_idle = 20;
    set tcp_keepalives_interval = 10;
    set tcp_keepalives_count = 4;
    set tcp_user_timeout = 60000;
    set statement_timeout = ${limits.statementMs};
    set lock_timeout = ${limits.lockMs};
    set idle_in_transaction_session_timeout = ${limits.idleTransactionMs};`);
}

interface ServerFacts {
  readonly version: number;
  readonly version_text: string;
  readonly in_recovery: boolean;
  readonly read_only: boolean;
  readonly encoding: string;
  readonly current_schema: string | null;
}

export const selectServerFacts = statement<ServerFacts>(
  'select_server_facts',
  `
  select
    current_setting('server_version_num')::integer as version,
    current_setting('server_version') as version_text,
    pg_is_in_recovery() as in_recovery,
    current_setting('transaction_read_only')::boolean as read_only,
    current_setting('server_encoding') as encoding,
    current_schema()::text as current_schema`,
);

/** Why the database can not be written to now, e.g. after a failover; null: it can. */
export async function findUnfitness(db: Queryable): Promise<string | null> {
  const [facts] = await db.query(selectServerFacts);
  if (facts?.in_recovery) return 'the database is a standby';
  return facts?.read_only ? 'the database is read-only' : null;
}

/** The oldest release that has all we use (`unique nulls`, `json` functions, `merge` are not among it). */
const OLDEST = 150_000;

/** Throws the sentence that says why this database cannot be ours. */
export function checkServer(facts: ServerFacts, { where, address }: Target): void {
  if (facts.version < OLDEST) {
    throw new RepriseError(
      'INVALID_INPUT',
      `${address} is PostgreSQL ${facts.version_text}; Reprise needs 15 or newer`,
    );
  }
  if (facts.in_recovery || facts.read_only) {
    const why = facts.in_recovery ? 'it is a standby' : 'it is set read-only';
    throw new RepriseError(
      'UNAVAILABLE',
      `${where} takes no writes: ${why}; let the URL name the primary, or wait until it is promoted`,
    );
  }
  if (facts.encoding !== 'UTF8') {
    throw new RepriseError(
      'INVALID_INPUT',
      `${where} has the encoding ${facts.encoding}; create one with: createdb -E UTF8 -T template0`,
    );
  }
  if (facts.current_schema === null) {
    throw new RepriseError('INVALID_INPUT', `${where} has no schema on the user's search_path; set one that exists`);
  }
}
