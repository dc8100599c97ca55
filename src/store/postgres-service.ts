/**
 * The one connection that is kept beside the pool: it listens, and it holds the locks that name what only one server does
 * at a time. When it breaks it comes back by itself; what was said meanwhile is not heard, so that every listener is called
 * once after it. Locks are gone with it, and their holder may go on for the rest of its turn: whatever runs under one must
 * be safe without it, only wasteful.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type Statement, statement } from './db.js';

type Handler = (payload: string) => void;

export interface ServiceOptions {
  readonly connect: () => Promise<pg.Client>;
  readonly log: (message: string, detail?: object) => void;
}

const tryLock = statement<{ locked: boolean }>(
  'try_advisory_lock',
  `
  select pg_try_advisory_lock(hashtextextended(current_schema() || ' ' || $1::text, 0)) as locked`,
);
const unlock = statement<{ unlocked: boolean }>(
  'advisory_unlock',
  `
  select pg_advisory_unlock(hashtextextended(current_schema() || ' ' || $1::text, 0)) as unlocked`,
);

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** A connection that a machine in between has forgotten gives no sign; asked this often, it does. */
const LOOK_MS = 20_000;

export class ServiceConnection {
  readonly #handlers = new Map<string, Set<Handler>>();
  readonly #held = new Set<string>();
  readonly #look: NodeJS.Timeout;
  #client: pg.Client | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(private readonly options: ServiceOptions) {
    this.#look = setInterval(() => void this.#ask('select 1').catch(() => undefined), LOOK_MS);
    this.#look.unref();
  }

  async start(): Promise<void> {
    this.#adopt(await this.options.connect());
  }

  async listen(channel: string, handler: Handler): Promise<() => Promise<void>> {
    const handlers = this.#handlers.get(channel) ?? new Set();
    handlers.add(handler);
    this.#handlers.set(channel, handlers);
    if (handlers.size === 1) await this.#listenNow(channel);
    return async () => {
      handlers.delete(handler);
      if (handlers.size > 0 || this.#handlers.get(channel) !== handlers) return;
      this.#handlers.delete(channel);
      await this.#ask(`unlisten ${pg.escapeIdentifier(channel)}`).catch(() => undefined);
    };
  }

  /** While the connection is away it is enough to be remembered: it listens as soon as it is back. */
  async #listenNow(channel: string): Promise<void> {
    await this.#ask(`listen ${pg.escapeIdentifier(channel)}`).catch(() => undefined);
  }

  async exclusively(name: string, work: () => Promise<void>): Promise<boolean> {
    if (this.#held.has(name)) return false;
    this.#held.add(name);
    try {
      if (!(await this.#asks(tryLock, name, 'locked'))) return false;
      try {
        await work();
        return true;
      } finally {
        await this.#asks(unlock, name, 'unlocked').catch(() => undefined);
      }
    } finally {
      this.#held.delete(name);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#look);
    this.#handlers.clear();
    await this.#client?.end().catch(() => undefined);
  }

  async #asks<Row>({ name, text }: Statement<Row>, value: string, column: keyof Row): Promise<boolean> {
    const { rows } = await this.#ask({ name, text, values: [value] });
    return (rows[0] as Row | undefined)?.[column] === true;
  }

  /** One at a time: a connection carries one statement. */
  #ask(query: string | pg.QueryConfig): Promise<pg.QueryResult> {
    const answer = this.#turn.then(() => {
      if (this.#client === null) throw new Error('the connection for locks and notifications is being made again');
      return this.#client.query(query).catch((error: unknown) => this.#failed(error));
    });
    this.#turn = answer.catch(() => undefined);
    return answer;
  }

  /** Without an answer in time the connection is dead, whatever the machine believes. */
  #failed(error: unknown): never {
    if (!(error instanceof pg.DatabaseError)) void this.#client?.end().catch(() => undefined);
    throw error;
  }

  #adopt(client: pg.Client): void {
    this.#client = client;
    client.on('notification', ({ channel, payload }) => this.#call(channel, payload ?? ''));
    client.once('error', (error) => {
      this.options.log('the connection for notifications broke; it is made again', { error: error.message });
    });
    client.once('end', () => {
      this.#client = null;
      if (!this.#closed) void this.#comeBack();
    });
  }

  async #comeBack(): Promise<void> {
    for (let pause = FIRST_PAUSE_MS; !this.#closed; pause = Math.min(LONGEST_PAUSE_MS, pause * 2)) {
      await sleep(pause, undefined, { ref: false });
      try {
        const client = await this.options.connect();
        if (this.#closed) return void (await client.end());
        this.#adopt(client);
        for (const channel of this.#handlers.keys()) await this.#listenNow(channel);
        for (const channel of this.#handlers.keys()) this.#call(channel, '');
        return;
      } catch {
        // said when it broke; it is tried until the server closes
      }
    }
  }

  #call(channel: string, payload: string): void {
    for (const handler of this.#handlers.get(channel) ?? []) handler(payload);
  }
}
