/**
 * The one session of the embedded database, shared fairly: whoever asks first is served first, be it a query or a whole
 * transaction. A query is one message to the thread; a transaction's `begin` travels with its first statement, and the
 * next in line is served as soon as its `commit` is on the way, because the thread keeps the order.
 */
import { DbError, type Param, type Queryable, type Statement } from './db.js';
import { type Column, Request, type Response, readResponse } from './embedded-protocol.js';
import type { Thread } from './embedded-thread.js';
import { toWire } from './embedded-values.js';

export interface Session extends Queryable {
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>;
  script(sql: string): Promise<void>;
  /** One that is no query, e.g. `checkpoint`; it runs by itself, outside of any transaction. */
  command(sql: string): Promise<void>;
  onNotification(handler: (channel: string, payload: string) => void): void;
  /** Requests sent so far, and those not answered yet: whether it is a quiet moment. */
  traffic(): { sent: number; unanswered: number };
  /** Waits for what was asked before it, and refuses what is asked after. */
  close(): Promise<void>;
}

export function createSession(thread: Thread): Session {
  return new EmbeddedSession(thread);
}

/** Some hundred rows. */
const BULK_BYTES = 64 * 1024;

/** What is known of a statement; while `asked`, its first answer is on the way. */
type Known = 'asked' | readonly Column[];

class EmbeddedSession implements Session {
  readonly #known = new Map<string, Known>();
  readonly #line = new Line();
  #onNotification: (channel: string, payload: string) => void = () => undefined;
  #sent = 0;
  #unanswered = 0;
  #closed = false;

  constructor(private readonly thread: Thread) {}

  async query<Row>(statement: Statement<Row>, params: readonly Param[] = []): Promise<Row[]> {
    this.#refuseIfClosed(statement.name);
    return this.#line.pass(() => this.#carryOut(new Request(), statement, params));
  }

  async transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    this.#refuseIfClosed(undefined);
    const leave = await this.#line.enter();
    const tx = new Transaction((request, statement, params) => this.#carryOut(request, statement, params));
    try {
      const result = await this.#worked(tx, work);
      if (tx.begun) await this.#commit(leave);
      return result;
    } finally {
      leave();
    }
  }

  async script(sql: string): Promise<void> {
    this.#refuseIfClosed('script');
    await this.#line.pass(async () => {
      const answer = this.#send(new Request().simple(sql), undefined, 'script');
      // what was prepared may not fit the schema any more
      this.#known.clear();
      const forgotten = this.#send(new Request().simple('deallocate all'), undefined, 'script');
      await Promise.all([answer, forgotten]);
    });
  }

  async command(sql: string): Promise<void> {
    this.#refuseIfClosed(sql);
    await this.#line.pass(() => this.#send(new Request().simple(sql), undefined, sql));
  }

  onNotification(handler: (channel: string, payload: string) => void): void {
    this.#onNotification = handler;
  }

  traffic(): { sent: number; unanswered: number } {
    return { sent: this.#sent, unanswered: this.#unanswered };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const leave = await this.#line.enter();
    await this.thread.close();
    leave();
  }

  /** A failed commit needs no rollback, and must have none: the next in line may have begun. */
  async #worked<T>(tx: Transaction, work: (tx: Queryable) => Promise<T>): Promise<T> {
    try {
      const result = await work(tx);
      tx.end();
      return result;
    } catch (error) {
      tx.close();
      if (tx.begun) await this.#rollBack();
      throw error;
    }
  }

  /** The thread has the commit before the next in line is heard, and its failure undoes the transaction. */
  async #commit(leave: () => void): Promise<void> {
    const answer = this.#send(new Request().simple('commit'), undefined, 'commit');
    leave();
    const { tags } = await answer;
    if (tags[0] !== 'COMMIT') throw new DbError('the transaction was rolled back', '25P02', undefined, 'commit');
  }

  async #rollBack(): Promise<void> {
    // the error that led here says more; a thread that has ended says so to everyone else
    await this.#send(new Request().simple('rollback'), undefined, 'rollback').catch(() => undefined);
  }

  async #carryOut<Row>(request: Request, statement: Statement<Row>, params: readonly Param[]): Promise<Row[]> {
    const { name, text } = statement;
    const known = this.#known.get(name);
    const values = params.map(toWire);
    if (Array.isArray(known)) {
      const { rows } = await this.#send(ended(request.bind(name, values).execute()), known, name);
      return rows as Row[];
    }
    // one that is being prepared at this moment goes unnamed: should its preparation fail, this one says why as well
    const target = known === undefined ? name : '';
    if (known === undefined) this.#known.set(name, 'asked');
    request.parse(target, text).describe(target).bind(target, values).execute();
    try {
      const { rows, columns } = await this.#send(ended(request), undefined, name);
      if (target !== '' && this.#known.get(name) === 'asked') this.#known.set(name, columns ?? []);
      return rows as Row[];
    } catch (error) {
      if (target !== '' && this.#known.get(name) === 'asked') await this.#forget(name);
      throw error;
    }
  }

  /** It may or may not have been prepared when it failed. Inside an aborted transaction it can not be closed; it was not. */
  async #forget(name: string): Promise<void> {
    await this.#send(new Request().closeStatement(name).sync(), undefined, name).catch(() => undefined);
    this.#known.delete(name);
  }

  async #send(request: Request, known: readonly Column[] | undefined, name: string): Promise<Response> {
    this.#sent += 1;
    this.#unanswered += 1;
    try {
      const response = readNamed(await this.thread.ask(request.bytes()), known, name);
      for (const { channel, payload } of response.notifications) this.#onNotification(channel, payload);
      return this.#checked(response, request, name);
    } finally {
      this.#unanswered -= 1;
    }
  }

  #checked(response: Response, request: Request, name: string): Response {
    const { error, tags } = response;
    if (error !== undefined) {
      const told = new DbError(`${name}: ${error.message}`, error.sqlState, error.constraint, name);
      if (error.severity !== 'ERROR') this.thread.fail(told);
      throw told;
    }
    // a trap in its program is swallowed on the way, and leaves a statement without its answer
    if (tags.length < request.executes) this.thread.fail(new Error(`${name} was not answered`));
    return response;
  }

  #refuseIfClosed(name: string | undefined): void {
    if (this.#closed) throw new DbError('the embedded database is closed', '57P03', undefined, name);
  }
}

/**
 * Plans are kept, which halves the cost of small statements, and a plan made for an empty table reads a full one whole.
 * Slow growth is met by upkeep's analyze; after a bulk write the plans are made anew at once, for the tables as they are.
 */
function ended(request: Request): Request {
  if (request.size > BULK_BYTES) request.parse('', 'discard plans').bind('', []).execute();
  return request.sync();
}

function readNamed(bytes: Uint8Array, known: readonly Column[] | undefined, name: string): Response {
  try {
    return readResponse(bytes, known);
  } catch (error) {
    if (!(error instanceof DbError)) throw error;
    throw new DbError(`${name}: ${error.message}`, error.sqlState, undefined, name);
  }
}

type CarryOut = <Row>(request: Request, statement: Statement<Row>, params: readonly Param[]) => Promise<Row[]>;

class Transaction implements Queryable {
  begun = false;
  #failure: Error | undefined;
  #ended = false;

  constructor(private readonly carryOut: CarryOut) {}

  async query<Row>(statement: Statement<Row>, params: readonly Param[] = []): Promise<Row[]> {
    // written now, it would be written outside of any transaction
    if (this.#ended) throw new Error(`${statement.name} was asked of a transaction that has ended`);
    const request = new Request();
    if (!this.begun) request.parse('', 'begin').bind('', []).execute();
    this.begun = true;
    try {
      return await this.carryOut(request, statement, params);
    } catch (error) {
      this.#failure ??= error as Error;
      throw error;
    }
  }

  /** Throws the first failure even where `work` has caught it: PostgreSQL would make the commit a rollback. */
  end(): void {
    this.#ended = true;
    if (this.#failure !== undefined) throw this.#failure;
  }

  close(): void {
    this.#ended = true;
  }
}

/** First come, first served. Queries pass without waiting for each other's answers; a transaction holds the line. */
class Line {
  readonly #waiting: (() => void)[] = [];
  #held = false;

  pass<T>(send: () => Promise<T>): Promise<T> {
    if (!this.#held && this.#waiting.length === 0) return send();
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => void send().then(resolve, reject));
    });
  }

  /** Resolves to the function that leaves; called again, it does nothing. */
  enter(): Promise<() => void> {
    return new Promise((resolve) => {
      this.#waiting.push(() => {
        this.#held = true;
        let left = false;
        resolve(() => {
          if (left) return;
          left = true;
          this.#held = false;
          this.#serve();
        });
      });
      this.#serve();
    });
  }

  #serve(): void {
    while (!this.#held) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      next();
    }
  }
}
