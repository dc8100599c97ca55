/** One PostgreSQL server for all test files of a run, with a migrated database to make theirs from. */
import type { TestProject } from 'vitest/node';
import { MIGRATIONS } from '../../src/store/embedded-template.js';
import { migrate } from '../../src/store/migrate.js';
import { openPostgresDb } from '../../src/store/postgres.js';
import { startPostgres } from './postgres-server.js';

declare module 'vitest' {
  interface ProvidedContext {
    database: 'embedded' | 'postgres';
    /** Of the shared server's administrative database; its `template_migrated` is to be copied. */
    postgresUrl: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startPostgres();
  await server.sql('create database template_migrated');
  const db = await openPostgresDb({ url: server.url('template_migrated') });
  await migrate(db, MIGRATIONS).finally(() => db.close());
  project.provide('postgresUrl', server.url('postgres'));
  return () => server.close();
}
