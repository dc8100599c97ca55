/**
 * A PostgreSQL server behind the seam. Every call is one whole transaction on a connection of the pool, and this is the
 * one place where a transaction is done again:
 *
 * | what happened                                        | then                                                     |
 * | ---------------------------------------------------- | -------------------------------------------------------- |
 * | serialization failure, deadlock                      | done again: the server has undone it for others' sake    |
 * | connection lost before the commit was sent           | done again: the server has undone it, or will            |
 * | connection lost while the commit was under way       | UNAVAILABLE: whether it is recorded is not known         |
 * | connection lost during a statement of its own        | UNAVAILABLE, for the same reason                         |
 * | no connection: busy, refused, starting               | waited for, bounded; then UNAVAILABLE                    |
 * | anything else                                        | thrown as it is                                          |
 *
 * So what runs in a transaction must be repeatable: it computes and asks the database, and does nothing else.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { RepriseError } from '../contract/errors.js';
import { type Db, DbError, type Param, type Queryable, type Statement } from './db.js';
import { toWire } from './embedded-values.js';
import {
  asDbError,
  cannotConnect,
  isAbortedForOthers,
  isStarting,
  LostConnection,
  mayPass,
  toldOf,
} from './postgres-failures.js';
import { ServiceConnection } from './postgres-service.js';
import { checkServer, type Limits, prepareSession, selectServerFacts } from './postgres-session.js';
import { parseTarget, type Target } from './postgres-target.js';
import { valueParsers } from './postgres-values.js';

export interface PostgresOptions {
  /** As psql takes it: `postgres://user:password@host:5432/database?sslmode=verify-full`. */
  readonly url: string;
  /** Connections of this server, one more for notifications not counted. */
  readonly poolSize?: number;
  readonly statementTimeoutMs?: number;
  readonly lockTimeoutMs?: number;
  /** How long a call waits for a connection, be they busy or the server away. */
  readonly waitMs?: number;
  readonly log?: (message: string, detail?: object) => void;
  /** Every transaction sees one state from its beginning to its end: for an export. */
  readonly seesOneState?: true;
}

const IDLE_MS = 60_000;
const IDLE_TRANSACTION_MS = 60_000;
const CONNECT_MS = 10_000;
/** A server that starts with its machine is waited for. */
const START_MS = 60_000;
const MOST_TIMES = 6;

interface Settings {
  readonly target: Target;
  readonly poolSize: number;
  readonly limits: Limits;
  readonly waitMs: number;
  readonly log: (message: string, detail?: object) => void;
  readonly seesOneState: boolean;
}

/** Throws a sentence for each way in which there can be no database to work with. */
export async function openPostgresDb(options: PostgresOptions): Promise<Db> {
  const settings = settingsOf(options);
  const pool = openPool(settings);
  const service = new ServiceConnection({
    connect: () => connectAlone(settings, { query_timeout: CONNECT_MS }),
    log: settings.log,
  });
  const db = new PostgresDb(settings, pool, service);
  try {
    await db.checkServer();
    await service.start();
    return db;
  } catch (error) {
    await db.close();
    throw cannotConnect(error, settings.target, settings.poolSize);
  }
}

function settingsOf(options: PostgresOptions): Settings {
  return {
    target: parseTarget(options.url),
    poolSize: options.poolSize ?? 10,
    limits: {
      statementMs: options.statementTimeoutMs ?? 60_000,
      lockMs: options.lockTimeoutMs ?? 20_000,
      idleTransactionMs: IDLE_TRANSACTION_MS,
    },
    waitMs: options.waitMs ?? 15_000,
    log: options.log ?? (() => undefined),
    seesOneState: options.seesOneState ?? false,
  };
}

function openPool({ target, poolSize, limits, waitMs, log, seesOneState }: Settings): pg.Pool {
  const pool = new pg.Pool({
    ...clientConfig(target),
    max: poolSize,
    connectionTimeoutMillis: waitMs,
    idleTimeoutMillis: IDLE_MS,
    // of a server whose machine is gone nothing comes back, not even its own statement timeout
    query_timeout: limits.statementMs + CONNECT_MS,
    async onConnect(client) {
      await prepareSession(client, limits);
      if (seesOneState) await client.query("set default_transaction_isolation = 'repeatable read'");
    },
  });
  pool.on('error', (error) => log('an idle database connection broke', { error: error.message }));
  // a connection that breaks between two statements of a transaction says so at the next one
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

function clientConfig(target: Target): pg.ClientConfig {
  return {
    ...target.config,
    fallback_application_name: 'reprise',
    // what need not wait for an answer is sent at once, such as the first statement behind its `begin`
    pipeline: true,
    types: valueParsers,
    keepAlive: true,
    keepAliveInitialDelayMillis: 20_000,
  };
}

/** Outside the pool: for what listens, and for scripts that may take as long as they need. */
async function connectAlone(
  { target, limits }: Settings,
  other: pg.ClientConfig,
  otherLimits: Partial<Limits> = {},
): Promise<pg.Client> {
  const client = new pg.Client({ ...clientConfig(target), connectionTimeoutMillis: CONNECT_MS, ...other });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await prepareSession(client, { ...limits, ...otherLimits });
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}

/** What a call was doing when its connection was lost. */
type Phase = 'working' | 'committing';

class PostgresDb implements Db {
  readonly kind = 'postgres';
  #closed = false;

  constructor(
    private readonly settings: Settings,
    private readonly pool: pg.Pool,
    private readonly service: ServiceConnection,
  ) {}

  async checkServer(): Promise<void> {
    const deadline = performance.now() + START_MS;
    for (;;) {
      try {
        const client = await this.pool.connect();
        const [facts] = await ask(client, selectServerFacts, []).finally(() => client.release());
        if (facts !== undefined) checkServer(facts, this.settings.target);
        return;
      } catch (error) {
        if (!isStarting(error) || performance.now() > deadline) throw error;
        await sleep(300);
      }
    }
  }

  /** A statement of its own is a transaction of its own. */
  query<Row>(statement: Statement<Row>, params: readonly Param[] = []): Promise<Row[]> {
    return this.#repeatedly((client, phase) => {
      phase.at = 'committing';
      return ask(client, statement, params);
    });
  }

  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    return this.#repeatedly(async (client, phase) => {
      const begun = command(client, 'begin');
      begun.catch(() => undefined);
      const tx = new Transaction(client);
      // whoever ends the transaction must see it begun
      const result = await tx.carryOut(work).finally(() => begun);
      phase.at = 'committing';
      // PostgreSQL answers the commit of a failed transaction with a rollback, and calls that a success
      if ((await command(client, 'commit')) !== 'COMMIT') throw tx.failure ?? new Error('the commit was a rollback');
      return result;
    });
  }

  async script(sql: string): Promise<void> {
    const client = await connectAlone(this.settings, {}, { statementMs: 0, lockMs: 0, idleTransactionMs: 0 });
    try {
      // several statements in one message are one transaction, unless the text has its own
      await client.query(sql).catch((error: unknown) => {
        throw asDbError(error, 'script');
      });
    } catch (error) {
      throw this.#mayNotCreate(error);
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  listen(channel: string, handler: (payload: string) => void): Promise<() => Promise<void>> {
    return this.service.listen(channel, handler);
  }

  exclusively(name: string, work: () => Promise<void>): Promise<boolean> {
    return this.service.exclusively(name, work);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.service.close();
    await this.pool.end();
  }

  async #repeatedly<T>(once: (client: pg.PoolClient, phase: { at: Phase }) => Promise<T>): Promise<T> {
    for (let times = 1; ; times += 1) {
      const phase: { at: Phase } = { at: 'working' };
      try {
        return await this.#onConnection((client) => once(client, phase));
      } catch (error) {
        const undone = isAbortedForOthers(error) || isUndone(error, phase.at);
        if (!undone || times === MOST_TIMES) throw this.#told(error, phase.at);
        // those who met once must not meet again
        await sleep(Math.random() * 20 * 2 ** times);
      }
    }
  }

  async #onConnection<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#acquire();
    let broken = true;
    try {
      const result = await work(client);
      broken = false;
      return result;
    } catch (error) {
      if (!(error instanceof LostConnection)) broken = !(await isRolledBack(client));
      throw error;
    } finally {
      client.release(broken);
    }
  }

  async #acquire(): Promise<pg.PoolClient> {
    const { target, poolSize, waitMs } = this.settings;
    const deadline = performance.now() + waitMs;
    for (;;) {
      try {
        return await this.pool.connect();
      } catch (error) {
        if (this.#closed || !mayPass(error) || performance.now() > deadline)
          throw cannotConnect(error, target, poolSize);
        await sleep(50 + Math.random() * 150);
      }
    }
  }

  #told(error: unknown, phase: Phase): unknown {
    const { where } = this.settings.target;
    if (!(error instanceof LostConnection)) return toldOf(error, this.settings.target);
    const sentence =
      phase === 'working'
        ? `the connection to ${where} was lost again and again (${error.message}); nothing was recorded: try again`
        : `the connection to ${where} was lost (${error.message}) before it said whether the call is recorded; ` +
          'look, or repeat the call with the same request id';
    return new RepriseError('UNAVAILABLE', sentence, undefined, { cause: error });
  }

  #mayNotCreate(error: unknown): unknown {
    if (!(error instanceof DbError) || error.sqlState !== '42501') return error;
    const { where, user } = this.settings.target;
    const way = `as its owner run: alter database … owner to ${user} (or: grant create on schema public to ${user})`;
    return new RepriseError('FORBIDDEN', `user ${user} may not create tables in ${where}; ${way}`, undefined, {
      cause: error,
    });
  }
}

/** What was not committed, or not even sent, is undone with its connection. */
function isUndone(error: unknown, phase: Phase): boolean {
  return error instanceof LostConnection && (phase === 'working' || error.unsent);
}

class Transaction implements Queryable {
  /** The first one: what follows it says only that the transaction is aborted. */
  failure: Error | undefined;

  constructor(private readonly client: pg.PoolClient) {}

  async query<Row>(statement: Statement<Row>, params: readonly Param[] = []): Promise<Row[]> {
    try {
      return await ask(this.client, statement, params);
    } catch (error) {
      this.failure ??= error as Error;
      throw error;
    }
  }

  /** An error that came of an abort is told as that abort, so that it is done again. */
  async carryOut<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    try {
      return await work(this);
    } catch (error) {
      const { failure } = this;
      throw isAbortedForOthers(failure) || failure instanceof LostConnection ? failure : error;
    }
  }
}

/** A filter that may be left out: such a statement is planned for the values at hand, each time. */
const OPTIONAL_FILTER = /\$\d+(::\w+(\[\])?)? is null/;

async function ask<Row>(
  client: pg.ClientBase,
  { name, text }: Statement<Row>,
  params: readonly Param[],
): Promise<Row[]> {
  const query = { ...(!OPTIONAL_FILTER.test(text) && { name }), text, values: params.map(toWire) };
  try {
    const { rows } = await client.query<Row & pg.QueryResultRow>(query);
    return rows;
  } catch (error) {
    throw asDbError(error, name);
  }
}

async function command(client: pg.ClientBase, text: 'begin' | 'commit' | 'rollback'): Promise<string> {
  try {
    return (await client.query(text)).command;
  } catch (error) {
    throw asDbError(error, text);
  }
}

/** False: the connection is of no more use. */
async function isRolledBack(client: pg.PoolClient): Promise<boolean> {
  const { getTransactionStatus: status } = client as unknown as { getTransactionStatus(): string | null };
  if (status.call(client) === 'I') return true;
  return command(client, 'rollback').then(
    () => true,
    () => false,
  );
}
