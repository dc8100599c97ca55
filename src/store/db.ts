/**
 * The seam between the engine and a database that speaks PostgreSQL. Two implementations: `embedded` (PGlite in a
 * worker thread, in the data directory) and `postgres` (a server). Both pass `test/conformance/db.ts`.
 */

/** One static SQL text. `name` is unique in the program; it names prepared statements, metrics and error messages. */
export interface Statement<Row> {
  readonly name: string;
  readonly text: string;
  /** Carries the row type only; never present at run time. */
  readonly row?: Row;
}

const registry = new Map<string, Statement<unknown>>();

/** Declares a statement. Every declared statement is PREPAREd by a test against each store. */
export function statement<Row = Record<string, never>>(name: string, text: string): Statement<Row> {
  if (registry.has(name)) throw new Error(`two SQL statements are named ${name}`);
  const declared = Object.freeze({ name, text: text.trim() });
  registry.set(name, declared);
  return declared;
}

/** All statements declared so far, in order of declaration. */
export function declaredStatements(): Statement<unknown>[] {
  return [...registry.values()];
}

/** What a statement parameter may be. JSON goes as text and is cast in the statement. */
export type Param = string | number | boolean | null | Date | Uint8Array | readonly string[] | readonly number[];

/**
 * Rows come back with: int2/int4/int8/float/numeric as number (an int8 beyond 2^53 is an error), bool as boolean,
 * timestamptz as Date, bytea as Uint8Array, text arrays as string[], json/jsonb AS TEXT (never parsed), rest as text.
 */
export interface Queryable {
  query<Row>(statement: Statement<Row>, params?: readonly Param[]): Promise<Row[]>;
}

export interface Db extends Queryable {
  readonly kind: 'embedded' | 'postgres';
  /** Runs `work` in one transaction: commits when it resolves, rolls back when it throws. Not re-entrant. */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>;
  /** Runs a text of several statements (migrations only), in one transaction of its own. */
  script(sql: string): Promise<void>;
  /** Calls `handler` for every NOTIFY on `channel`. A hint that may be lost: loops poll as well. Resolves to unlisten. */
  listen(channel: string, handler: (payload: string) => void): Promise<() => Promise<void>>;
  /**
   * Runs `work` unless another server on this database runs something under the same name; says whether it did. Spares
   * double work and is no guard: a server that is cut off loses its lock and ends its turn all the same.
   */
  exclusively(name: string, work: () => Promise<void>): Promise<boolean>;
  close(): Promise<void>;
}

/** A database error seen by a caller, recognised by SQLSTATE and constraint name (architecture.md §6). */
export class DbError extends Error {
  override readonly name = 'DbError';
  constructor(
    message: string,
    /** Five characters, e.g. `23505`; `XX000` where the driver gave none. */
    readonly sqlState: string,
    readonly constraint: string | undefined,
    readonly statementName: string | undefined,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** True for a unique violation of the named constraint or index. */
export function isUniqueViolation(error: unknown, constraint: string): boolean {
  return error instanceof DbError && error.sqlState === '23505' && error.constraint === constraint;
}
