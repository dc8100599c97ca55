import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBuiltinCatalog } from '../../src/catalog/builtin.js';
import { openTestDb } from '../support/databases.js';
import { makeGitRepository } from '../support/git-repository.js';
import { catalogConformance } from './catalog.js';

const manifest = (word: string) => ({
  module: 'demo',
  methods: {
    plain: { command: ['true'] },
    full: {
      command: ['true', word],
      timeout: '90s',
      requirements: { cpus: 2, memory_mb: 300, disk_gb: 5, client_group: 'big' },
      env: { WORD: word },
      params_schema: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } },
    },
  },
});

catalogConformance('built in', true, async () => {
  const db = await openTestDb();
  const appsDir = mkdtempSync(join(tmpdir(), 'reprise-catalog-'));
  const catalog = createBuiltinCatalog({ db, appsDir, log: () => {} });
  const repository = makeGitRepository();
  return {
    catalog,
    async publish(word) {
      repository.commit({ 'reprise.json': manifest(word) });
      return (await catalog.addApp({ repository: repository.path }, 'ann')).commit;
    },
    async point(tag, commit) {
      await catalog.moveTag('demo', tag, commit, 'ann');
    },
    async withdraw(commit) {
      await catalog.withdraw(commit, 'demo', 'wrong', 'ann');
    },
    async close() {
      await db.close();
      repository.remove();
      rmSync(appsDir, { recursive: true, force: true });
    },
  };
});
