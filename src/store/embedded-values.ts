/** Values on the wire: PostgreSQL's text format to what `Queryable` promises, and parameters the other way. */
import { DbError, type Param } from './db.js';

/** Text as PostgreSQL reads it, bytes for a bytea, or null. */
export function toWire(param: Param): string | Uint8Array | null {
  if (param === null || typeof param === 'string' || param instanceof Uint8Array) return param;
  if (typeof param === 'boolean') return param ? 't' : 'f';
  if (param instanceof Date) return param.toISOString();
  return typeof param === 'number' ? String(param) : `{${param.map(toElement).join(',')}}`;
}

function toElement(value: string | number): string {
  return typeof value === 'number' ? String(value) : `"${value.replace(/["\\]/g, '\\$&')}"`;
}

const OID = {
  bool: 16,
  bytea: 17,
  int8: 20,
  int2: 21,
  int4: 23,
  float4: 700,
  float8: 701,
  int2Array: 1005,
  int4Array: 1007,
  textArray: 1009,
  varcharArray: 1015,
  int8Array: 1016,
  timestamptz: 1184,
  numeric: 1700,
} as const;

const PARSERS: ReadonlyMap<number, (text: string) => unknown> = new Map<number, (text: string) => unknown>([
  [OID.bool, (text) => text === 't'],
  [OID.bytea, (text) => new Uint8Array(Buffer.from(text.slice(2), 'hex'))],
  [OID.int8, toExactInteger],
  [OID.int2, Number],
  [OID.int4, Number],
  [OID.float4, Number],
  [OID.float8, Number],
  [OID.numeric, Number],
  [OID.timestamptz, toDate],
  [OID.textArray, toStrings],
  [OID.varcharArray, toStrings],
  [OID.int2Array, (text) => toStrings(text).map(Number)],
  [OID.int4Array, (text) => toStrings(text).map(Number)],
  [OID.int8Array, (text) => toStrings(text).map(toExactInteger)],
]);

/** How a column of this type is read; undefined = it stays the text it is (json and jsonb too). */
export function parserOf(oid: number): ((text: string) => unknown) | undefined {
  return PARSERS.get(oid);
}

/** A count that silently lost its last digit would be believed. */
function toExactInteger(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value;
  throw new DbError(`${text} is beyond 2^53; select it as text`, '22003', undefined, undefined);
}

/** `2026-11-24 23:46:50.123456+00`: the session's zone is UTC, and a Date has milliseconds. */
function toDate(text: string): Date {
  return new Date(`${text.slice(0, 10)}T${text.slice(11).replace(/([+-]\d\d)$/, '$1:00')}`);
}

const PLAIN_ARRAY = /^\{[^"\\{}]*\}$/;
const ELEMENT = /"((?:[^"\\]|\\.)*)"|[^,{}]+/g;

/** Of one dimension. A null element comes back as the text NULL; our statements select none. */
function toStrings(text: string): string[] {
  if (text === '{}') return [];
  if (PLAIN_ARRAY.test(text)) return text.slice(1, -1).split(',');
  return [...text.matchAll(ELEMENT)].map(([whole, quoted]) => quoted?.replace(/\\(.)/gs, '$1') ?? whole);
}
