/**
 * Looks at a whole record, a window of ids at a time. A check is one statement over one window; its rows are what does not
 * hold. The rules are those of docs/architecture.md (invariants); their names are stable.
 */
import { type Queryable, type Statement, statement } from './db.js';

export interface FlawRow {
  /** Of the job, lineage (its root), batch, request or input that the rule is about. */
  readonly id: string;
  readonly detail: string;
}

export interface Check {
  readonly name: string;
  /** What should hold. */
  readonly rule: string;
  /** `$1 < id <= $2` */
  readonly find: Statement<FlawRow>;
}

export interface Window {
  /** Null: there is no more. */
  readonly upto: string | null;
  readonly looked: number;
}

/** Declares the statement of a check: `text` selects `id` and `detail`. */
export function check(name: string, rule: string, text: string): Check {
  return { name, rule, find: statement<FlawRow>(`doctor_${name.replaceAll('-', '_')}`, text) };
}

export function findFlaws(db: Queryable, { find }: Check, after: string, upto: string): Promise<FlawRow[]> {
  return db.query(find, [after, upto]);
}

const windowOf = (table: string, key: string) =>
  statement<Window>(
    `doctor_window_of_${table}`,
    `
  select max(w.id) as upto, count(*) as looked
  from (
    select ${key} as id
    from ${table}
    where ${key} > $1::text
    order by ${key}
    limit $2::integer
  ) w`,
  );

const WINDOWS = {
  jobs: windowOf('jobs', 'job_id'),
  logs: windowOf('log_counters', 'job_id'),
  batches: windowOf('batches', 'batch_id'),
  requests: windowOf('requests', 'request_key'),
  inputs: windowOf('inputs', 'input_id'),
} as const;
export type Area = keyof typeof WINDOWS;

export async function nextWindow(db: Queryable, area: Area, after: string, size: number): Promise<Window> {
  return (await db.query(WINDOWS[area], [after, size]))[0] ?? { upto: null, looked: 0 };
}

/** What holds the invariants before any code does. An index that was built concurrently and failed is not valid. */
const selectMissingGuards = statement<FlawRow>(
  'doctor_schema_guards',
  `
  with guards (name) as (
    values
      ('jobs_one_head'), ('jobs_one_unfinished'), ('dispatches_one_live'), ('jobs_retry_number_once'),
      ('jobs_numbers_without_gap'), ('jobs_root_is_zero'), ('jobs_ids_grow'), ('jobs_superseded_failed'),
      ('jobs_finished_has_time'), ('dispatches_number_once'), ('requests_once'), ('tokens_hash_once')
  )
  select g.name as id, 'it is missing or not valid' as detail
  from guards g
  where not exists (
      select
      from pg_constraint c
      where c.conname = g.name and c.convalidated and c.connamespace = current_schema()::regnamespace
    )
    and not exists (
      select
      from pg_class i
      join pg_index x on x.indexrelid = i.oid
      where i.relname = g.name and x.indisvalid and x.indisunique and i.relnamespace = current_schema()::regnamespace
    )
  order by g.name`,
);

export const SCHEMA_RULE = 'the constraints and unique indexes that hold the invariants are there';

export function findMissingGuards(db: Queryable): Promise<FlawRow[]> {
  return db.query(selectMissingGuards);
}

export interface StoredInputRow {
  readonly input_id: string;
  readonly input_key: string;
  readonly method: string;
  readonly app_commit: string;
  readonly params: string | null;
  readonly source_objects: string;
}

const selectInputsBetween = statement<StoredInputRow>(
  'doctor_inputs',
  `
  select input_id, input_key, method, app_commit, params, source_objects
  from inputs
  where input_id > $1::text and input_id <= $2::text
  order by input_id`,
);

export function findInputsBetween(db: Queryable, after: string, upto: string): Promise<StoredInputRow[]> {
  return db.query(selectInputsBetween, [after, upto]);
}
