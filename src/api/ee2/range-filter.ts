/** `filter` of the date-range calls: equality of stored fields, all of them. */
import { RepriseError } from '../../contract/errors.js';
import { checkStorable } from '../../contract/storable.js';
import { type FieldKind, fieldAt } from './fields.js';
import { flagOf, type P, shown } from './params.js';

export interface AskedFilter {
  /** As asked, without what may not be. */
  readonly asked: P;
  /** What a record must contain. */
  readonly record: Record<string, unknown>;
  /** Stands in no record: compared by itself. */
  readonly schedulerId: string | null;
}

/** The ids are bound by the times, the user by the caller's right; a filter changes neither. */
const BOUND = new Set(['id__gt', 'id__lt', 'id', 'pk', '_id']);

export function filterOf(value: unknown, everyone: boolean): AskedFilter {
  const given = Object.entries(pairsOf(value)).filter(([key]) => !BOUND.has(key) && (everyone || key !== 'user'));
  const record: Record<string, unknown> = {};
  let schedulerId: string | null = null;
  for (const [key, wanted] of given) {
    const path = key.split(/__|\./);
    const kind = comparableAt(path, key);
    if (key === 'scheduler_id') schedulerId = shown(wanted);
    else put(record, path, typed(wanted, kind, key));
  }
  checkStorable(record);
  return { asked: Object.fromEntries(given), record, schedulerId };
}

function pairsOf(value: unknown): P {
  const wrong = () => new RepriseError('INVALID_INPUT', 'Job filter must be a dictionary or a list of key=value pairs');
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object') throw wrong();
  if (!Array.isArray(value)) return value as P;
  return Object.fromEntries(
    value.map((item: unknown) => {
      const at = typeof item === 'string' ? item.indexOf('=') : -1;
      if (typeof item !== 'string' || at < 0) throw wrong();
      return [item.slice(0, at).trim(), item.slice(at + 1).trim()];
    }),
  );
}

/** Not compared: what is no single value, and times, which the bounds are for. */
function comparableAt(path: readonly string[], key: string): FieldKind {
  const kind = fieldAt(path);
  if (kind === 'text' || kind === 'integer' || kind === 'flag') return kind;
  if (kind === undefined) throw new RepriseError('INVALID_INPUT', `Cannot resolve field "${key}"`);
  throw new RepriseError(
    'INVALID_INPUT',
    `jobs can not be filtered by ${key}; name a field with a text, number or flag`,
  );
}

function typed(value: unknown, kind: FieldKind, key: string): unknown {
  if (value === null) return null;
  if (kind === 'flag') return flagOf(value, false);
  if (kind === 'text') return shown(value);
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  if (typeof number === 'number' && Number.isSafeInteger(number)) return number;
  throw new RepriseError('INVALID_INPUT', `${key} is a whole number, which ${shown(value)} is not`);
}

function put(record: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [name, ...deeper] = path as [string, ...string[]];
  if (deeper.length === 0) {
    record[name] = value;
    return;
  }
  const inside = (record[name] ?? {}) as Record<string, unknown>;
  record[name] = inside;
  put(inside, deeper, value);
}
