/**
 * Numbered plain SQL files, forward only, each in one transaction with its record. Killed anywhere, a file is applied or
 * it is not. Two servers that start at once on one database wait for each other, and the later one finds the record.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RepriseError } from '../contract/errors.js';
import { type Db, isUniqueViolation, statement } from './db.js';

interface Migration {
  /** `0001_initial.sql`; the order of names is the order of files. */
  readonly name: string;
  /** sha256 of the file, hex. */
  readonly checksum: string;
  readonly sql: string;
}
type Applied = Pick<Migration, 'name' | 'checksum'>;

const NAME = /^\d{4}_[a-z0-9_]+\.sql$/;
/** Any constant; the same in every release. */
const LOCK = 'select pg_advisory_xact_lock(7237411230417);';

const selectHasMigrations = statement<{ there: boolean }>(
  'select_has_migrations',
  `
  select to_regclass('migrations') is not null as there`,
);

const selectMigrations = statement<Applied>(
  'select_migrations',
  `
  select name, checksum
  from migrations
  order by name collate "C"`,
);

/** Brings the schema to what the files say. Throws CONFLICT when the database is not an earlier state of them. */
export async function migrate(db: Db, directory: string): Promise<void> {
  const files = readMigrations(directory);
  await ensureRecord(db);
  for (let applied = await readApplied(db); ; applied = await readApplied(db)) {
    checkApplied(applied, files);
    const next = files[applied.length];
    if (next === undefined) return;
    await apply(db, next);
  }
}

/** The first file that the schema has not yet; null when it has them all, and maybe newer ones. */
export async function findMissingMigration(db: Db, directory: string): Promise<string | null> {
  const applied = new Set((await readApplied(db)).map(({ name }) => name));
  return readMigrations(directory).find(({ name }) => !applied.has(name))?.name ?? null;
}

function readMigrations(directory: string): Migration[] {
  const names = readdirSync(directory).filter((name) => name.endsWith('.sql'));
  return names.sort().map((name) => {
    if (!NAME.test(name)) throw new Error(`${join(directory, name)} is not named like 0001_initial.sql`);
    const sql = readFileSync(join(directory, name), 'utf8');
    return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
  });
}

/** Asked first: who may not create tables may still use a database that has them all. */
async function ensureRecord(db: Db): Promise<void> {
  const [has] = await db.query(selectHasMigrations);
  if (has?.there) return;
  await db.script(`${LOCK}
    create table if not exists migrations (
      name text primary key,
      checksum text not null,
      applied_at timestamptz not null default now()
    );`);
}

function readApplied(db: Db): Promise<Applied[]> {
  return db.query(selectMigrations);
}

function checkApplied(applied: readonly Applied[], files: readonly Migration[]): void {
  applied.forEach(({ name, checksum }, index) => {
    const file = files[index];
    if (file?.name === name && file.checksum === checksum) return;
    throw new RepriseError('CONFLICT', sentenceOf(name, file, files));
  });
}

function sentenceOf(name: string, file: Migration | undefined, files: readonly Migration[]): string {
  const newest = files.at(-1)?.name ?? 'none';
  if (file?.name === name) {
    return `the schema was made with another ${name} than this Reprise has; use the release that made it, or restore a backup`;
  }
  if (name > newest) {
    return `the schema is newer (${name}) than this Reprise knows (${newest}); install a newer Reprise, or restore a backup`;
  }
  return `the schema has ${name} where this Reprise has ${file?.name ?? 'nothing'}; use the release that made it`;
}

/** The record first: who comes second waits at the lock, and then learns that it is done. */
async function apply(db: Db, { name, checksum, sql }: Migration): Promise<void> {
  try {
    await db.script(`${LOCK}
      insert into migrations (name, checksum) values ('${name}', '${checksum}');
      ${sql}`);
  } catch (error) {
    if (!isUniqueViolation(error, 'migrations_pkey')) throw error;
  }
}
