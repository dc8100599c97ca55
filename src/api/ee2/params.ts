/** Positional parameters of JSON-RPC: their number and JSON types as EE2 checks them, and values as Python takes them. */
import type { TSchema } from 'typebox';
import { RepriseError } from '../../contract/errors.js';
import type { Ee2Binding } from '../../contract/operations.js';

/** null passes every check of a type, as in EE2. */
export function checkPositional(ee2: Ee2Binding, params: readonly unknown[]): readonly unknown[] {
  if (params.length < ee2.params.length) throw new RepriseError('INVALID_PARAMS', 'not enough arguments');
  if (params.length > ee2.params.length) throw new RepriseError('INVALID_PARAMS', 'too many arguments');
  params.forEach((value, index) => {
    if (value === null || hasType(value, ee2.params[index]!)) return;
    throw new RepriseError('INVALID_PARAMS', `positional arg #${index + 1} is the wrong type`);
  });
  return params;
}

function hasType(value: unknown, schema: TSchema): boolean {
  const { type } = schema as { type?: string };
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return typeof value === 'object' && !Array.isArray(value);
  return type === undefined || typeof value === type;
}

export type P = Readonly<Record<string, unknown>>;

/** Python's truth: `""`, `0`, `[]`, `{}`, null and false are not; `"0"` and `"false"` are. */
export function truthy(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (value !== null && typeof value === 'object') return Object.keys(value).length > 0;
  return Boolean(value);
}

/** true, false, numbers, numeric texts, "true" and "false" in any case; null and absent are given by `missing`. */
export function flagOf(value: unknown, missing: boolean): boolean {
  if (value === undefined) return missing;
  if (value === null) return false;
  if (typeof value === 'boolean' || typeof value === 'number') return Boolean(value);
  if (typeof value === 'string') {
    const text = value.trim().toLowerCase();
    if (text === 'true' || text === 'false') return text === 'true';
    if (text !== '' && Number.isFinite(Number(text))) return Number(text) !== 0;
  }
  throw new RepriseError('INVALID_INPUT', `${shown(value)} is not a boolean value`);
}

/** As Python prints it, which is what EE2's users know: `['a', 'b']`. */
export function pythonList(values: readonly unknown[]): string {
  return `[${values.map((value) => (typeof value === 'string' ? quoted(value) : shown(value))).join(', ')}]`;
}

const quoted = (text: string) =>
  text.includes("'") && !text.includes('"') ? `"${text}"` : `'${text.replaceAll("'", "\\'")}'`;
/** A value inside a sentence. */
export const shown = (value: unknown) => (typeof value === 'string' ? value : (JSON.stringify(value) ?? 'None'));

/** A job id as it was given. Missing and null have their own sentences; anything else is judged as an id. */
export function idOf(params: P, member = 'job_id'): string {
  const value = params[member];
  if (value === undefined) throw new RepriseError('INVALID_INPUT', member);
  if (value === null || value === '') throw new RepriseError('INVALID_INPUT', 'Please provide a valid job id');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A text that may be absent or null; another type is refused by its name. */
export function textOf(params: P, member: string): string | undefined {
  const value = params[member];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  throw new RepriseError('INVALID_INPUT', `${member} must be a string`);
}

export function integerOf(params: P, member: string): number | undefined {
  const value = params[member];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  throw new RepriseError('INVALID_INPUT', `${member} must be an integer`);
}
