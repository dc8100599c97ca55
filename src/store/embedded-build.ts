/** Makes the template of embedded-template.ts; done at build time. */
import { join } from 'node:path';
import { openEmbeddedDb } from './embedded.js';
import { MIGRATIONS, packTemplate } from './embedded-template.js';
import { migrate } from './migrate.js';

/** `scratch` is an empty directory that the caller removes. */
export async function buildTemplate(scratch: string, file: string): Promise<void> {
  const db = await openEmbeddedDb({ dataDir: scratch });
  try {
    await migrate(db, MIGRATIONS);
  } finally {
    await db.close();
  }
  packTemplate(join(scratch, 'pg'), file);
}
