/** Tags, withdrawals and the views of apps. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BuiltinCatalog, createBuiltinCatalog } from '../../src/catalog/builtin.js';
import type { Db } from '../../src/store/db.js';
import { openTestDb } from '../support/databases.js';
import { demoManifest, type GitRepository, makeGitRepository } from '../support/git-repository.js';

let db: Db;
let directory: string;
let catalog: BuiltinCatalog;
let repository: GitRepository;
let commits: string[];

beforeAll(async () => {
  db = await openTestDb();
  directory = mkdtempSync(join(tmpdir(), 'reprise-versions-'));
  catalog = createBuiltinCatalog({ db, appsDir: directory, log: () => {} });
  repository = makeGitRepository();
  commits = [];
  for (const word of ['one', 'two', 'three']) {
    commits.push(repository.commit({ 'reprise.json': demoManifest(word) }));
    await catalog.addApp({ repository: repository.path }, 'ann');
  }
});
afterAll(async () => {
  await db.close();
  repository.remove();
  rmSync(directory, { recursive: true, force: true });
});

const said = (promise: Promise<unknown>) =>
  promise.then(
    () => 'done',
    (error: { code?: string; message: string }) => `${error.code}: ${error.message}`,
  );
const at = (index: number) => commits[index] as string;
const versionOf = async (version: string | undefined) => {
  const [answer] = await catalog.resolve([{ method: 'demo.say', version }]);
  return answer?.ok === true ? answer.spec.commit : `${answer?.code}: ${answer?.sentence}`;
};

describe('moving a tag', () => {
  it('takes a commit, or the beginning of one, and keeps who moved it from where', async () => {
    expect(await catalog.moveTag('demo', 'beta', at(0).slice(0, 10), 'ann')).toEqual({
      module: 'demo',
      commit: at(0),
      tag: 'beta',
      moved_from: null,
    });
    expect(await catalog.moveTag('demo', 'beta', at(1).toUpperCase(), 'ben')).toMatchObject({ moved_from: at(0) });
    expect(await catalog.moveTag('demo', 'beta', at(1), 'cleo')).toMatchObject({ moved_from: null });
    const { tags, tag_history: history } = await catalog.showApp('demo');
    expect(tags).toMatchObject([{ tag: 'beta', commit: at(1), moved_by: 'ben' }]);
    expect(history).toMatchObject([
      { tag: 'beta', from_commit: at(0), to_commit: at(1), moved_by: 'ben' },
      { tag: 'beta', from_commit: null, to_commit: at(0), moved_by: 'ann' },
    ]);
    expect(history[0]!.moved_at).toBe(tags[0]!.moved_at);
  });

  it('refuses what is not there, with what to do', async () => {
    expect(await said(catalog.moveTag('nope', 'beta', at(0), 'ann'))).toMatch(/^NOT_FOUND: there is no app 'nope'/);
    expect(await said(catalog.moveTag('demo', 'beta', 'f'.repeat(40), 'ann'))).toBe(
      `VERSION_NOT_FOUND: app demo has no version ${'f'.repeat(40)}; reprise app show demo lists them`,
    );
    for (const commit of ['', 'abc', 'xyzw', 'release', `${at(0)}0`.repeat(2)]) {
      expect(await said(catalog.moveTag('demo', 'beta', commit, 'ann'))).toMatch(/^INVALID_INPUT: .* is not a commit/);
    }
    expect(await said(catalog.moveTag('demo', 'abcdef012', at(0), 'ann'))).toMatch(
      /^INVALID_INPUT: .* cannot be a tag/,
    );
  });
});

describe('a version', () => {
  it('is found by the beginning of its commit, of at least four characters', async () => {
    expect(await versionOf(at(2).slice(0, 7))).toBe(at(2));
    expect(await versionOf(at(2).slice(0, 3))).toMatch(
      /^VERSION_NOT_FOUND: app demo has no tag or commit '.*'; its tags: beta$/,
    );
    expect(await versionOf(undefined)).toBe(
      "VERSION_NOT_FOUND: app demo has no tag or commit 'release'; its tags: beta",
    );
  });

  it('of which the beginning fits two commits is asked for more, and a tag of that name goes first', async () => {
    const many: string[] = [];
    const prefixes = new Map<string, string>();
    let twins: [string, string] | null = null;
    // commits are made until two begin alike, which for four characters is soon
    for (let n = 0; twins === null; n += 1) {
      const tree = repository.git('rev-parse', 'HEAD^{tree}');
      const sha = repository.git('commit-tree', tree, '-m', `${n}`);
      const twin = prefixes.get(sha.slice(0, 4));
      if (twin !== undefined) twins = [twin, sha];
      prefixes.set(sha.slice(0, 4), sha);
      many.push(sha);
    }
    for (const ref of twins) await catalog.addApp({ repository: repository.path, ref }, 'ann');
    const prefix = twins[0].slice(0, 4);
    expect(await versionOf(prefix)).toBe(
      `VERSION_NOT_FOUND: 2 commits of app demo begin with '${prefix}'; give more of the commit`,
    );
    expect(await said(catalog.moveTag('demo', 'beta', prefix, 'ann'))).toMatch(
      new RegExp(`^INVALID_INPUT: ${prefix} begins more than one commit \\(.* of demo, .* of demo\\); give more of it`),
    );
    await catalog.moveTag('demo', prefix, at(0), 'ann');
    expect(await versionOf(prefix)).toBe(at(0));
  }, 120_000);
});

describe('a withdrawal', () => {
  it('keeps the first reason, refuses the version, its tags and adding it again', async () => {
    const bad = repository.commit({ 'reprise.json': demoManifest('bad') });
    await catalog.addApp({ repository: repository.path, tag: 'bad' }, 'ann');
    expect(await catalog.withdraw(bad.slice(0, 12), null, ' wrong results ', 'ben')).toEqual({
      module: 'demo',
      commit: bad,
    });
    expect(await catalog.withdraw(bad, 'demo', 'another reason', 'cleo')).toEqual({ module: 'demo', commit: bad });
    const sentence = `VERSION_WITHDRAWN: version ${bad} of app demo was withdrawn by ben (wrong results); use another version`;
    expect([await versionOf(bad), await versionOf('bad')]).toEqual([sentence, sentence]);
    expect(await said(catalog.addApp({ repository: repository.path, tag: 'release' }, 'ann'))).toBe(sentence);
    expect(await said(catalog.moveTag('demo', 'release', bad, 'ann'))).toBe(sentence);
    const shown = (await catalog.showApp('demo')).versions.find((version) => version.commit === bad);
    expect(shown).toMatchObject({ withdrawn_by: 'ben', withdrawn_reason: 'wrong results', methods: ['say'] });
    expect(await said(catalog.describeMethod('demo.say', bad))).toBe(sentence);
  });

  it('of what is not there is refused, with what to do', async () => {
    expect(await said(catalog.withdraw('f'.repeat(40), null, null, 'ann'))).toMatch(
      /^VERSION_NOT_FOUND: no app has a version f+; /,
    );
    expect(await said(catalog.withdraw(at(0), 'nope', null, 'ann'))).toMatch(
      /^VERSION_NOT_FOUND: app nope has no version/,
    );
    expect(await said(catalog.withdraw('release', null, null, 'ann'))).toMatch(/^INVALID_INPUT: /);
  });
});

describe('the views', () => {
  it('show every app with its tags, and one with all its versions, newest first', async () => {
    const [app, ...more] = await catalog.listApps();
    expect(more).toEqual([]);
    expect(app).toMatchObject({ module: 'demo', repository: repository.path, added_by: 'ann' });
    const { versions } = await catalog.showApp('demo');
    const times = versions.map((version) => version.added_at);
    expect(times).toEqual([...times].sort().reverse());
    expect(await said(catalog.showApp('nope'))).toMatch(/^NOT_FOUND: /);
  });

  it('show a method as a job would get it now', async () => {
    await catalog.moveTag('demo', 'release', at(1), 'ann');
    expect(await catalog.describeMethod('demo.say', undefined)).toEqual({
      method: 'demo.say',
      commit: at(1),
      tag: 'release',
      timeout_ms: 43_200_000,
      requirements: { cpus: 1, memory_mb: 1024, disk_gb: null, client_group: null },
      params_schema: null,
    });
    expect(await said(catalog.describeMethod('demo.nope', undefined))).toMatch(/^UNKNOWN_METHOD: .*it has: say$/);
  });
});
