import { type Queryable, statement } from './db.js';

export interface InputRow {
  readonly input_id: string;
  readonly input_key: string;
  readonly method: string;
  readonly app_commit: string;
  readonly params: string | null;
  readonly source_objects: string;
}

const insertInputsIfNew = statement(
  'insert_inputs_if_new',
  `
  insert into inputs (input_id, input_key, method, app_commit, params, source_objects)
  select input_id, input_key, method, app_commit, params, source_objects
  from json_to_recordset($1::json) as t (
    input_id text, input_key text, method text, app_commit text, params text, source_objects text
  )
  on conflict (input_id) do nothing`,
);

/**
 * Stores inputs by content; those that are there already cost nothing. In order of their ids: of two calls with the same
 * new inputs one waits for the other, never both.
 */
export async function storeInputs(tx: Queryable, rows: readonly InputRow[]): Promise<void> {
  const ordered = [...rows].sort((a, b) => (a.input_id < b.input_id ? -1 : 1));
  for (const chunk of chunksOf(ordered)) await tx.query(insertInputsIfNew, [JSON.stringify(chunk)]);
}

/** 2,000 rows as one json parameter: measured as the best trade of speed against a blocked loop. */
export function* chunksOf<T>(rows: readonly T[], size = 2000): Generator<T[]> {
  for (let at = 0; at < rows.length; at += size) yield rows.slice(at, at + size);
}

const selectSourceObjects = statement<{ job_id: string; source_objects: string }>(
  'select_source_objects',
  `
  select j.job_id, i.source_objects
  from jobs j
  join inputs i on i.input_id = j.input_id
  where j.job_id = any($1::text[]) and i.source_objects <> '[]'`,
);

/** Of the jobs that name any. */
export async function findSourceObjects(db: Queryable, jobIds: readonly string[]): Promise<Map<string, string[]>> {
  if (jobIds.length === 0) return new Map();
  const rows = await db.query(selectSourceObjects, [jobIds]);
  return new Map(rows.map((row) => [row.job_id, JSON.parse(row.source_objects) as string[]]));
}
