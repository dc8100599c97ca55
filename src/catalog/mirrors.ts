/**
 * The bare mirrors: one for each module, `<appsDir>/<module>.git`, holding every version that was ever added, each under a
 * ref of ours so that git never throws it away. A mirror is only ever added to; killed anywhere, what it had it has.
 */
import { mkdtemp, open, rename, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { BoundedMap } from './bounded-map.js';
import { gitSucceeds, isWhole } from './commits.js';
import { GitFailure, runGit } from './git.js';

export interface Mirrors {
  readonly appsDir: string;
  pathOf(module: string): string;
  /** Takes a commit over from another repository on this disk; mends a mirror that was damaged. */
  pin(module: string, commit: string, from: string): Promise<void>;
  /** Whether all of the commit's files are there. Looked into once, and again when something in the mirror changed. */
  holds(module: string, commit: string): Promise<boolean>;
}

const MINUTE = 60_000;
const pinOf = (commit: string) => `refs/reprise/${commit}`;

export function createMirrors(appsDirectory: string): Mirrors {
  const appsDir = resolve(appsDirectory);
  const pathOf = (module: string) => join(appsDir, `${module}.git`);
  const whole = new BoundedMap<string>(5000);
  const looking = new Map<string, Promise<boolean>>();

  async function look(module: string, commit: string, key: string): Promise<boolean> {
    const mirror = pathOf(module);
    if (!(await isWhole(mirror, commit))) return false;
    await renewPin(mirror, commit);
    const seen = await signatureOf(mirror, commit);
    if (seen !== null) whole.set(key, seen);
    return true;
  }

  return {
    appsDir,
    pathOf,
    pin: (module, commit, from) => pin(pathOf(module), commit, from),
    async holds(module, commit) {
      const key = `${module}@${commit}`;
      const seen = await signatureOf(pathOf(module), commit);
      if (seen === null) return false;
      if (whole.get(key) === seen) return true;
      const begun = looking.get(key) ?? look(module, commit, key).finally(() => looking.delete(key));
      looking.set(key, begun);
      return begun;
    },
  };
}

/** Changes when a pack comes or goes, and when the mirror or the pin does; null where there is no mirror. */
async function signatureOf(mirror: string, commit: string): Promise<string | null> {
  const paths = ['HEAD', 'objects/pack', pinOf(commit)].map((name) => join(mirror, name));
  const [head, packs, ref] = await Promise.all(paths.map(statOf));
  if (!head || !packs) return null;
  return `${packs.ino} ${packs.mtimeNs} ${ref?.mtimeNs ?? 'no pin'}`;
}

const statOf = (path: string) => stat(path, { bigint: true }).catch(() => null);

async function pin(mirror: string, commit: string, from: string): Promise<void> {
  await makeMirror(mirror, commit);
  await removeStaleLock(mirror, commit);
  const options = ['--quiet', '--no-tags', '--no-recurse-submodules', '--no-write-fetch-head'];
  const refspec = `+${commit}:${pinOf(commit)}`;
  const args = [`--git-dir=${mirror}`, 'fetch', ...options, '--', from, refspec];
  const failure = await runGit(args, { transport: 'file', timeoutMs: 10 * MINUTE }).then(
    () => null,
    (error: unknown) => error,
  );
  // git fetches nothing that a ref of the mirror claims to be there, and of two servers one gets the lock of the ref
  if (!(await isWhole(mirror, commit))) await copyObjects(mirror, commit, from);
  if (!(await renewPin(mirror, commit))) throw failure ?? new Error(`the mirror ${mirror} does not take ${commit}`);
}

/** Appears whole: made beside, then renamed. One that lost some of its own files gets them back in place. */
async function makeMirror(mirror: string, commit: string): Promise<void> {
  const init = [
    'init',
    '--quiet',
    '--bare',
    '--template=',
    `--object-format=${commit.length === 64 ? 'sha256' : 'sha1'}`,
  ];
  if ((await statOf(mirror)) !== null) {
    const isRepository = await gitSucceeds([`--git-dir=${mirror}`, 'rev-parse', '--is-bare-repository']);
    if (!isRepository) await runGit([...init, '--', mirror]);
    return;
  }
  const draft = await mkdtemp(join(mirror, '..', '.incoming-mirror-'));
  try {
    await runGit([...init, '--', draft]);
    await rename(draft, mirror).catch((error: NodeJS.ErrnoException) => {
      // another server made it first
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
    await syncDirectory(join(mirror, '..'));
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path);
  await directory.sync().finally(() => directory.close());
}

/** git holds it for milliseconds; one that is older was left by a machine that died. */
async function removeStaleLock(mirror: string, commit: string): Promise<void> {
  const lock = join(mirror, `${pinOf(commit)}.lock`);
  const found = await statOf(lock);
  if (found !== null && Date.now() - Number(found.mtimeMs) > MINUTE) await rm(lock, { force: true });
}

/** A pack with all that the commit needs, whatever the mirror believes to have. */
async function copyObjects(mirror: string, commit: string, from: string): Promise<void> {
  const base = join(mirror, 'objects/pack/pack');
  const args = [`--git-dir=${from}`, 'pack-objects', '--quiet', '--revs', '--end-of-options', base];
  await runGit(args, { input: `${commit}\n`, timeoutMs: 10 * MINUTE });
  if (!(await isWhole(mirror, commit))) throw new GitFailure('exit', `${mirror} still lacks files of ${commit}`);
}

/** True when our ref stands. Someone may have removed it; what it kept is still there. */
async function renewPin(mirror: string, commit: string): Promise<boolean> {
  const git = (...args: string[]) => gitSucceeds([`--git-dir=${mirror}`, ...args]);
  const stands = () => git('show-ref', '--verify', '--quiet', pinOf(commit));
  if (await stands()) return true;
  return (await git('update-ref', pinOf(commit), commit)) || (await stands());
}
