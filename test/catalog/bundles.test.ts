/** Two servers with a disk each on one database: what one adds, the other has. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type BuiltinCatalog, createBuiltinCatalog } from '../../src/catalog/builtin.js';
import type { Db } from '../../src/store/db.js';
import { openTestDb } from '../support/databases.js';
import { demoManifest, type GitRepository, makeGitRepository, runTestGit } from '../support/git-repository.js';

let db: Db;
let repository: GitRepository;
let module: string;
let disks: string[] = [];
let modules = 0;

beforeAll(async () => {
  db = await openTestDb();
});
afterAll(async () => {
  await db.close();
  for (const disk of disks) rmSync(disk, { recursive: true, force: true });
});
beforeEach(() => {
  modules += 1;
  module = `demo${modules}`;
  repository = makeGitRepository();
  disks.push(repository.path);
});

interface Machine extends BuiltinCatalog {
  readonly appsDir: string;
}

function machine(shared = true): Machine {
  const appsDir = mkdtempSync(join(tmpdir(), 'reprise-machine-'));
  disks = [...disks, appsDir];
  return { ...createBuiltinCatalog({ db, appsDir, shared, log: () => {} }), appsDir };
}

const version = (word: string) => repository.commit({ 'reprise.json': demoManifest(word, module), code: word });
const add = (at: Machine, ref = 'HEAD') => at.addApp({ repository: repository.path, ref, tag: 'release' }, 'ann');
const resolve = async (at: Machine, commit: string) =>
  (await at.resolve([{ method: `${module}.say`, version: commit }]))[0];
const fileAt = (at: Machine, commit: string) => runTestGit(join(at.appsDir, `${module}.git`), 'show', `${commit}:code`);

describe('an app version that another machine has added', () => {
  it('is found, and its files are brought, although the repository has vanished', async () => {
    const [here, there] = [machine(), machine()];
    const commit = version('one');
    await add(here);
    repository.remove();
    expect(await resolve(there, commit)).toMatchObject({ ok: true, spec: { commit } });
    expect(fileAt(there, commit)).toBe('one');
  });

  it('is brought for a job that was submitted elsewhere, before it is carried out', async () => {
    const [here, there] = [machine(), machine()];
    const commit = version('one');
    await add(here);
    const [execution] = await there.executions([{ method: `${module}.say`, commit }]);
    expect(execution?.repository).toBe(join(there.appsDir, `${module}.git`));
    expect(fileAt(there, commit)).toBe('one');
  });

  it('costs the database only what the versions before it do not have', async () => {
    const [here, there, third] = [machine(), machine(), machine()];
    const commits = [version('one')];
    await add(here);
    expect(await resolve(there, commits[0]!)).toMatchObject({ ok: true });
    for (const word of ['two', 'three']) {
      commits.push(version(word));
      await add(word === 'two' ? there : here);
    }
    for (const at of [here, there, third]) {
      for (const [index, commit] of commits.entries()) {
        expect(await resolve(at, commit)).toMatchObject({ ok: true });
        expect(fileAt(at, commit)).toBe(['one', 'two', 'three'][index]);
      }
    }
  });

  it('needs no bundle of its own when it is older than one that has it in its history', async () => {
    const [here, there] = [machine(), machine()];
    const old = version('old');
    version('new');
    await add(here);
    await add(here, old);
    expect(await resolve(there, old)).toMatchObject({ ok: true, spec: { commit: old } });
    expect(fileAt(there, old)).toBe('old');
  });

  it('is kept at the next start when it was added before the database was shared, or by a server that was killed', async () => {
    const here = machine(false);
    const commit = version('one');
    await add(here);
    const there = machine();
    expect(await resolve(there, commit)).toMatchObject({ ok: false, code: 'VERSION_WITHDRAWN' });
    const again = { ...createBuiltinCatalog({ db, appsDir: here.appsDir, shared: true, log: () => {} }) };
    await again.keepMissingBundles();
    expect(await resolve(there, commit)).toMatchObject({ ok: true });
  });

  it('comes back to a machine whose mirror lost it', async () => {
    const here = machine();
    const commit = version('one');
    await add(here);
    rmSync(join(here.appsDir, `${module}.git`), { recursive: true });
    repository.remove();
    expect(await resolve(here, commit)).toMatchObject({ ok: true });
    expect(fileAt(here, commit)).toBe('one');
  });

  it('is larger than one part, and comes whole', async () => {
    const [here, there] = [machine(), machine()];
    const large = randomBytes(5 * 1024 * 1024).toString('hex');
    const commit = repository.commit({ 'reprise.json': demoManifest('large', module), code: large });
    await add(here);
    expect(await resolve(there, commit)).toMatchObject({ ok: true });
    const size = runTestGit(join(there.appsDir, `${module}.git`), 'cat-file', '-s', `${commit}:code`);
    expect(Number(size)).toBe(large.length);
  });
});
