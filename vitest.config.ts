import { defineConfig } from 'vitest/config';

/** What stands on the seam of the store runs on each database, by name. */
const ON_EACH_DATABASE = [
  'test/engine/**/*.test.ts',
  'test/maintenance/**/*.test.ts',
  'test/store/{transitions,concurrency}.test.ts',
  'test/api/ee2/workers.test.ts',
];

export default defineConfig({
  test: {
    // longer than `until` waits, which says for what
    testTimeout: 180_000,
    hookTimeout: 300_000,
    pool: 'forks',
    maxWorkers: 2,
    // only those wait side by side that wait for Slurm's own times
    maxConcurrency: 20,
    projects: [
      {
        extends: true,
        test: { name: 'embedded', include: ON_EACH_DATABASE, provide: { database: 'embedded' } },
      },
      {
        extends: true,
        test: {
          name: 'PostgreSQL 15',
          include: ON_EACH_DATABASE,
          globalSetup: 'test/support/shared-postgres.ts',
          provide: { database: 'postgres' },
        },
      },
      {
        extends: true,
        test: {
          name: 'reprise',
          include: ['test/**/*.test.ts'],
          exclude: ON_EACH_DATABASE,
          provide: { database: 'embedded' },
        },
      },
    ],
  },
});
