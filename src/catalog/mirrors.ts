/**
 * The bare mirrors: one for each module, `<appsDir>/<module>.git`, holding every version that was ever added, each under a
 * ref of ours so that git never throws it away. A mirror is only ever added to; killed anywhere, it is as it was before.
 */
import { mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { BoundedMap } from './bounded-map.js';
import { GitFailure, runGit } from './git.js';

export interface Mirrors {
  readonly appsDir: string;
  pathOf(module: string): string;
  /** Takes a commit over from another repository on this disk. */
  pin(module: string, commit: string, from: string): Promise<void>;
  /** Whether all of the commit's files are there. Looked into once, and again when something in the mirror changed. */
  holds(module: string, commit: string): Promise<boolean>;
  /** Whether the repository in `directory` has any of these commits. */
  hasAny(directory: string, commits: readonly string[]): Promise<boolean>;
}

const MINUTE = 60_000;
const pinOf = (commit: string) => `refs/reprise/${commit}`;

export function createMirrors(appsDirectory: string): Mirrors {
  const appsDir = resolve(appsDirectory);
  const pathOf = (module: string) => join(appsDir, `${module}.git`);
  const whole = new BoundedMap<string>(5000);
  const looking = new Map<string, Promise<boolean>>();

  async function look(module: string, commit: string, key: string): Promise<boolean> {
    const seen = await signatureOf(pathOf(module), commit);
    if (seen === null || !(await isWhole(pathOf(module), commit))) return false;
    await repin(pathOf(module), commit);
    whole.set(key, (await signatureOf(pathOf(module), commit)) ?? '');
    return true;
  }

  return {
    appsDir,
    pathOf,
    hasAny,
    pin: (module, commit, from) => pin(pathOf(module), commit, from),
    async holds(module, commit) {
      const key = `${module}@${commit}`;
      const seen = await signatureOf(pathOf(module), commit);
      if (seen !== null && whole.get(key) === seen) return true;
      const begun = looking.get(key) ?? look(module, commit, key).finally(() => looking.delete(key));
      looking.set(key, begun);
      return begun;
    },
  };
}

/** Changes when a pack comes or goes, and when the mirror or the pin does; null where there is no mirror. */
async function signatureOf(mirror: string, commit: string): Promise<string | null> {
  const paths = [join(mirror, 'objects/pack'), join(mirror, pinOf(commit))];
  const [packs, ref] = await Promise.all(paths.map((path) => stat(path, { bigint: true }).catch(() => null)));
  if (packs === null || packs === undefined) return null;
  return `${packs.ino} ${packs.mtimeNs} ${ref?.mtimeNs ?? 'no pin'}`;
}

/** Every tree and blob of the commit, as git itself checks after a fetch. */
async function isWhole(mirror: string, commit: string): Promise<boolean> {
  const args = [`--git-dir=${mirror}`, 'rev-list', '--objects', '--quiet', '--no-walk', '--end-of-options', commit];
  return succeeds(args, 10 * MINUTE);
}

/** False is git's own verdict; that git could not be asked is an error. */
async function succeeds(args: readonly string[], timeoutMs: number): Promise<boolean> {
  try {
    await runGit(args, { timeoutMs });
    return true;
  } catch (error) {
    if (error instanceof GitFailure && error.kind === 'exit') return false;
    throw error;
  }
}

async function pin(mirror: string, commit: string, from: string): Promise<void> {
  await mkdir(join(mirror, '..'), { recursive: true });
  await makeMirror(mirror, commit);
  const options = ['--quiet', '--no-tags', '--no-recurse-submodules', '--no-write-fetch-head'];
  const refspec = `+${commit}:${pinOf(commit)}`;
  const args = [`--git-dir=${mirror}`, 'fetch', ...options, '--', from, refspec];
  try {
    await runGit(args, { transport: 'file', timeoutMs: 10 * MINUTE });
  } catch (error) {
    // another server on the same directory may have pinned it at the same moment: git lets one of two have the lock
    if (!(await isWhole(mirror, commit))) throw error;
    await repin(mirror, commit);
  }
}

/** Appears whole: made beside, then renamed. */
async function makeMirror(mirror: string, commit: string): Promise<void> {
  if ((await stat(join(mirror, 'objects')).catch(() => null)) !== null) return;
  const draft = await mkdtemp(join(mirror, '..', '.incoming-mirror-'));
  try {
    const format = commit.length === 64 ? 'sha256' : 'sha1';
    await runGit(['init', '--quiet', '--bare', '--template=', `--object-format=${format}`, '--', draft]);
    await rename(draft, mirror).catch((error: NodeJS.ErrnoException) => {
      // another server made it first
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** Someone may have removed our ref; what it kept is still there. */
async function repin(mirror: string, commit: string): Promise<void> {
  const show = [`--git-dir=${mirror}`, 'show-ref', '--verify', '--quiet', pinOf(commit)];
  if (await succeeds(show, MINUTE)) return;
  await succeeds([`--git-dir=${mirror}`, 'update-ref', pinOf(commit), commit], MINUTE);
}

async function hasAny(directory: string, commits: readonly string[]): Promise<boolean> {
  const input = commits.map((commit) => `${commit}\n`).join('');
  const answer = await runGit([`--git-dir=${directory}`, 'cat-file', '--batch-check'], { input });
  return answer.split('\n').some((line) => / commit \d+$/.test(line));
}
