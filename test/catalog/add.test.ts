/** Adding versions from real repositories. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type BuiltinCatalog, createBuiltinCatalog } from '../../src/catalog/builtin.js';
import type { Db } from '../../src/store/db.js';
import { openTestDb } from '../support/databases.js';
import { demoManifest, type GitRepository, makeGitRepository, runTestGit } from '../support/git-repository.js';

let db: Db;
let directory: string;
let appsDir: string;
let catalog: BuiltinCatalog;
let modules = 0;
/** A module of its own for each test. */
let module: string;
let repository: GitRepository;

beforeAll(async () => {
  db = await openTestDb();
});
afterAll(() => db.close());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'reprise-add-'));
  appsDir = join(directory, 'apps');
  catalog = createBuiltinCatalog({ db, appsDir, log: () => {} });
  modules += 1;
  module = `app${modules}`;
  repository = makeGitRepository();
});
afterEach(() => {
  repository.remove();
  rmSync(directory, { recursive: true, force: true });
});

const commit = (word: string) => repository.commit({ 'reprise.json': demoManifest(word, module) });
const add = (ref?: string, tag?: string, from = repository.path) =>
  catalog.addApp({ repository: from, ...(ref !== undefined && { ref }), ...(tag !== undefined && { tag }) }, 'ann');
const said = (promise: Promise<unknown>) =>
  promise.then(
    () => 'done',
    (error: { code?: string; message: string }) => `${error.code}: ${error.message}`,
  );
const tagHistory = async () =>
  (await catalog.showApp(module)).tag_history.map((move) => [move.from_commit, move.to_commit]);
const versionOf = async (version: string) => {
  const [answer] = await catalog.resolve([{ method: `${module}.say`, version }]);
  return answer?.ok === true ? answer.spec.commit : answer?.code;
};

describe('adding a version', () => {
  it('takes HEAD, a branch, a tag, an annotated tag, a full name, a commit or the beginning of one', async () => {
    const first = commit('first');
    repository.git('tag', 'light');
    repository.git('tag', '-a', 'heavy', '-m', 'annotated');
    const second = commit('second');
    repository.git('branch', 'side');
    const third = commit('third');
    const taken: [string | undefined, string][] = [
      [undefined, third],
      ['HEAD', third],
      ['main', third],
      ['side', second],
      ['refs/heads/side', second],
      ['light', first],
      ['heavy', first],
      ['refs/tags/heavy', first],
      [second, second],
      [second.slice(0, 10), second],
    ];
    for (const [ref, expected] of taken) {
      expect(await add(ref)).toEqual({ module, commit: expected, tag: null, moved_from: null });
    }
    expect((await catalog.showApp(module)).versions).toHaveLength(3);
  });

  it('takes a commit that no branch has any more', async () => {
    commit('kept');
    const lost = commit('lost');
    repository.git('reset', '-q', '--hard', 'HEAD~1');
    expect(await add(lost)).toMatchObject({ commit: lost });
  });

  it('refuses a name that is a branch and a tag, and takes it where both are the same', async () => {
    commit('first');
    repository.git('tag', 'both');
    repository.git('branch', 'both');
    expect(await add('both')).toMatchObject({ module });
    commit('second');
    repository.git('branch', '-f', 'both', 'main');
    expect(await said(add('both'))).toBe(
      "INVALID_INPUT: 'both' is a branch and a tag; name refs/heads/both or refs/tags/both",
    );
  });

  it.each([
    'nope',
    'HEAD~1',
    'main^',
    'main@{1}',
    '-x',
    '--upload-pack=x',
    'a..b',
    'a b',
    'refs/heads/nope',
    'dead',
    'f'.repeat(40),
  ])('refuses the ref %j, and says what there is', async (ref) => {
    commit('only');
    repository.git('branch', 'side');
    expect(await said(add(ref))).toMatch(/^REPOSITORY_UNREADABLE: .*it has: main, side$/);
    expect(await said(catalog.showApp(module))).toMatch(/^NOT_FOUND: /);
    expect(readdirSync(appsDir)).toEqual([]);
  });

  it('refuses an empty repository, and one without a default branch, with what to do', async () => {
    expect(await said(add())).toMatch(/it has no default branch with a commit; it is empty: commit something first$/);
    commit('only');
    repository.git('symbolic-ref', 'HEAD', 'refs/heads/gone');
    expect(await said(add())).toMatch(/it has no default branch with a commit; it has: main$/);
    expect(await add('main')).toMatchObject({ module });
  });

  it('refuses a repository without a manifest, with a wrong one, or with a link in its place', async () => {
    repository.commit({ 'README.md': 'x' });
    expect(await said(add())).toMatch(
      /there is no reprise\.json at its root at commit [0-9a-f]{12}; add one and commit it$/,
    );
    repository.commit({ 'reprise.json': '{"module": 5}' });
    expect(await said(add())).toMatch(
      /^REPOSITORY_UNREADABLE: reprise\.json of .* at commit [0-9a-f]{12} is not a manifest: /,
    );
    repository.commit({ 'reprise.json': `{"x": "${'x'.repeat(1024 * 1024)}"}` });
    expect(await said(add())).toMatch(/reprise\.json has more than 1 MB/);
    rmSync(join(repository.path, 'reprise.json'));
    symlinkSync('/etc/passwd', join(repository.path, 'reprise.json'));
    repository.commit({});
    expect(await said(add())).toMatch(/reprise\.json is not a plain file/);
    expect(readdirSync(appsDir)).toEqual([]);
  });

  it('refuses a path that is nothing, a file, or no repository', async () => {
    writeFileSync(join(directory, 'file'), '');
    const paths: [string, RegExp][] = [
      [join(directory, 'nothing'), /there is nothing at that path on the server/],
      [join(directory, 'file'), /it is a file, not a repository/],
      [directory, /it is not a git repository; give the directory that holds \.git, or a bare one/],
    ];
    for (const [path, sentence] of paths) expect(await said(add(undefined, undefined, path))).toMatch(sentence);
  });

  it.runIf(process.getuid?.() === 0)(
    'of a repository that belongs to another user says so and what to do',
    async () => {
      commit('theirs');
      runTestGit(repository.path, 'config', 'core.sharedRepository', 'false');
      execFileSync('chown', ['-R', '12345', repository.path]);
      expect(await said(add())).toMatch(
        /it belongs to another user than the server's.*change its owner, or give its address with ssh or https$/,
      );
    },
  );

  it('of a shallow clone says what to do', async () => {
    commit('first');
    commit('second');
    const shallow = join(directory, 'shallow');
    runTestGit(directory, 'clone', '-q', '--depth=1', `file://${repository.path}`, shallow);
    expect(await said(add(undefined, undefined, shallow))).toMatch(
      /it is a shallow clone; run git fetch --unshallow there/,
    );
  });

  it('of a host that does not answer says so soon', async () => {
    expect(await said(add(undefined, undefined, 'https://127.0.0.1:1/x.git'))).toMatch(
      /^REPOSITORY_UNREADABLE: the repository https:\/\/127\.0\.0\.1:1\/x\.git cannot be read: git says: .*127\.0\.0\.1/,
    );
  });

  it('of a large and of a sha256 repository works too', async () => {
    const big = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`data/${n}.txt`, `${n}\n`.repeat(200)]));
    const first = repository.commit({ ...big, 'reprise.json': demoManifest('big', module) });
    expect(await add()).toMatchObject({ commit: first });
    const modern = makeGitRepository('--object-format=sha256');
    try {
      const long = modern.commit({ 'reprise.json': demoManifest('x', `${module}x`) });
      expect(await add(undefined, 'release', modern.path)).toMatchObject({ commit: long });
      expect(long).toHaveLength(64);
      const [answer] = await catalog.resolve([{ method: `${module}x.say`, version: undefined }]);
      expect(answer).toMatchObject({ ok: true, spec: { commit: long } });
    } finally {
      modern.remove();
    }
  });

  it('over ssh asks the program ssh for the path that was given', async () => {
    const sha = commit('remote');
    const bin = join(directory, 'bin');
    mkdirSync(bin);
    // stands for the far side: runs what it was asked to run here
    writeFileSync(
      join(bin, 'ssh'),
      `#!/bin/sh\necho "$@" >> ${directory}/ssh.log\nfor last; do :; done\nexec sh -c "$last"\n`,
    );
    chmodSync(join(bin, 'ssh'), 0o755);
    const before = process.env.PATH;
    process.env.PATH = `${bin}:${before}`;
    try {
      const address = `git@example.org:${repository.path}`;
      expect(await add(undefined, 'release', address)).toMatchObject({ commit: sha });
      expect((await catalog.showApp(module)).repository).toBe(address);
    } finally {
      process.env.PATH = before;
    }
    expect(readFileSync(join(directory, 'ssh.log'), 'utf8')).toMatch(
      /BatchMode=yes .*git@example\.org git-upload-pack/,
    );
  });

  it('runs no hook and obeys no setting that a repository, a user or the environment brings', async () => {
    const flag = join(directory, 'owned');
    const sha = commit('trap');
    for (const hook of ['post-checkout', 'reference-transaction', 'post-update', 'pre-auto-gc']) {
      const path = join(repository.path, '.git/hooks', hook);
      mkdirSync(join(path, '..'), { recursive: true });
      writeFileSync(path, `#!/bin/sh\ntouch ${flag}\n`);
      chmodSync(path, 0o755);
    }
    repository.git('config', 'uploadpack.packObjectsHook', `touch ${flag}; exec`);
    repository.git('config', 'core.fsmonitor', `touch ${flag}`);
    repository.git('config', 'core.sshCommand', `touch ${flag}`);
    const home = join(directory, 'home');
    mkdirSync(home);
    writeFileSync(join(home, '.gitconfig'), `[url "ext::touch ${flag}"]\n  insteadOf = ${repository.path}\n`);
    const before = { ...process.env };
    Object.assign(process.env, {
      HOME: home,
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: `url.ext::touch ${flag}.insteadOf`,
      GIT_CONFIG_VALUE_0: repository.path,
      GIT_DIR: '/nonexistent',
      GIT_OBJECT_DIRECTORY: '/nonexistent',
    });
    try {
      expect(await add()).toMatchObject({ commit: sha });
    } finally {
      for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
      Object.assign(process.env, before);
    }
    expect(existsSync(flag)).toBe(false);
  });
});

describe('a tag', () => {
  it('is moved by adding again; every move is kept, and moving to the same commit is none', async () => {
    const first = commit('first');
    expect(await add(undefined, 'release')).toEqual({ module, commit: first, tag: 'release', moved_from: null });
    expect(await add(undefined, 'release')).toEqual({ module, commit: first, tag: 'release', moved_from: null });
    const second = commit('second');
    expect(await add(undefined, 'release')).toEqual({ module, commit: second, tag: 'release', moved_from: first });
    expect(await tagHistory()).toEqual([
      [first, second],
      [null, first],
    ]);
    expect(await versionOf('release')).toBe(second);
  });

  it.each(['', 'a b', '-x', '../x', 'x'.repeat(101), 'abcdef1', 'f'.repeat(40), 'a\n', '*'])(
    'cannot be called %j',
    async (tag) => {
      commit('x');
      expect(await said(add(undefined, tag))).toMatch(/^INVALID_INPUT: .* cannot be a tag: /);
      expect(existsSync(join(appsDir, `${module}.git`))).toBe(false);
    },
  );
});

describe('the name of a module', () => {
  it('belongs to one repository; another one is refused with both addresses', async () => {
    commit('mine');
    await add();
    const other = makeGitRepository();
    try {
      other.commit({ 'reprise.json': demoManifest('other', module) });
      const answer = await said(add(undefined, 'release', other.path));
      expect(answer).toMatch(/^CONFLICT: /);
      expect(answer).toContain(
        `app ${module} comes from ${repository.path}, and ${other.path} has none of its versions`,
      );
      expect(await catalog.showApp(module)).toMatchObject({ repository: repository.path, tags: [] });
    } finally {
      other.remove();
    }
  });

  it('follows a repository that has moved: one that holds a version of it', async () => {
    const first = commit('first');
    await add(undefined, 'release');
    const moved = join(directory, 'moved');
    runTestGit(directory, 'clone', '-q', repository.path, moved);
    const second = commit('second');
    runTestGit(moved, 'pull', '-q', 'origin', 'main');
    repository.remove();
    expect(await add(undefined, 'release', moved)).toMatchObject({ commit: second, moved_from: first });
    expect((await catalog.showApp(module)).repository).toBe(moved);
    expect([await versionOf(first), await versionOf('release')]).toEqual([first, second]);
  });
});

describe('many at once', () => {
  it('twenty adds of one commit by two servers make one version and one move', async () => {
    const sha = commit('one');
    const second = createBuiltinCatalog({ db, appsDir, log: () => {} });
    const request = { repository: repository.path, tag: 'release' };
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? catalog : second).addApp(request, `user${n}`)),
    );
    expect(answers.map((answer) => answer.commit)).toEqual(answers.map(() => sha));
    expect((await catalog.showApp(module)).versions).toHaveLength(1);
    expect(await tagHistory()).toEqual([[null, sha]]);
    expect(readdirSync(appsDir)).toEqual([`${module}.git`]);
  });

  it('moves of one tag by two servers leave a history without a fork', async () => {
    const commits = Array.from({ length: 6 }, (_, n) => commit(`v${n}`));
    for (const ref of commits) await add(ref);
    const second = createBuiltinCatalog({ db, appsDir, log: () => {} });
    await Promise.all(
      Array.from({ length: 30 }, (_, n) =>
        (n % 2 === 0 ? catalog : second).moveTag(module, 'release', commits[(n * 7) % 6]!, `user${n}`),
      ),
    );
    const history = (await tagHistory()).reverse();
    expect(history.map(([from]) => from)).toEqual([null, ...history.slice(0, -1).map(([, to]) => to)]);
    expect(await versionOf('release')).toBe(history.at(-1)![1]);
    for (const [from, to] of history) expect(from).not.toBe(to);
  });
});
