/** `exclude_fields` of EE2: rights are judged on the whole record, then members are left out, really. */
import type { JobFailure, JobState } from '../../contract/ee2.js';
import { RepriseError } from '../../contract/errors.js';
import { parseKeepingText, RawJson, stringifyKeepingText } from '../../contract/raw-json.js';

/** Present whatever is excluded. */
const ALWAYS = new Set(['job_id', 'created', 'updated', 'batch_id', 'retry_count']);
/** Names that EE2 stores; the computed ones can not be named. */
const STORED = new Set([
  'user',
  'authstrat',
  'wsid',
  'status',
  'updated',
  'queued',
  'estimating',
  'running',
  'finished',
  'errormsg',
  'msg',
  'error',
  'error_code',
  'terminated_code',
  'batch_id',
  'batch_job',
  'child_jobs',
  'retry_ids',
  'retry_parent',
  'retry_saved_toggle',
  'scheduler_type',
  'scheduler_id',
  'scheduler_estimator_id',
  'job_input',
  'job_output',
  'condor_job_ads',
]);

export type Exclusion = readonly string[];

export function exclusionOf(value: unknown): Exclusion {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw unusable(`exclude_fields must be a list of field names`);
  for (const name of value as unknown[]) {
    if (typeof name === 'string' && STORED.has(name.split('.')[0]!)) continue;
    throw unusable(`exclude_fields names ${JSON.stringify(name)}, which is not a stored field of a job`);
  }
  return value as string[];
}

function unusable(reason: string): RepriseError {
  return new RepriseError('INVALID_INPUT', `Unable to find job: ${reason}`);
}

export function without(state: JobState | JobFailure, excluded: Exclusion): JobState | JobFailure {
  if ('failure' in state || excluded.length === 0) return state;
  return excluded
    .filter((name) => !ALWAYS.has(name))
    .reduce((left, name) => drop(left, name.split('.')) as JobState, state);
}

function drop(value: unknown, path: readonly string[]): unknown {
  if (value instanceof RawJson) return dropOfText(value, path);
  const [name, ...deeper] = path as [string, ...string[]];
  if (!isMapping(value) || !(name in value)) return value;
  const { [name]: member, ...rest } = value;
  return deeper.length === 0 ? rest : { ...rest, [name]: drop(member, deeper) };
}

/** What is kept as text is taken apart one level; its other members keep their text. */
function dropOfText(value: RawJson, path: readonly string[]): RawJson {
  const members = parseKeepingText(value.text, [['*']]);
  return isMapping(members) ? new RawJson(stringifyKeepingText(drop(members, path))) : value;
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
