/**
 * A migrated database for a test file, by the code the server uses: the embedded one in a directory of its own, or one on a
 * PostgreSQL 15 server. `openTestDb` opens the one that the run is about (vitest.config.ts); `describe.each(databases)`
 * runs a suite on both in one run.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { inject } from 'vitest';
import type { Db } from '../../src/store/db.js';
import { openEmbeddedDb } from '../../src/store/embedded.js';
import { buildTemplate } from '../../src/store/embedded-build.js';
import { MIGRATIONS, templateFile } from '../../src/store/embedded-template.js';
import { migrate } from '../../src/store/migrate.js';
import { openPostgresDb } from '../../src/store/postgres.js';
import { startPostgres } from './postgres-server.js';

export function openTestDb(): Promise<Db> {
  return inject('database') === 'postgres' ? openSharedPostgres() : openTestEmbedded();
}

/** `close` removes its directory. */
function openTestEmbedded(): Promise<Db> {
  return withScratch(async (dataDir) => {
    if (!existsSync(templateFile())) await withScratch(async (scratch) => buildTemplate(scratch, templateFile()), true);
    const db = await openEmbeddedDb({ dataDir });
    await migrate(db, MIGRATIONS);
    return closing(db, () => remove(dataDir));
  });
}

/** A copy of the migrated database on the server that all files of the run share. */
async function openSharedPostgres(): Promise<Db> {
  const url = new URL(inject('postgresUrl'));
  const name = `test_${randomBytes(6).toString('hex')}`;
  await sql(url.href, `create database ${name} template template_migrated`);
  const db = await openPostgresDb({ url: Object.assign(new URL(url), { pathname: `/${name}` }).href });
  return closing(db, () => sql(url.href, `drop database ${name} with (force)`));
}

async function sql(url: string, text: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(text).finally(() => client.end());
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
  { name: 'embedded', open: openTestEmbedded },
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
