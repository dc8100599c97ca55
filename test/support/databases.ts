/**
 * A migrated database for a test file, by the code the server uses: the embedded one in a directory of its own, and a
 * PostgreSQL 15 server. `describe.each(databases)` runs a suite on both.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Db } from '../../src/store/db.js';
import { openEmbeddedDb } from '../../src/store/embedded.js';
import { buildTemplate } from '../../src/store/embedded-build.js';
import { MIGRATIONS, templateFile } from '../../src/store/embedded-template.js';
import { migrate } from '../../src/store/migrate.js';
import { openPostgresDb } from '../../src/store/postgres.js';
import { startPostgres } from './postgres-server.js';

/** The embedded one. `close` removes its directory. */
export function openTestDb(): Promise<Db> {
  return withScratch(async (dataDir) => {
    if (!existsSync(templateFile())) await withScratch(async (scratch) => buildTemplate(scratch, templateFile()), true);
    const db = await openEmbeddedDb({ dataDir });
    await migrate(db, MIGRATIONS);
    return closing(db, () => remove(dataDir));
  });
}

/** `close` ends the server too. */
export async function openTestPostgres(): Promise<Db> {
  const server = await startPostgres();
  try {
    const db = await openPostgresDb({ url: await server.createDatabase() });
    await migrate(db, MIGRATIONS);
    return closing(db, () => server.close());
  } catch (error) {
    await server.close();
    throw error;
  }
}

export const databases = [
  { name: 'embedded', open: openTestDb },
  { name: 'PostgreSQL 15', open: openTestPostgres },
] as const;

/** The same database, whose `close` does more. */
function closing(db: Db, andThen: () => unknown): Db {
  return {
    kind: db.kind,
    query: (statement, params) => db.query(statement, params),
    transaction: (work) => db.transaction(work),
    script: (sql) => db.script(sql),
    listen: (channel, handler) => db.listen(channel, handler),
    exclusively: (name, work) => db.exclusively(name, work),
    close: () => db.close().finally(andThen),
  };
}

/** A directory that is removed when `work` fails, or in any case when asked. */
async function withScratch<T>(work: (directory: string) => Promise<T>, always = false): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'reprise-db-'));
  try {
    const result = await work(directory);
    if (always) remove(directory);
    return result;
  } catch (error) {
    remove(directory);
    throw error;
  }
}

const remove = (directory: string) => rmSync(directory, { recursive: true, force: true });
