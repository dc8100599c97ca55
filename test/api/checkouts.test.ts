/** The files of an app, asked for by runners: who gets them, and what of. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Listening, listen } from '../../src/api/listen.js';
import { createArchives } from '../../src/catalog/archives.js';
import { WORKER_CHECKOUTS_PATH } from '../../src/contract/worker-paths.js';
import { createDownloads } from '../../src/runner/downloads.js';
import type { Db } from '../../src/store/db.js';
import { type BareMirror, makeBareMirror } from '../support/bare-mirror.js';
import { openTestDb } from '../support/databases.js';
import { type Ee2App, openEe2 } from '../support/ee2-app.js';
import { alice, COMMIT, idsOf, submitJobs } from '../support/engine.js';
import { removeTree } from '../support/remove-tree.js';

const root = mkdtempSync(join(tmpdir(), 'reprise-checkouts-'));
let db: Db;
let ee2: Ee2App;
let listening: Listening;
let mirror: BareMirror;
let asked: string[];
let token: string;
let jobId: string;
beforeAll(async () => {
  db = await openTestDb();
  mirror = makeBareMirror({ 'a.txt': 'a\n' });
  ee2 = openEe2(db);
  asked = [];
  ee2.h.catalog.archive = async ({ method, commit }) => {
    asked.push(`${method}@${commit}`);
    return createArchives().open(mirror.path, mirror.commit);
  };
  listening = await listen(ee2.app, { host: '127.0.0.1', port: 0 });
  jobId = idsOf(await submitJobs(ee2.h, 1))[0] as string;
  await ee2.h.dispatcher.runOnce();
  token = [...ee2.h.scheduler.given.values()].find((one) => one.jobId === jobId)?.token as string;
});
afterAll(async () => {
  await listening.close();
  await db.close();
  mirror.remove();
  removeTree(root);
});

const get = (as: string, commit = COMMIT) =>
  fetch(`${listening.url}${WORKER_CHECKOUTS_PATH}/${commit}`, { headers: { authorization: `Bearer ${as}` } });
const codeOf = async (answer: Response) => [
  answer.status,
  ((await answer.json()) as { error: { code: string } }).error.code,
];

it('come as tar for the token of an open dispatch of that commit, and as a checkout on the other side', async () => {
  const downloads = createDownloads({ directory: root, url: listening.url, token, log: () => {} });
  expect(readFileSync(join(await downloads.get('', COMMIT), 'a.txt'), 'utf8')).toBe('a\n');
  expect(asked).toEqual([`demo.run@${COMMIT}`]);
  const answer = await get(token);
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/x-tar']);
  expect((await answer.arrayBuffer()).byteLength).toBeGreaterThan(1000);
});

it('come for nobody else, and of no other commit', async () => {
  expect(await codeOf(await get('rpd_x'))).toEqual([401, 'UNAUTHENTICATED']);
  expect(await codeOf(await get('alice'))).toEqual([401, 'UNAUTHENTICATED']);
  expect(await codeOf(await get(token, 'b'.repeat(40)))).toEqual([403, 'FORBIDDEN']);
  expect(await codeOf(await get(token, '..%2f..'))).toEqual([403, 'FORBIDDEN']);
});

it('come no more when the dispatch is closed', async () => {
  await ee2.h.engine.cancel(alice, [jobId], null);
  await ee2.h.engine.report([{ token, gone: true }]);
  expect(await codeOf(await get(token))).toEqual([401, 'UNAUTHENTICATED']);
});
