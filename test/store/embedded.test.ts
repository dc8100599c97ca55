/** What makes PGlite fit for a service (docs/adr/0005), beyond what every `Db` does. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { statement } from '../../src/store/db.js';
import { type EmbeddedDb, openEmbeddedDb } from '../../src/store/embedded.js';
import { buildTemplate } from '../../src/store/embedded-build.js';
import { EMBEDDED_MAJOR } from '../../src/store/embedded-directory.js';
import { createSession } from '../../src/store/embedded-session.js';
import { MIGRATIONS } from '../../src/store/embedded-template.js';
import { startThread, type Thread } from '../../src/store/embedded-thread.js';
import { startUpkeep, type Upkeep } from '../../src/store/embedded-upkeep.js';
import { migrate } from '../../src/store/migrate.js';
import { until } from '../support/until.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'reprise-embedded-'));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Not the one the build made, so that these tests need no build of the template. */
let template: string;
let templateDirectory: string;
/** For tests that only use a database. */
let shared: EmbeddedDb;
beforeAll(async () => {
  templateDirectory = mkdtempSync(join(tmpdir(), 'reprise-template-'));
  template = join(templateDirectory, 'template.gz');
  await buildTemplate(join(templateDirectory, 'data'), template);
  shared = await openEmbeddedDb({ dataDir: join(templateDirectory, 'shared'), template });
});
afterAll(async () => {
  await shared.close();
  rmSync(templateDirectory, { recursive: true, force: true });
});

async function openAt(dataDir: string, onFatal?: (error: unknown) => void): Promise<EmbeddedDb> {
  const db = await openEmbeddedDb({ dataDir, template, ...(onFatal && { onFatal }) });
  cleanups.push(() => db.close());
  return db;
}

const selectVersion = statement<{ major: number; databases: number; fsync: string; method: string }>(
  'test_version',
  `
  select
    current_setting('server_version_num')::integer / 10000 as major, (select count(*) from pg_database) as databases,
    current_setting('fsync') as fsync, current_setting('wal_sync_method') as method`,
);
const selectUsers = statement<{ users: number }>('test_users', 'select count(*) as users from users');
const insertUser = statement('test_insert_user', 'insert into users (user_name) values ($1::text)');
const insertUsers = statement(
  'test_insert_users',
  'insert into users (user_name) select $1::text || n from generate_series(1, $2::integer) n',
);
const touchUsers = statement('test_touch_users', "update users set admin_role = 'read'");
const selectUserStats = statement<{ dead: number; rows: number; analyzed: boolean; pages: number }>(
  'test_user_stats',
  `
  select
    s.n_dead_tup as dead, c.reltuples as rows, s.last_analyze is not null as analyzed,
    pg_relation_size('users') / 8192 as pages
  from pg_stat_user_tables s
  join pg_class c on c.oid = s.relid
  where s.relname = 'users'`,
);
const pause = statement('test_embedded_pause', 'select pg_sleep($1::float8)::text');
const echoTexts = statement<{ texts: string[] }>('test_echo_texts', 'select $1::text[] as texts');

describe('a first start', () => {
  it('unpacks the prepared directory, with the schema in it and one database', async () => {
    const db = await openAt(scratch());
    expect(await db.query(selectUsers)).toEqual([{ users: 0 }]);
    const [version] = await db.query(selectVersion);
    expect(version).toEqual({ major: Number(EMBEDDED_MAJOR), databases: 1, fsync: 'on', method: 'fsync' });
  });

  it('makes a directory where there is no prepared one', async () => {
    const dataDir = scratch();
    const db = await openEmbeddedDb({ dataDir, template: join(dataDir, 'none') });
    cleanups.push(() => db.close());
    await migrate(db, MIGRATIONS);
    expect(await db.query(selectUsers)).toEqual([{ users: 0 }]);
    expect((await db.query(selectVersion))[0]?.databases).toBe(1);
  }, 180_000);

  it('begins anew after one that was killed before its directory was whole', async () => {
    const dataDir = scratch();
    mkdirSync(join(dataDir, 'pg.new', 'base'), { recursive: true });
    writeFileSync(join(dataDir, 'pg.new', 'PG_VERSION'), `${EMBEDDED_MAJOR}\n`);
    const db = await openAt(dataDir);
    expect(await db.query(selectUsers)).toEqual([{ users: 0 }]);
    expect(existsSync(join(dataDir, 'pg.new'))).toBe(false);
  });
});

describe('a directory', () => {
  it('keeps what was committed when it is closed and opened again', async () => {
    const dataDir = scratch();
    const first = await openAt(dataDir);
    await first.query(insertUser, ['alice']);
    await first.close();
    expect(readFileSync(join(dataDir, 'pg', 'PG_VERSION'), 'utf8').trim()).toBe(EMBEDDED_MAJOR);
    expect(await (await openAt(dataDir)).query(selectUsers)).toEqual([{ users: 1 }]);
  });

  it.each([
    ['of another major release', '17\n', /was written by PostgreSQL 17 .* `reprise export`/],
    ['that is none of a database', null, /is no database directory .* restore/],
  ])('%s is refused with the way out, and left as it is', async (_, version, sentence) => {
    const dataDir = scratch();
    mkdirSync(join(dataDir, 'pg'));
    if (version !== null) writeFileSync(join(dataDir, 'pg', 'PG_VERSION'), version);
    const opening = openEmbeddedDb({ dataDir, template });
    await expect(opening).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringMatching(sentence) });
    rmSync(join(dataDir, 'pg'), { recursive: true });
    await openAt(dataDir);
  });

  it('whose database does not start says what PostgreSQL said, and is free again', async () => {
    const dataDir = scratch();
    await (await openAt(dataDir)).close();
    writeFileSync(join(dataDir, 'pg', 'global', 'pg_control'), 'nonsense');
    await expect(openAt(dataDir)).rejects.toThrow(/pg_control/);
    await expect(openAt(dataDir)).rejects.toThrow(/pg_control/);
  });
});

describe('a commit', () => {
  it('is synced to the disk before it returns, and a read syncs nothing', async () => {
    const db = shared;
    await db.query(insertUser, ['warm']);
    const before = db.syncs();
    for (let n = 0; n < 20; n += 1) await db.transaction((tx) => tx.query(insertUser, [`u${n}`]));
    const after = db.syncs();
    expect(after - before).toBeGreaterThanOrEqual(20);
    for (let n = 0; n < 20; n += 1) await db.query(selectUsers);
    expect(db.syncs()).toBe(after);
  });
});

describe('the thread', () => {
  it('leaves the event loop free while a statement takes long', async () => {
    const db = shared;
    let ticks = 0;
    const ticking = setInterval(() => {
      ticks += 1;
    }, 5);
    await db.query(pause, [2]);
    clearInterval(ticking);
    expect(ticks).toBeGreaterThan(10);
  });

  it('that ends is told once, refuses what was asked, and what is asked later', async () => {
    const deaths: Error[] = [];
    const dataDir = scratch();
    await (await openAt(dataDir)).close();
    const thread = await startThread(join(dataDir, 'pg'), (error) => deaths.push(error));
    const session = createSession(thread);
    const asked = [
      session.query(pause, [10]),
      session.transaction((tx) => tx.query(selectUsers)),
      session.query(selectUsers),
    ];
    const refused = Promise.allSettled(asked);
    thread.fail(new Error('pulled'));
    thread.fail(new Error('again'));
    for (const result of await refused) expect(result).toMatchObject({ status: 'rejected' });
    await expect(session.query(selectUsers)).rejects.toThrow('the embedded database has ended: pulled');
    expect(deaths.map((error) => error.message)).toEqual(['the embedded database has ended: pulled']);
    await session.close();
  });
});

describe('the session', () => {
  it('refuses a statement of a transaction that has ended', async () => {
    const db = shared;
    const before = await db.query(selectUsers);
    const leaked = await db.transaction(async (tx) => tx);
    await expect(leaked.query(insertUser, ['bob'])).rejects.toThrow('has ended');
    expect(await db.query(selectUsers)).toEqual(before);
  });

  it('prepares again what a script may have changed', async () => {
    const db = shared;
    const select = statement<{ value: unknown }>('test_changing', 'select value from changing');
    await db.script('create table changing (value integer); insert into changing values (1)');
    expect(await db.query(select)).toEqual([{ value: 1 }]);
    await db.script('alter table changing alter column value type text');
    expect(await db.query(select)).toEqual([{ value: '1' }]);
  });

  it('reads back any list of texts', async () => {
    const db = shared;
    const text = fc.string({ unit: 'binary' }).map((drawn) => drawn.replaceAll('\0', ''));
    const awkward = fc.constantFrom('NULL', '', '"', '\\', '{', '}', ',', ' ', '\n', '\\"', '{a}');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(text, awkward), { maxLength: 8 }), async (texts) => {
        expect(await db.query(echoTexts, [texts])).toEqual([{ texts }]);
      }),
      { numRuns: 300 },
    );
  });
});

describe('upkeep', () => {
  it('by itself learns how large tables have become', async () => {
    const db = await openAt(scratch());
    await db.query(insertUsers, ['u', 3000]);
    await until('users to be analyzed', async () => {
      const [stats] = await db.query(selectUserStats);
      return stats?.analyzed === true && stats.rows === 3000;
    });
  });

  it('keeps a table that is updated again and again from growing', async () => {
    const db = await openAt(scratch());
    await db.query(insertUsers, ['u', 3000]);
    const pages: number[] = [];
    for (let round = 0; round < 8; round += 1) {
      await db.query(touchUsers);
      await db.upkeep.runOnce();
      while ((await db.upkeep.runOnce()) !== null);
      pages.push((await db.query(selectUserStats))[0]?.pages ?? 0);
    }
    expect(pages.at(-1)).toBeLessThanOrEqual((pages[1] ?? 0) * 1.2);
  });

  it('writes a checkpoint when the log is long, so that the next start replays little', async () => {
    const { upkeep, thread, session } = await withUpkeep({ walBytes: 200_000, freezeAge: 1_000_000 });
    await session.query(insertUsers, ['u', 3000]);
    const before = thread.syncs();
    expect(await upkeep.runOnce()).toBe('checkpoint');
    expect(thread.syncs()).toBeGreaterThan(before + 1);
    expect(await upkeep.runOnce()).not.toBe('checkpoint');
  });

  it('freezes old rows, so that transaction ids never run out', async () => {
    const { upkeep, session } = await withUpkeep({ walBytes: 1_000_000_000, freezeAge: 60 });
    const age = statement<{ age: number }>('test_age', 'select max(age(datfrozenxid)) as age from pg_database');
    for (let n = 0; n < 200; n += 1) await session.query(insertUser, [`u${n}`]);
    expect((await session.query(age))[0]?.age).toBeGreaterThan(200);
    let frozen = 0;
    for (let task = await upkeep.runOnce(); task?.startsWith('vacuum (freeze)'); task = await upkeep.runOnce())
      frozen += 1;
    expect(frozen).toBeGreaterThan(20);
    expect((await session.query(age))[0]?.age).toBeLessThan(200);
  });
});

/** Its own loop is stopped: the test says when. */
async function withUpkeep(limits: { walBytes: number; freezeAge: number }): Promise<{
  upkeep: Upkeep;
  thread: Thread;
  session: ReturnType<typeof createSession>;
}> {
  const dataDir = scratch();
  await (await openAt(dataDir)).close();
  const thread = await startThread(join(dataDir, 'pg'), () => undefined);
  const session = createSession(thread);
  const upkeep = startUpkeep(session, limits);
  upkeep.stop();
  cleanups.push(() => session.close());
  return { upkeep, thread, session };
}
