/** The members of EE2's job record by name: `exclude_fields`, `projection` and `filter` speak of them. */
import type { JobFailure, JobState } from '../../contract/ee2.js';
import { RepriseError } from '../../contract/errors.js';
import { parseKeepingText, RawJson, stringifyKeepingText } from '../../contract/raw-json.js';

export type FieldKind = 'text' | 'integer' | 'flag' | 'time' | 'list' | 'any';
interface Fields {
  readonly [name: string]: FieldKind | Fields;
}

const CELL_INFO = { run_id: 'text', token_id: 'text', tag: 'text', cell_id: 'text' } as const;
const REQUIREMENTS = { clientgroup: 'text', cpu: 'integer', memory: 'integer', disk: 'integer' } as const;

/** What EE2 stores; the computed members (`job_id`, `created`, `retry_count`) can not be named. */
export const STORED: Fields = {
  user: 'text',
  authstrat: 'text',
  wsid: 'integer',
  status: 'text',
  updated: 'time',
  queued: 'time',
  estimating: 'time',
  running: 'time',
  finished: 'time',
  errormsg: 'text',
  msg: 'text',
  error: 'any',
  error_code: 'integer',
  terminated_code: 'integer',
  batch_id: 'text',
  batch_job: 'flag',
  child_jobs: 'list',
  retry_ids: 'list',
  retry_parent: 'text',
  retry_saved_toggle: 'flag',
  scheduler_type: 'text',
  scheduler_id: 'text',
  scheduler_estimator_id: 'text',
  job_input: {
    wsid: 'integer',
    method: 'text',
    params: 'any',
    service_ver: 'text',
    app_id: 'text',
    parent_job_id: 'text',
    source_ws_objects: 'list',
    requirements: REQUIREMENTS,
    narrative_cell_info: CELL_INFO,
  },
  job_output: 'any',
  condor_job_ads: 'any',
};

/** Undefined for what is no field; below `any` everything is one. */
export function fieldAt(path: readonly string[]): FieldKind | Fields | undefined {
  let at: FieldKind | Fields | undefined = STORED;
  for (const name of path) {
    if (at === 'any') return 'any';
    if (typeof at !== 'object' || !Object.hasOwn(at, name)) return undefined;
    at = at[name];
  }
  return at;
}

/** Present whatever is excluded. */
const ALWAYS = new Set(['job_id', 'created', 'updated', 'batch_id', 'retry_count']);

/** Paths. */
export type Exclusion = readonly (readonly string[])[];

export function exclusionOf(value: unknown): Exclusion {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw unusable('exclude_fields must be a list of field names');
  return (value as unknown[]).map((name) => {
    const path = typeof name === 'string' ? name.split('.') : [];
    if (path.length > 0 && fieldAt(path) !== undefined) return path;
    throw unusable(`exclude_fields names ${JSON.stringify(name)}, which is not a stored field of a job`);
  });
}

function unusable(reason: string): RepriseError {
  return new RepriseError('INVALID_INPUT', `Unable to find job: ${reason}`);
}

/** Rights were judged on the whole record before; what is left out is really left out. */
export function without(state: JobState | JobFailure, excluded: Exclusion): JobState | JobFailure {
  if ('failure' in state || excluded.length === 0) return state;
  return excluded
    .filter(([name]) => !ALWAYS.has(name as string))
    .reduce((left, path) => drop(left, path) as JobState, state);
}

function drop(value: unknown, path: readonly string[]): unknown {
  if (value instanceof RawJson) return dropOfText(value, path);
  const [name, ...deeper] = path as [string, ...string[]];
  if (!isMapping(value) || !(name in value)) return value;
  const members = Object.entries(value).filter(([key]) => key !== name || deeper.length > 0);
  return Object.fromEntries(members.map(([key, member]) => [key, key === name ? drop(member, deeper) : member]));
}

/** What is kept as text is taken apart one level; its other members keep their text. */
function dropOfText(value: RawJson, path: readonly string[]): RawJson {
  const members = parseKeepingText(value.text, [['*']]);
  return isMapping(members) ? new RawJson(stringifyKeepingText(drop(members, path))) : value;
}

/** Of a record only what is named; what is not there stays absent. */
export function only(record: unknown, paths: Exclusion): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const path of paths) pick(record, path, kept);
  return kept;
}

function pick(from: unknown, [name, ...deeper]: readonly string[], into: Record<string, unknown>): void {
  const members = from instanceof RawJson ? parseKeepingText(from.text, [['*']]) : from;
  if (!isMapping(members) || name === undefined || members[name] === undefined) return;
  if (deeper.length === 0) into[name] = members[name];
  else {
    const inside = isMapping(into[name]) && !(into[name] instanceof RawJson) ? { ...into[name] } : {};
    pick(members[name], deeper, inside);
    into[name] = inside;
  }
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
