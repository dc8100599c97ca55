import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Db, statement } from '../../src/store/db.js';
import { MIGRATIONS } from '../../src/store/embedded-template.js';
import { migrate } from '../../src/store/migrate.js';
import { ensureSecret } from '../../src/store/secrets.js';
import { databases } from '../support/databases.js';

const selectRecord = statement<{ name: string; checksum: string; applied_at: Date }>(
  'test_select_migrations',
  'select name, checksum, applied_at from migrations order by name',
);
const selectSteps = statement<{ step: number }>('test_select_steps', 'select step from migration_steps order by step');
const dropSteps = "drop table if exists migration_steps; delete from migrations where name like '9%'";

describe.each(databases)('migrations on $name', ({ open }) => {
  let db: Db;
  let directory: string;
  beforeAll(async () => {
    db = await open();
  });
  afterAll(() => db.close());
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'reprise-migrations-'));
    for (const file of readdirSync(MIGRATIONS)) copyFileSync(join(MIGRATIONS, file), join(directory, file));
  });
  afterEach(async () => {
    rmSync(directory, { recursive: true });
    await db.script(dropSteps);
  });
  const add = (name: string, sql: string) => writeFileSync(join(directory, name), sql);
  const addFirst = () => add('9001_first.sql', 'create table migration_steps (step integer primary key);');

  it('are applied in order, once, and recorded with checksum and time', async () => {
    addFirst();
    add(
      '9002_second.sql',
      '-- two statements; and a comment at the end\ninsert into migration_steps values (1);\n-- end',
    );
    await migrate(db, directory);
    await migrate(db, directory);
    expect(await db.query(selectSteps)).toEqual([{ step: 1 }]);
    const record = (await db.query(selectRecord)).filter(({ name }) => name.startsWith('9'));
    expect(record.map(({ name }) => name)).toEqual(['9001_first.sql', '9002_second.sql']);
    for (const { checksum, applied_at: at } of record) {
      expect(checksum).toMatch(/^[0-9a-f]{64}$/);
      expect(Math.abs(Date.now() - at.getTime())).toBeLessThan(600_000);
    }
  });

  it('that fail leave nothing of themselves, and are applied when they are mended', async () => {
    addFirst();
    add('9002_second.sql', 'insert into migration_steps values (1); insert into migration_steps values (1);');
    await expect(migrate(db, directory)).rejects.toMatchObject({ sqlState: '23505' });
    expect(await db.query(selectSteps)).toEqual([]);
    add('9002_second.sql', 'insert into migration_steps values (2);');
    await migrate(db, directory);
    expect(await db.query(selectSteps)).toEqual([{ step: 2 }]);
  });

  it('are applied once when several servers start at the same time', async () => {
    addFirst();
    add('9002_second.sql', 'insert into migration_steps values (1);');
    await Promise.all(Array.from({ length: 5 }, () => migrate(db, directory)));
    expect(await db.query(selectSteps)).toEqual([{ step: 1 }]);
  });

  it.each([
    ['a newer schema', () => rmSync(join(directory, '9002_second.sql')), /is newer \(9002_second.sql\).*newer Reprise/],
    ['a file that changed', () => add('9002_second.sql', 'select 2;'), /another 9002_second.sql.*restore a backup/],
    [
      'a file put between',
      () => add('9001_z.sql', 'select 1;'),
      /has 9002_second.sql where this Reprise has 9001_z.sql/,
    ],
  ])('refuse %s with the way out, and change nothing', async (_, change, sentence) => {
    addFirst();
    add('9002_second.sql', 'insert into migration_steps values (1);');
    await migrate(db, directory);
    change();
    add('9003_third.sql', 'insert into migration_steps values (3);');
    if (/newer/.test(String(sentence))) rmSync(join(directory, '9003_third.sql'));
    const refusal = { code: 'CONFLICT', message: expect.stringMatching(sentence) };
    await expect(migrate(db, directory)).rejects.toMatchObject(refusal);
    expect(await db.query(selectSteps)).toEqual([{ step: 1 }]);
  });

  it('are not taken from files with another kind of name', async () => {
    add('9001-first.sql', 'select 1');
    await expect(migrate(db, directory)).rejects.toThrow('is not named like 0001_initial.sql');
  });

  it('keep one secret for all who ask at once, and give it again later', async () => {
    let made = 0;
    const make = () => new Uint8Array(32).fill(++made);
    const secrets = await Promise.all(Array.from({ length: 8 }, () => ensureSecret(db, 'test', make)));
    secrets.push(await ensureSecret(db, 'test', make));
    expect(new Set(secrets.map((secret) => Buffer.from(secret).toString('hex'))).size).toBe(1);
    expect(secrets[0]).toHaveLength(32);
  });
});
