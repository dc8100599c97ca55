/**
 * The whole record as rows of JSON, table by table in an order in which every reference finds its target. Ids, times and
 * texts come over as they are; a test compares every table. Events keep their ids and their order and get one transaction
 * id that is older than any: a reader's cursor (transaction, event) means nothing in another database.
 */
import { type Queryable, type Statement, statement } from './db.js';

export interface TransferTable {
  readonly name: string;
  /** Rows of one message: few where rows are large. */
  readonly size: number;
  /** `$1` the key of the row before, empty for the first; `$2` how many. */
  readonly read: Statement<TransferRow>;
  /** `$1` a JSON array of rows. */
  readonly write: Statement<unknown>;
}

export interface TransferRow {
  readonly key: string;
  /** A JSON object in one line. */
  readonly line: string;
}

interface TableOptions {
  /** The primary key: columns by their types. Its index is walked. */
  readonly key: Readonly<Record<string, 'text' | 'integer' | 'bigint' | 'boolean'>>;
  readonly size?: number;
  /** Where not all can be written as they are. */
  readonly columns?: string;
  /** What stands for the row where it is not the row itself. */
  readonly row?: string;
  readonly isIdentity?: true;
  /** Rows that a new record has already. */
  readonly onConflict?: string;
}

const BEFORE_ALL = { integer: '-1', bigint: '-1', boolean: 'false' } as const;

function table(name: string, { key, size = 1000, columns, row, isIdentity, onConflict }: TableOptions): TransferTable {
  const parts = Object.entries(key);
  const names = parts.map(([column]) => `t.${column}`);
  const after = parts.map(([, type], index) => {
    const part = `split_part($1::text, chr(1), ${index + 1})`;
    return type === 'text' ? part : `coalesce(nullif(${part}, ''), '${BEFORE_ALL[type]}')::${type}`;
  });
  return {
    name,
    size,
    read: statement<TransferRow>(
      `transfer_read_${name}`,
      `
  select concat_ws(chr(1), ${names.join(', ')}) as key, row_to_json(${row ?? 't'})::text as line
  from ${name} t
  where (${names.join(', ')}) > (${after.join(', ')})
  order by ${names.join(', ')}
  limit $2::integer`,
    ),
    write: statement(
      `transfer_write_${name}`,
      `
  insert into ${name}${columns === undefined ? '' : ` (${columns})`}${isIdentity ? ' overriding system value' : ''}
  select ${columns === undefined ? 'r.*' : columns}
  from json_populate_recordset(null::${name}, $1::json) r${onConflict === undefined ? '' : `\n  ${onConflict}`}`,
    ),
  };
}

/** All but the generated one. */
const JOB_COLUMNS = `job_id, batch_id, root_id, retry_number, superseded_by, retry_reason, owner, wsid, input_id, module,
    method, app_commit, app_tag, app_id, parent_job_id, meta, cpus, memory_mb, disk_gb, client_group, timeout_ms, scheduler,
    status, wait_reason, created_at, updated_at, queued_at, estimating_at, running_at, finished_at, error_code,
    terminated_code, failure_class, errormsg, error, exit_code, exit_signal, job_output, scheduler_options, abandoned_at`;

/** Before what any database gives, and after nothing: 2 is what PostgreSQL itself calls frozen. */
const EVENT = `(
    select e
    from (
      select t.event_id, '2' as txid, t.kind, t.job_id, t.batch_id, t.owner, t.actor, t.at, t.payload
    ) e
  )`;

/** Of what was passed on in the order (transaction, event), the part before which nothing is missing in the order of ids. */
const RELAY = `(
    select r
    from (
      select
        t.relay_name, '2' as txid,
        coalesce(
          (select min(e.event_id) - 1 from events e where (e.txid, e.event_id) > (t.txid, t.event_id)),
          (select max(e.event_id) from events e),
          0
        ) as event_id,
        null as claimed_by, t.claimed_until
    ) r
  )`;

export const TRANSFER_TABLES: readonly TransferTable[] = [
  table('secrets', {
    key: { secret_name: 'text' },
    // one that was started once has made its own; tokens that runners hold are signed with the old ones
    onConflict: 'on conflict (secret_name) do update set secret_value = excluded.secret_value',
  }),
  table('users', { key: { user_name: 'text' } }),
  table('tokens', { key: { token_id: 'text' } }),
  table('workspaces', { key: { wsid: 'bigint' }, isIdentity: true }),
  table('workspace_members', { key: { wsid: 'bigint', member: 'text' } }),
  table('apps', { key: { module: 'text' } }),
  table('app_versions', { key: { module: 'text', app_commit: 'text' }, size: 100 }),
  table('app_tags', { key: { module: 'text', tag: 'text' } }),
  table('app_tag_moves', { key: { move_id: 'bigint' }, isIdentity: true }),
  table('app_bundles', { key: { bundle_id: 'bigint' }, isIdentity: true }),
  table('app_bundle_parts', { key: { bundle_id: 'bigint', part: 'integer' }, size: 4 }),
  table('inputs', { key: { input_id: 'text' }, size: 100 }),
  table('batches', { key: { batch_id: 'text' } }),
  table('jobs', { key: { job_id: 'text' }, columns: JOB_COLUMNS, size: 500 }),
  table('job_tokens', { key: { job_id: 'text' } }),
  table('dispatches', { key: { dispatch_id: 'text' } }),
  table('log_counters', { key: { job_id: 'text' } }),
  table('log_chunks', { key: { job_id: 'text', first_line: 'integer' }, size: 50 }),
  table('requests', { key: { request_key: 'text' }, size: 50 }),
  table('receipts', { key: { request_key: 'text', item: 'integer' } }),
  table('events', { key: { event_id: 'bigint' }, row: EVENT, isIdentity: true }),
  table('event_horizon', { key: { only_one: 'boolean' } }),
  table('relays', { key: { relay_name: 'text' }, row: RELAY }),
];

/** Not part of what is true: which schema it is, and who was alive. */
export const NOT_TRANSFERRED: readonly string[] = ['migrations', 'hosts'];

export function readRows(tx: Queryable, { read, size }: TransferTable, after: string): Promise<TransferRow[]> {
  return tx.query(read, [after, size]);
}

export async function writeRows(tx: Queryable, { write }: TransferTable, lines: readonly string[]): Promise<void> {
  await tx.query(write, [`[${lines.join(',')}]`]);
}

const selectIsEmpty = statement<{ is_empty: boolean }>(
  'transfer_is_empty',
  `
  select
    not exists (select from users)
    and not exists (select from jobs)
    and not exists (select from batches)
    and not exists (select from apps)
    and not exists (select from events) as is_empty`,
);

export async function isEmpty(db: Queryable): Promise<boolean> {
  return (await db.query(selectIsEmpty))[0]?.is_empty === true;
}

const setIdentities = statement(
  'transfer_set_identities',
  `
  select
    setval(pg_get_serial_sequence('workspaces', 'wsid'), (select coalesce(max(wsid), 0) + 1 from workspaces), false),
    setval(pg_get_serial_sequence('events', 'event_id'), (select coalesce(max(event_id), 0) + 1 from events), false),
    setval(
      pg_get_serial_sequence('app_tag_moves', 'move_id'),
      (select coalesce(max(move_id), 0) + 1 from app_tag_moves),
      false
    ),
    setval(
      pg_get_serial_sequence('app_bundles', 'bundle_id'),
      (select coalesce(max(bundle_id), 0) + 1 from app_bundles),
      false
    )`,
);

/** What comes next is numbered after what came over. */
export async function goOnNumbering(tx: Queryable): Promise<void> {
  await tx.query(setIdentities);
}

const selectSchemaFiles = statement<{ files: string }>(
  'transfer_schema_files',
  `
  select string_agg(name || ' ' || checksum, ', ' order by name collate "C") as files
  from migrations`,
);

/** Which schema it is, to compare. */
export async function schemaOf(db: Queryable): Promise<string> {
  return (await db.query(selectSchemaFiles))[0]?.files ?? '';
}
