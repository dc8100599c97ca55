/** What commands do with a record themselves, without a server. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RepriseError } from './contract/errors.js';
import { type Db, DbError } from './store/db.js';
import { openEmbeddedDb } from './store/embedded.js';
import { findMissingMigration, migrate } from './store/migrate.js';
import { openPostgresDb } from './store/postgres.js';

export { examineFor } from './maintenance/doctor.js';
export { checkExport, exportRecord, importRecord } from './maintenance/transfer.js';
export type { Db };

const MIGRATIONS = fileURLToPath(new URL('../migrations', import.meta.url));

export interface RecordPlace {
  readonly dataDir: string;
  readonly databaseUrl: string | undefined;
}

/**
 * A transaction on it sees one state throughout. Throws DATA_DIR_IN_USE where a server has the directory, and sentences where
 * there is no record of this release.
 */
export async function openRecord({ dataDir, databaseUrl }: RecordPlace): Promise<Db> {
  if (databaseUrl === undefined && !existsSync(join(dataDir, 'pg'))) throw noRecord(dataDir);
  const db = await openDatabase({ dataDir, databaseUrl });
  try {
    const missing = await findMissingMigration(db, MIGRATIONS);
    if (missing === null) return db;
    throw new RepriseError(
      'CONFLICT',
      `the record is of an older release (${missing} is missing); start its server once`,
    );
  } catch (error) {
    await db.close();
    throw error instanceof DbError && error.sqlState === '42P01' ? noRecord('this database') : error;
  }
}

/** Made, with its schema, if it is missing. */
export async function openOrMakeRecord(place: RecordPlace): Promise<Db> {
  mkdirSync(place.dataDir, { recursive: true, mode: 0o700 });
  const db = await openDatabase(place);
  try {
    await migrate(db, MIGRATIONS);
    return db;
  } catch (error) {
    await db.close();
    throw error;
  }
}

function openDatabase({ dataDir, databaseUrl: url }: RecordPlace): Promise<Db> {
  return url === undefined ? openEmbeddedDb({ dataDir }) : openPostgresDb({ url, seesOneState: true });
}

function noRecord(where: string): RepriseError {
  return new RepriseError(
    'NOT_FOUND',
    `there is no record in ${where}; name another with --data-dir or --database-url`,
  );
}
