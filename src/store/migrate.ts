/** Numbered plain SQL files, forward only. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Db, statement } from './db.js';

const selectMigrations = statement<{ version: number }>(
  'select_migrations',
  `
  select version
  from schema_migrations
  order by version`,
);

export async function migrate(db: Db, directory: string): Promise<void> {
  await db.script(
    'create table if not exists schema_migrations (version integer primary key, applied_at timestamptz default now());',
  );
  const done = new Set((await db.query(selectMigrations)).map((row) => row.version));
  for (const file of readdirSync(directory)
    .filter((name) => name.endsWith('.sql'))
    .sort()) {
    const version = Number.parseInt(file, 10);
    if (done.has(version)) continue;
    const sql = readFileSync(join(directory, file), 'utf8');
    await db.script(`${sql}\ninsert into schema_migrations (version) values (${version});`);
  }
}
