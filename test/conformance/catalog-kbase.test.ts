import { createHash } from 'node:crypto';
import { createKbaseCatalog } from '../../src/catalog/kbase.js';
import { createHttp } from '../../src/kbase/http.js';
import { startKbase } from '../support/kbase-fake.js';
import { catalogConformance } from './catalog.js';

catalogConformance('KBase', false, async () => {
  const kbase = await startKbase();
  const http = createHttp({ timeoutMs: 5000, tries: 3, random: Math.random });
  const versions = kbase.modules.set('demo', []).get('demo') ?? [];
  const full = ['big', 'request_cpus=2', 'request_memory=300MB', 'request_disk=5'];
  kbase.clientGroups.set('demo.full', [full]);
  return {
    catalog: createKbaseCatalog({ http, url: `${kbase.url}/catalog`, now: Date.now }),
    async publish(word) {
      const commit = createHash('sha1').update(word).digest('hex');
      versions.push({ commit, tags: [] });
      return commit;
    },
    async point(tag, commit) {
      for (const version of versions) version.tags.splice(0, 99, ...version.tags.filter((one) => one !== tag));
      versions.find((version) => version.commit === commit)?.tags.push(tag);
    },
    close: () => kbase.stop(),
  };
});
