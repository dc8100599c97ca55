/** check_jobs_date_range_for_user and …_for_all. */
import { RepriseError } from '../../contract/errors.js';
import { RawJson } from '../../contract/raw-json.js';
import type { Actor, Found, RangeFilter } from '../../engine/engine.js';
import type { ApiDeps } from '../deps.js';
import { fieldAt, only, STORED } from './fields.js';
import { flagOf, type P, shown, textOf, truthy } from './params.js';
import { storedState } from './present.js';
import { type AskedFilter, filterOf } from './range-filter.js';

const EVERYONE = 'ALL';
const DEFAULT_LIMIT = 2000;

export async function inRange(deps: ApiDeps, actor: Actor, params: P) {
  const user = textOf(params, 'user') ?? actor.user;
  const bounds = boundsOf(params);
  const projection = projectionOf(params.projection);
  const filter = filterOf(params.filter, user === EVERYONE);
  const ascending = params.ascending === null || flagOf(params.ascending, true);
  const [limit, skip] = [amountOf(params, 'limit', DEFAULT_LIMIT), amountOf(params, 'offset', 0)];
  const query: RangeFilter = {
    ...bounds,
    user: user === EVERYONE ? null : user,
    filter: JSON.stringify(filter.record),
    schedulerId: filter.schedulerId,
    ascending,
    limit,
    skip,
  };
  const { total, found } = await deps.engine.findInRange(actor, query);
  const states = [...found].map(([id, one]) => stored(id, one));
  return {
    jobs: states.map((state) => projected(state, projection)),
    count: states.length,
    query_count: total,
    filter: shownFilter(filter, bounds, user),
    skip,
    projection: projection ?? Object.keys(STORED),
    limit,
    sort_order: ascending ? '+' : '-',
    stats: statsOf(states),
  };
}

export function inRangeOfAll(deps: ApiDeps, actor: Actor, params: P) {
  return inRange(deps, actor, { ...params, user: EVERYONE });
}

/** The times as ids, which are all that is compared: whole seconds, and strictly between. */
function boundsOf(params: P): { after: string; before: string } {
  const [start, end] = [secondsOf(params.start_time, 'start'), secondsOf(params.end_time, 'end')];
  if (start > end) throw new RepriseError('INVALID_INPUT', 'The start time cannot be greater than the end time.');
  return { after: firstId(start), before: firstId(end) };
}

const LAST_SECOND = 0xffffffff;

function firstId(seconds: number): string {
  const second = Math.min(Math.max(Math.floor(seconds), 0), LAST_SECOND);
  return second.toString(16).padStart(8, '0') + '0'.repeat(16);
}

/** A JSON integer is milliseconds, a float seconds; of texts the dot decides, and other texts are dates. */
function secondsOf(given: unknown, which: 'start' | 'end'): number {
  const value = given instanceof RawJson ? given.parse() : undefined;
  if (!truthy(value)) {
    throw new RepriseError('INVALID_INPUT', `Please provide a valid ${which} time for when job was created`);
  }
  const text = typeof value === 'number' ? (given as RawJson).text : typeof value === 'string' ? value.trim() : '';
  const seconds = /^-?\d+$/.test(text)
    ? Number(text) / 1000
    : typeof value === 'number' || /^\d*\.\d*$/.test(text)
      ? Number(text)
      : Date.parse(text) / 1000;
  if (Number.isFinite(seconds)) return seconds;
  throw new RepriseError('INVALID_INPUT', `Cannot convert time_input into timestamps: ${shown(value)}`);
}

function amountOf(params: P, member: string, missing: number): number {
  const value = params[member];
  if (!truthy(value)) return missing;
  const amount = typeof value === 'number' || typeof value === 'string' ? Number(value) : Number.NaN;
  if (Number.isSafeInteger(amount) && amount >= 0) return amount;
  throw new RepriseError('INVALID_INPUT', `${member} must be a number of jobs, not ${shown(value)}`);
}

function projectionOf(value: unknown): string[] | null {
  if (value === undefined || value === null) return null;
  if (!Array.isArray(value)) throw new RepriseError('INVALID_INPUT', 'Invalid job projection type. Must be list');
  for (const name of value as unknown[]) {
    if (typeof name === 'string' && fieldAt(name.split('.')) !== undefined) continue;
    throw new RepriseError('INVALID_INPUT', `Cannot resolve field "${shown(name)}"`);
  }
  return value.length === 0 ? null : (value as string[]);
}

type Stored = Readonly<Record<string, unknown>>;

function stored(id: string, found: Found): Stored {
  const { retry_saved_toggle: _, ...state } = storedState(found);
  return { _id: id, ...state };
}

const IDENTITY = [['_id'], ['job_id'], ['created'], ['updated']];

function projected(state: Stored, projection: readonly string[] | null): Stored {
  if (projection === null) return state;
  return only(state, [...IDENTITY, ...projection.map((name) => name.split('.'))]);
}

function shownFilter(filter: AskedFilter, { after, before }: { after: string; before: string }, user: string) {
  const others = Object.entries(filter.asked).map(([key, value]) => [key, shown(value)]);
  return { ...Object.fromEntries(others), id__gt: after, id__lt: before, ...(user !== EVERYONE && { user }) };
}

/** How the jobs of the page are spread; a missing value counts as "null". */
function statsOf(states: readonly Stored[]) {
  const count = (path: readonly string[]) => {
    const counts = new Map<string, number>();
    for (const state of states) {
      const value = String(path.reduce<unknown>((at, name) => (at as Stored | undefined)?.[name], state) ?? 'null');
      counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    return Object.fromEntries(counts);
  };
  return {
    clientgroup: count(['job_input', 'requirements', 'clientgroup']),
    user: count(['user']),
    app_id: count(['job_input', 'app_id']),
    method: count(['job_input', 'method']),
    wsid: count(['wsid']),
    status: count(['status']),
  };
}
