/** The database's directory inside the data directory: there whole, or not there. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { RepriseError } from '../contract/errors.js';
import { createSession } from './embedded-session.js';
import { unpackTemplate } from './embedded-template.js';
import { startThread } from './embedded-thread.js';

/** What our PGlite is made of. A major release of PostgreSQL does not read the files of another. */
export const EMBEDDED_MAJOR = '18';
/** Files whose contents are on their way to the disk at the same time. */
const SYNCED_AT_ONCE = 16;

/**
 * Returns where the database is, made if there is none. It is made beside its place and renamed when it is whole and on
 * the disk: killed before, the next start begins anew; killed after, it is there.
 */
export async function prepareDirectory(dataDir: string, template: string): Promise<string> {
  const place = join(dataDir, 'pg');
  const draft = join(dataDir, 'pg.new');
  rmSync(draft, { recursive: true, force: true });
  if (existsSync(place)) {
    checkMajor(place);
    return place;
  }
  if (!unpackTemplate(draft, template)) await makeDatabase(draft);
  await syncTree(draft);
  renameSync(draft, place);
  await syncPath(dataDir);
  return place;
}

/** The slow way: PostgreSQL's initdb. Afterwards there is one database in it, so that only one's transaction ids age. */
export async function makeDatabase(directory: string): Promise<void> {
  mkdirSync(directory, { mode: 0o700 });
  const thread = await startThread(directory, () => undefined);
  const session = createSession(thread);
  await session.command("update pg_database set datistemplate = false where datname in ('template0', 'template1')");
  // each of its own: neither runs inside a transaction
  for (const name of ['template0', 'template1']) await session.command(`drop database ${name}`);
  await session.close();
}

function checkMajor(place: string): void {
  const file = join(place, 'PG_VERSION');
  const major = existsSync(file) ? readFileSync(file, 'utf8').trim() : null;
  if (major === EMBEDDED_MAJOR) return;
  const what =
    major === null
      ? `${place} is no database directory (it has no PG_VERSION); move it away, or restore it from a backup`
      : `${place} was written by PostgreSQL ${major} and this Reprise has PostgreSQL ${EMBEDDED_MAJOR} built in; ` +
        'start the Reprise that wrote it, `reprise export` there, and `reprise import` into a new data directory here';
  throw new RepriseError('CONFLICT', what);
}

async function syncTree(directory: string): Promise<void> {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  const paths = [directory, ...entries.map((entry) => join(entry.parentPath, entry.name))];
  const next = paths.values();
  const worker = async () => {
    for (const path of next) await syncPath(path);
  };
  await Promise.all(Array.from({ length: SYNCED_AT_ONCE }, worker));
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
