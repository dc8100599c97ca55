/** What only a server has: connections that break, transactions that others undo, and many ways to be unreachable. */
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RepriseError } from '../../src/contract/errors.js';
import { type Db, DbError, statement } from '../../src/store/db.js';
import { MIGRATIONS } from '../../src/store/embedded-template.js';
import { migrate } from '../../src/store/migrate.js';
import { openPostgresDb, type PostgresOptions } from '../../src/store/postgres.js';
import { checkServer } from '../../src/store/postgres-session.js';
import { parseTarget } from '../../src/store/postgres-target.js';
import { ensureSecret } from '../../src/store/secrets.js';
import { type PostgresServer, startPostgres } from '../support/postgres-server.js';
import { until } from '../support/until.js';

let server: PostgresServer;
let url: string;
const open: Db[] = [];

beforeAll(async () => {
  server = await startPostgres();
  url = await server.createDatabase();
  await server.sql('create table counters (name text primary key, value integer not null)', databaseOf(url));
});
afterAll(async () => {
  for (const db of open) await db.close();
  await server.close();
});
beforeEach(() =>
  server.sql("truncate counters; insert into counters values ('a', 0), ('b', 0), ('c', 0)", databaseOf(url)),
);

const databaseOf = (of: string) => new URL(of).pathname.slice(1);

async function connect(options: Partial<PostgresOptions> = {}): Promise<Db> {
  const db = await openPostgresDb({ url, ...options });
  open.push(db);
  return db;
}

const add = statement<{ value: number }>(
  'test_add_to_counter',
  'update counters set value = value + 1 where name = $1::text returning value',
);
const read = statement<{ value: number }>('test_read_counter', 'select value from counters where name = $1::text');
const insert = statement('test_insert_counter', 'insert into counters values ($1::text, 0)');
const serializable = statement('test_serializable', 'set transaction isolation level serializable');
const backend = statement<{ pid: number }>('test_backend', 'select pg_backend_pid() as pid');
const pause = statement('test_pause', 'select pg_sleep($1::float8)');
const readValue = async (db: Db, name: string) => (await db.query(read, [name]))[0]?.value;
const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error as Error & { code?: string },
  );

describe('a transaction on a server', () => {
  it('is done again when two have deadlocked, and both are recorded', async () => {
    const db = await connect();
    const met = meeting(2);
    const both = async (first: string, second: string) => {
      let times = 0;
      await db.transaction(async (tx) => {
        times += 1;
        await tx.query(add, [first]);
        if (times === 1) await met();
        await tx.query(add, [second]);
      });
      return times;
    };
    const times = await Promise.all([both('a', 'b'), both('b', 'a')]);
    expect([await readValue(db, 'a'), await readValue(db, 'b')]).toEqual([2, 2]);
    expect(Math.max(...times)).toBeGreaterThan(1);
  });

  it('is done again after a serialization failure, also when its own code wrapped the error', async () => {
    const db = await connect();
    const met = meeting(2);
    const raise = () => {
      let times = 0;
      return db.transaction(async (tx) => {
        times += 1;
        await tx.query(serializable);
        await tx.query(read, ['a']);
        if (times === 1) await met();
        await tx.query(add, ['a']).catch((error: unknown) => {
          throw new Error('wrapped', { cause: error });
        });
      });
    };
    await Promise.all([raise(), raise()]);
    expect(await readValue(db, 'a')).toBe(2);
  });

  it('is done again when its connection is cut before the commit, and is recorded once', async () => {
    const db = await connect();
    let times = 0;
    await db.transaction(async (tx) => {
      times += 1;
      await tx.query(add, ['a']);
      if (times > 1) return;
      const [row] = await tx.query(backend);
      await server.sql(`select pg_terminate_backend(${row?.pid}, 5000)`);
      await tx.query(add, ['b']);
    });
    expect(times).toBe(2);
    expect([await readValue(db, 'a'), await readValue(db, 'b')]).toEqual([1, 0]);
  });

  it('is UNAVAILABLE, with the way out, when its connection is cut again and again', async () => {
    const db = await connect();
    const error = await failureOf(
      db.transaction(async (tx) => {
        const [row] = await tx.query(backend);
        await server.sql(`select pg_terminate_backend(${row?.pid}, 5000)`);
        await tx.query(add, ['a']);
      }),
    );
    expect(error).toBeInstanceOf(RepriseError);
    expect(error).toMatchObject({ code: 'UNAVAILABLE' });
    expect(error?.message).toMatch(/nothing was recorded: try again/);
    expect(await readValue(db, 'a')).toBe(0);
  });

  it('says that it does not know when the answer to the commit is lost', async () => {
    const cut = await cuttingProxy(server.port, 'commit\0');
    const db = await connect({ url: `postgres://owner@127.0.0.1:${cut.port}/${databaseOf(url)}` });
    let times = 0;
    const error = await failureOf(
      db.transaction(async (tx) => {
        times += 1;
        await tx.query(add, ['a']);
      }),
    );
    await cut.close();
    expect(error).toMatchObject({ code: 'UNAVAILABLE' });
    expect(error?.message).toMatch(/before it said whether the call is recorded; look, or repeat .* same request id/);
    expect(times).toBe(1);
  });

  it('that swallowed the failure of a statement is not taken for recorded', async () => {
    const db = await connect();
    const error = await failureOf(
      db.transaction(async (tx) => {
        await tx.query(add, ['a']);
        await tx.query(insert, ['a']).catch(() => undefined);
      }),
    );
    expect(error).toBeInstanceOf(DbError);
    expect(error).toMatchObject({ sqlState: '23505', constraint: 'counters_pkey' });
    expect(await readValue(db, 'a')).toBe(0);
  });

  it('waits for a connection while all are busy, and says so when none comes free in time', async () => {
    const db = await connect({ poolSize: 2, waitMs: 3_000 });
    let busy = 0;
    const met = meeting(3);
    const hold = (counter: string) =>
      db.transaction(async (tx) => {
        await tx.query(add, [counter]);
        busy += 1;
        await met();
      });
    const held = [hold('none'), hold('nothing')];
    await until('both to be in their transactions', async () => busy === 2);
    const error = await failureOf(db.query(read, ['a']));
    expect(error).toMatchObject({ code: 'UNAVAILABLE' });
    expect(error?.message).toMatch(/all 2 connections to 127.0.0.1:\d+ are busy; .*--database-pool/);
    await met();
    await Promise.all(held);
    expect(await readValue(db, 'a')).toBe(0);
  });

  it('is ended by the statement timeout and by the lock timeout, with a sentence', async () => {
    const hurried = await connect({ statementTimeoutMs: 500 });
    const slow = await failureOf(hurried.query(pause, [30]));
    expect(slow).toMatchObject({ code: 'UNAVAILABLE' });
    expect(slow?.message).toMatch(/took longer over this than the statement timeout allows/);
    const db = await connect({ lockTimeoutMs: 100 });
    const other = await connect();
    const locked = await other.transaction(async (tx) => {
      await tx.query(add, ['a']);
      return failureOf(db.query(add, ['a']));
    });
    expect(locked).toMatchObject({ code: 'UNAVAILABLE' });
    expect(locked?.message).toMatch(/rows of this call locked by another one/);
    expect(await readValue(db, 'a')).toBe(1);
  });
});

describe('a server that restarts', () => {
  it('costs its callers a moment: calls under way are done again, those that come wait', async () => {
    const db = await connect();
    let stop = false;
    let done = 0;
    const unsure: Error[] = [];
    const caller = async () => {
      while (!stop) {
        await db
          .transaction(async (tx) => {
            await tx.query(add, ['a']);
            await tx.query(read, ['b']);
          })
          .then(
            () => {
              done += 1;
            },
            (error: Error) => unsure.push(error),
          );
      }
    };
    const callers = Array.from({ length: 8 }, caller);
    for (const how of ['fast', 'kill'] as const) {
      const before = done;
      await until('calls to be made', async () => done > before + 50);
      await server.stop(how);
      await server.start();
    }
    const before = done;
    await until('calls to be made after it', async () => done > before + 50);
    stop = true;
    await Promise.all(callers);
    // what is not known to be recorded may be either; nothing else may be lost or doubled
    for (const error of unsure) expect(error.message).toMatch(/before it said whether the call is recorded/);
    const value = (await readValue(db, 'a')) ?? 0;
    expect(value).toBeGreaterThanOrEqual(done);
    expect(value).toBeLessThanOrEqual(done + unsure.length);
  });

  it('is listened to again, and the listener is called once for what it may have missed', async () => {
    const db = await connect();
    const heard: string[] = [];
    const stop = await db.listen('test_channel', (payload) => heard.push(payload));
    await server.sql("notify test_channel, 'before'", databaseOf(url));
    await until('the first notification', async () => heard.includes('before'));
    await server.stop('kill');
    await server.start();
    await until('the call after coming back', async () => heard.includes(''));
    await server.sql("notify test_channel, 'after'", databaseOf(url));
    await until('the notification after it', async () => heard.includes('after'));
    await stop();
    await server.sql("notify test_channel, 'unheard'", databaseOf(url));
    await db.query(read, ['a']);
    expect(heard).toEqual(['before', '', 'after']);
  });
});

describe('what only one server does at a time', () => {
  it('is done by one, refused to the others, and free again after it and after its death', async () => {
    const [one, two] = [await connect(), await connect()];
    let inner: boolean[] = [];
    const did = await one.exclusively('loop', async () => {
      inner = [
        await two.exclusively('loop', async () => undefined),
        await one.exclusively('loop', async () => undefined),
      ];
      expect(await two.exclusively('another loop', async () => undefined)).toBe(true);
    });
    expect([did, ...inner]).toEqual([true, false, false]);
    expect(await two.exclusively('loop', async () => undefined)).toBe(true);
    await expect(one.exclusively('loop', () => Promise.reject(new Error('it broke')))).rejects.toThrow('it broke');
    expect(await two.exclusively('loop', async () => undefined)).toBe(true);
  });
});

describe('a database that cannot be used is refused with a sentence that says why and what to do:', () => {
  const refusalOf = async (options: PostgresOptions) => {
    const error = await failureOf(connect(options));
    expect(error).toBeInstanceOf(RepriseError);
    expect(error?.message).not.toContain('sesame');
    return error?.message;
  };
  const at = (rest: string) => `postgres://${rest}`;

  it('a URL that is none', async () => {
    expect(await refusalOf({ url: 'mysql://x' })).toMatch(
      /does not begin with postgres:\/\/; it has the form postgres/,
    );
    expect(await refusalOf({ url: 'postgres://owner:sesame@host:99999/x' })).toMatch(/the database URL cannot be used/);
  });

  it('nobody listens', async () => {
    const free = await cuttingProxy(1, 'x');
    await free.close();
    const sentence = await refusalOf({ url: at(`owner:sesame@127.0.0.1:${free.port}/x`) });
    expect(sentence).toMatch(/no PostgreSQL server listens at 127\.0\.0\.1:\d+; start it, or correct/);
  });

  it('a socket that is not there', async () => {
    const sentence = await refusalOf({ url: at('/x?host=/nowhere&user=owner') });
    expect(sentence).toMatch(/there is no socket \/nowhere\/\.s\.PGSQL\.5432/);
  });

  it('an unknown host', async () => {
    const sentence = await refusalOf({ url: at('owner:sesame@no-such-host.invalid/x') });
    expect(sentence).toMatch(/the name no-such-host\.invalid of the database's host is not known here/);
  });

  it('a host that says nothing', async () => {
    const mute = createServer(() => undefined);
    await new Promise<void>((done) => mute.listen(0, '127.0.0.1', done));
    const { port } = mute.address() as { port: number };
    const sentence = await refusalOf({ url: at(`owner:sesame@127.0.0.1:${port}/x`), waitMs: 200 });
    mute.close();
    expect(sentence).toMatch(/127\.0\.0\.1:\d+ does not answer; see whether the host is up/);
  });

  it('a wrong password, a missing one, an unknown user', async () => {
    await server.sql("create role guarded login password 'right'; create role dropped login");
    await server.sql('drop role dropped');
    await server.guard('host all guarded 127.0.0.1/32 scram-sha-256');
    const port = server.port;
    expect(await refusalOf({ url: at(`guarded:sesame@127.0.0.1:${port}/test_1`) })).toMatch(
      /refuses the password of user guarded; correct it in the URL or in PGPASSWORD/,
    );
    expect(await refusalOf({ url: at(`guarded@127.0.0.1:${port}/test_1`) })).toMatch(
      /asks for the password of user guarded/,
    );
    expect(await refusalOf({ url: at(`dropped:sesame@127.0.0.1:${port}/test_1`) })).toMatch(
      /does not let user dropped in: role "dropped" does not exist/,
    );
  });

  it('no such database', async () => {
    expect(await refusalOf({ url: server.url('nowhere') })).toMatch(
      /there is no database nowhere at 127\.0\.0\.1:\d+; create it: createdb nowhere/,
    );
  });

  it('TLS where there is none, and none where it is asked for', async () => {
    expect(await refusalOf({ url: `${url}?sslmode=require` })).toMatch(/does not speak TLS; .* sslmode=disable/);
    await server.sql('create role encrypted login');
    await server.guard('hostssl all encrypted 127.0.0.1/32 trust\nhost all encrypted 127.0.0.1/32 reject');
    expect(await refusalOf({ url: server.url('test_1', 'encrypted') })).toMatch(/encrypt/);
  });

  it('no connection left', async () => {
    await server.sql('create role few login connection limit 1');
    await connect({ url: server.url('test_1', 'few'), poolSize: 1 }).catch(() => undefined);
    expect(await refusalOf({ url: server.url('test_1', 'few') })).toMatch(
      /has no connection left; .*max_connections.*--database-pool/,
    );
  });

  it('a database that is read-only', async () => {
    await server.sql('create database frozen');
    await server.sql('alter database frozen set default_transaction_read_only = on');
    expect(await refusalOf({ url: server.url('frozen') })).toMatch(/takes no writes: it is set read-only/);
  });

  it('a database of another encoding', async () => {
    await server.sql("create database ascii encoding 'SQL_ASCII' template template0");
    expect(await refusalOf({ url: server.url('ascii') })).toMatch(
      /has the encoding SQL_ASCII; create one with: createdb -E/,
    );
  });

  it('a server that is too old, a standby, a user without a schema', () => {
    const target = parseTarget('postgres://reprise:sesame@db.example.org/lab');
    const facts = {
      version: 150_004,
      version_text: '15.4',
      in_recovery: false,
      read_only: false,
      encoding: 'UTF8',
      current_schema: 'public',
    };
    const verdict = (other: Partial<typeof facts> | { current_schema: null }) => () =>
      checkServer({ ...facts, ...other }, target);
    expect(verdict({})).not.toThrow();
    expect(verdict({ version: 140_011, version_text: '14.11' })).toThrow(
      'db.example.org:5432 is PostgreSQL 14.11; Reprise needs 15 or newer',
    );
    expect(verdict({ in_recovery: true })).toThrow(
      'database lab at db.example.org:5432 takes no writes: it is a standby; let the URL name the primary',
    );
    expect(verdict({ current_schema: null })).toThrow("has no schema on the user's search_path");
  });

  it('a user who may not make tables', async () => {
    await server.sql('create role reader login');
    const db = await connect({ url: server.url('test_1', 'reader') });
    const error = await failureOf(db.script('create table mine (x integer)'));
    expect(error).toMatchObject({ code: 'FORBIDDEN' });
    expect(error?.message).toMatch(/user reader may not create tables in database test_1 .* grant create on schema/);
  });
});

describe('a server that speaks TLS', () => {
  const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
  const certificate = fixture('localhost-certificate.pem');
  const encrypted = statement<{ ssl: boolean }>(
    'test_encrypted',
    'select ssl from pg_stat_ssl where pid = pg_backend_pid()',
  );
  const byName = (query: string) => `${url.replace('127.0.0.1', 'localhost')}?${query}`;

  it('is spoken to as psql would: `require` encrypts, `verify-full` checks who answers', async () => {
    const text = (name: string) => readFileSync(fixture(name), 'utf8');
    await server.restartWithTls(text('localhost-key.pem'), text('localhost-certificate.pem'));
    for (const query of ['sslmode=require', `sslmode=verify-full&sslrootcert=${certificate}`]) {
      const db = await connect({ url: byName(query) });
      expect(await db.query(encrypted)).toEqual([{ ssl: true }]);
    }
    const error = await failureOf(connect({ url: byName('sslmode=verify-full') }));
    expect(error?.message).toMatch(/the certificate of localhost:\d+ cannot be trusted .*sslrootcert=<file>/);
    const missing = await failureOf(connect({ url: byName('sslmode=verify-full&sslrootcert=/nowhere.pem') }));
    expect(missing?.message).toMatch(/its certificate file \/nowhere\.pem is not there/);
  });
});

describe('a user who may read and write, but make nothing', () => {
  it('is enough for a database whose schema is there', async () => {
    const migrated = await server.createDatabase();
    const owner = await connect({ url: migrated });
    await migrate(owner, MIGRATIONS);
    await server.sql(
      `create role worker login;
      grant select, insert, update, delete on all tables in schema public to worker;
      grant usage on all sequences in schema public to worker`,
      databaseOf(migrated),
    );
    const db = await connect({ url: server.url(databaseOf(migrated), 'worker') });
    await migrate(db, MIGRATIONS);
    expect(Buffer.from(await ensureSecret(db, 'a secret', () => Buffer.from('abc'))).toString()).toBe('abc');
  });
});

/** Resolves for all when so many have come. */
function meeting(of: number): () => Promise<void> {
  let come = 0;
  let open: () => void = () => undefined;
  const met = new Promise<void>((done) => {
    open = done;
  });
  return () => {
    come += 1;
    if (come === of) open();
    return met;
  };
}

/** Passes everything on to a port until a message contains `sign`; that one is passed on, and its answer is not. */
async function cuttingProxy(port: number, sign: string): Promise<{ port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const { connect: dial } = await import('node:net');
  const proxy = createServer((near) => {
    const far = dial(port, '127.0.0.1');
    let cut = false;
    near.on('data', (data) => {
      cut ||= data.includes(sign);
      far.write(data);
    });
    far.on('data', (data) => (cut ? near.destroy() : near.write(data)));
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((done) => proxy.listen(0, '127.0.0.1', done));
  return {
    port: (proxy.address() as { port: number }).port,
    close: () =>
      new Promise((done) => {
        for (const socket of sockets) socket.destroy();
        proxy.close(() => done());
      }),
  };
}
