/** How values come back from a PostgreSQL server, as `Queryable` says. Whatever is not named here stays text. */
import pg from 'pg';
import { DbError } from './db.js';

const { builtins, getTypeParser } = pg.types;
const TEXT_ARRAY = 1009;
const VARCHAR_ARRAY = 1015;

const toDate: (text: string) => Date = getTypeParser(builtins.TIMESTAMPTZ);
// the driver knows arrays, though its types do not
const toStrings: (text: string) => string[] = getTypeParser(TEXT_ARRAY as never);
const toBuffer: (text: string) => Buffer = getTypeParser(builtins.BYTEA);
const asText = (text: string): string => text;

const PARSERS: ReadonlyMap<number, (text: string) => unknown> = new Map<number, (text: string) => unknown>([
  [builtins.INT2, Number],
  [builtins.INT4, Number],
  [builtins.INT8, exactInteger],
  [builtins.FLOAT4, Number],
  [builtins.FLOAT8, Number],
  [builtins.NUMERIC, Number],
  [builtins.BOOL, (text) => text === 't'],
  [builtins.TIMESTAMPTZ, toDate],
  [builtins.BYTEA, (text) => new Uint8Array(toBuffer(text))],
  [TEXT_ARRAY, toStrings],
  [VARCHAR_ARRAY, toStrings],
]);

export const valueParsers = {
  getTypeParser: (oid: number) => PARSERS.get(oid) ?? asText,
} as pg.CustomTypesConfig;

/** A number that JavaScript would round is an error, never a wrong number. */
function exactInteger(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value;
  throw new DbError(`the integer ${text} is beyond 2^53`, '22003', undefined, undefined);
}
