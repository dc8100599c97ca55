/** What is left when git or the machine dies at any step, or when files of a mirror are lost. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type BuiltinCatalog, createBuiltinCatalog } from '../../src/catalog/builtin.js';
import { runGit } from '../../src/catalog/git.js';
import type { Db } from '../../src/store/db.js';
import { openTestDb } from '../support/databases.js';
import { demoManifest, type GitRepository, makeGitRepository, runTestGit } from '../support/git-repository.js';

let db: Db;
let directory: string;
let appsDir: string;
let catalog: BuiltinCatalog;
let modules = 0;
let module: string;
let mirror: string;
let repository: GitRepository;

beforeAll(async () => {
  db = await openTestDb();
});
afterAll(() => db.close());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'reprise-damage-'));
  appsDir = join(directory, 'apps');
  module = `damaged${modules}`;
  mirror = join(appsDir, `${module}.git`);
  modules += 1;
  catalog = createBuiltinCatalog({ db, appsDir, log: () => {} });
  repository = makeGitRepository();
});
afterEach(() => {
  repository.remove();
  rmSync(directory, { recursive: true, force: true });
});

const commit = (word: string) =>
  repository.commit({ 'reprise.json': demoManifest(word, module), [`${word}.txt`]: word.repeat(100) });
const add = (ref = 'HEAD') => catalog.addApp({ repository: repository.path, ref, tag: 'release' }, 'ann');
const look = async (version: string) => {
  const [answer] = await catalog.resolve([{ method: `${module}.say`, version }]);
  return answer?.ok === true ? answer.spec.commit : `${answer?.code}: ${answer?.sentence}`;
};
const git = (...args: string[]) => runTestGit(mirror, ...args);
const packs = () => readdirSync(join(mirror, 'objects/pack')).map((name) => join(mirror, 'objects/pack', name));

describe('a mirror that was damaged', () => {
  const remove = (paths: readonly string[]) => {
    for (const path of paths) rmSync(path, { recursive: true });
  };
  const damages: Record<string, () => void> = {
    'is gone': () => remove([mirror]),
    'has lost its packs': () => remove(packs()),
    'has lost its objects': () => remove([join(mirror, 'objects')]),
    'has lost its HEAD and config': () => remove([join(mirror, 'HEAD'), join(mirror, 'config')]),
    'is empty': () => remove(readdirSync(mirror).map((name) => join(mirror, name))),
  };

  it.each(Object.keys(damages))(
    'because it %s refuses its versions up front, and adding again mends it',
    async (name) => {
      const first = commit('first');
      await add();
      const second = commit('second');
      await add();
      expect([await look(first), await look(second)]).toEqual([first, second]);
      damages[name]!();
      const gone = `VERSION_WITHDRAWN: version ${first} of app ${module} is gone from the server's disk; bring it back with: reprise app add ${repository.path} --ref ${first}`;
      expect(await look(first)).toBe(gone);
      await add(first);
      await add(second);
      expect([await look(first), await look(second)]).toEqual([first, second]);
      git('fsck', '--connectivity-only');
      const checkout = join(directory, 'checkout');
      mkdirSync(checkout);
      runTestGit(checkout, `--git-dir=${mirror}`, `--work-tree=${checkout}`, 'checkout', '-q', '--detach', first);
      expect(existsSync(join(checkout, 'first.txt'))).toBe(true);
    },
  );

  it('because one file is missing is noticed by a server that starts, although the commit itself is there', async () => {
    const sha = commit('first');
    await add();
    const pack = packs().find((path) => path.endsWith('.pack'))!;
    const moved = join(directory, 'moved.pack');
    writeFileSync(moved, readFileSync(pack));
    for (const path of packs()) rmSync(path);
    execFileSync('git', [`--git-dir=${mirror}`, 'unpack-objects', '-q'], { input: readFileSync(moved) });
    const blob = git('rev-parse', `${sha}:first.txt`);
    rmSync(join(mirror, 'objects', blob.slice(0, 2), blob.slice(2)));
    catalog = createBuiltinCatalog({ db, appsDir, log: () => {} });
    expect(git('cat-file', '-t', sha)).toBe('commit');
    expect(await look(sha)).toMatch(/^VERSION_WITHDRAWN: .* is gone from the server's disk/);
    await add();
    expect(await look(sha)).toBe(sha);
  });

  it('because someone removed our refs keeps the versions through a garbage collection', async () => {
    const sha = commit('first');
    await add();
    git('update-ref', '-d', `refs/reprise/${sha}`);
    expect(await look(sha)).toBe(sha);
    git('gc', '-q', '--prune=now');
    git('pack-refs', '--all');
    expect(await look(sha)).toBe(sha);
  });
});

describe('what a machine that died left behind', () => {
  it('does not stand in the way: half fetches, half mirrors, locks', async () => {
    const first = commit('first');
    await add();
    const second = commit('second');
    const old = new Date(Date.now() - 3 * 3_600_000);
    for (const name of ['.incoming-abc', '.incoming-mirror-abc']) {
      mkdirSync(join(appsDir, name));
      writeFileSync(join(appsDir, name, 'HEAD'), 'ref: ');
      utimesSync(join(appsDir, name), old, old);
    }
    mkdirSync(join(appsDir, '.incoming-live'));
    const lock = join(mirror, `refs/reprise/${second}.lock`);
    writeFileSync(lock, '');
    utimesSync(lock, old, old);
    writeFileSync(join(mirror, 'objects/pack/tmp_pack_x'), 'PACK');
    expect((await add()).commit).toBe(second);
    expect([await look(first), await look(second)]).toEqual([first, second]);
    expect(readdirSync(appsDir).sort()).toEqual(['.incoming-live', `${module}.git`]);
    expect(existsSync(lock)).toBe(false);
    expect(git('show-ref', '--verify', '--hash', `refs/reprise/${second}`)).toBe(second);
  });

  it('after git was killed at any of its steps is the old state, and adding again works', async () => {
    const first = commit('first');
    await add();
    const bin = join(directory, 'bin');
    mkdirSync(bin);
    const [count, fatal] = [join(directory, 'count'), join(directory, 'fatal')];
    const real = process.env
      .PATH!.split(delimiter)
      .map((path) => join(path, 'git'))
      .find(existsSync);
    writeFileSync(
      join(bin, 'git'),
      `#!/bin/sh
n=$(($(cat ${count}) + 1)); echo $n > ${count}
[ $n -ne $(cat ${fatal}) ] && exec ${real} "$@"
${real} "$@" & pid=$!
[ $((n % 2)) -eq 0 ] && sleep 0.005
kill -9 $pid; wait $pid; exit 137
`,
    );
    chmodSync(join(bin, 'git'), 0o755);
    let steps = 0;
    for (let done = false; !done; steps += 1) {
      const next = commit(`next${steps}`);
      writeFileSync(count, '0');
      writeFileSync(fatal, `${steps + 1}`);
      const outcome = await withPath(`${bin}${delimiter}${process.env.PATH}`, () =>
        add().then(
          (added) => added.commit,
          () => null,
        ),
      );
      done = Number(readFileSync(count, 'utf8')) <= steps;
      const { versions } = await catalog.showApp(module);
      if (outcome === null) expect(versions.map((version) => version.commit)).not.toContain(next);
      for (const { commit: known } of versions) expect(await look(known)).toBe(known);
      expect((await add()).commit).toBe(next);
      expect([await look(first), await look('release')]).toEqual([first, next]);
    }
    expect(steps).toBeGreaterThan(8);
    expect(readdirSync(appsDir)).toEqual([`${module}.git`]);
  }, 240_000);
});

describe('a git that never answers', () => {
  it('is ended with all that it started', async () => {
    const bin = join(directory, 'bin');
    const pids = join(directory, 'pids');
    mkdirSync(bin);
    writeFileSync(join(bin, 'git'), `#!/bin/sh\nsleep 300 & echo $! > ${pids}\nwait\n`);
    chmodSync(join(bin, 'git'), 0o755);
    await withPath(`${bin}${delimiter}${process.env.PATH}`, () =>
      expect(runGit(['x'], { timeoutMs: 3_000 })).rejects.toMatchObject({ kind: 'timeout' }),
    );
    const pid = readFileSync(pids, 'utf8').trim();
    await expect.poll(() => stateOf(pid)).toMatch(/^(gone|Z)$/);
  });

  it('or answers without end is ended at the bound, and one that is not there is named', async () => {
    const bin = join(directory, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'git'), '#!/bin/sh\nexec yes\n');
    chmodSync(join(bin, 'git'), 0o755);
    await withPath(`${bin}${delimiter}${process.env.PATH}`, () =>
      expect(runGit(['x'], { maxBytes: 100_000 })).rejects.toMatchObject({ kind: 'too-much' }),
    );
    await withPath(directory, () => expect(runGit(['x'])).rejects.toMatchObject({ kind: 'not-started' }));
  });
});

async function withPath<T>(path: string, work: () => Promise<T>): Promise<T> {
  const before = process.env.PATH;
  process.env.PATH = path;
  try {
    return await work();
  } finally {
    process.env.PATH = before;
  }
}

function stateOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.slice(0, 1);
  } catch {
    return 'gone';
  }
}
