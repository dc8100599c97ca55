/**
 * Checkouts of commits from bare mirrors: one per commit, read-only, however many want it at once. Made beside its place
 * and renamed into it, so that what stands there is whole; killed while making it, the draft is swept away later.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { statSync, utimesSync } from 'node:fs';
import { chmod, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const COMMIT = /^[0-9a-f]{40}([0-9a-f]{24})?$/;
const DRAFT = 'draft-';
const TOUCH_MS = 24 * 3600 * 1000;
const GIT_TIMEOUT_MS = 10 * 60_000;

export interface Checkouts {
  /** The path of the checkout. Rejects with a sentence if it cannot be made. */
  get(repository: string, commit: string): Promise<string>;
  /** Removes drafts of a killed host, and checkouts that nobody used for `unusedMs`. */
  sweep(unusedMs: number): Promise<void>;
}

export function createCheckouts(directory: string): Checkouts {
  const making = new Map<string, Promise<string>>();
  const make = async (repository: string, commit: string) => {
    const place = join(directory, commit);
    if (isThere(place)) return place;
    await makeCheckout(directory, repository, commit);
    return place;
  };
  return {
    get(repository, commit) {
      const under = making.get(commit);
      if (under !== undefined) return under;
      const made = make(repository, commit).finally(() => making.delete(commit));
      making.set(commit, made);
      return made;
    },
    async sweep(unusedMs) {
      for (const name of await readdir(directory).catch(() => [])) {
        const place = join(directory, name);
        const { mtimeMs } = await stat(place);
        const isOld = Date.now() - mtimeMs > unusedMs;
        if (!making.has(name) && (isOld || (name.startsWith(DRAFT) && making.size === 0))) await removeReadOnly(place);
      }
    },
  };
}

export const isCommit = (text: string): boolean => COMMIT.test(text);

/** Its time says when it was used last, a day exact. */
export function isThere(place: string): boolean {
  const found = statSync(place, { throwIfNoEntry: false });
  if (found === undefined) return false;
  if (Date.now() - found.mtimeMs > TOUCH_MS) utimesSync(place, new Date(), new Date());
  return true;
}

async function makeCheckout(directory: string, repository: string, commit: string): Promise<void> {
  if (!isCommit(commit)) throw new Error(`${commit} is not a full commit hash`);
  const draft = join(directory, DRAFT + randomBytes(8).toString('hex'));
  const index = `${draft}.index`;
  try {
    await mkdir(draft, { recursive: true });
    const git = (...args: string[]) => runGit(repository, draft, index, args);
    await git('read-tree', commit);
    await git('checkout-index', '--all', '--force');
    await makeReadOnly(draft);
    await rename(draft, join(directory, commit));
  } catch (error) {
    await removeReadOnly(draft);
    throw error;
  } finally {
    await rm(index, { force: true });
    await rm(`${index}.lock`, { force: true });
  }
}

/** No configuration but the mirror's own; the mirror may belong to another user of this machine. */
async function runGit(repository: string, tree: string, index: string, args: readonly string[]): Promise<void> {
  const options = ['-c', 'safe.directory=*', '-c', 'core.hooksPath=/dev/null', '-c', 'core.fsmonitor=false'];
  const env = {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_INDEX_FILE: index,
  };
  try {
    await run('git', ['--git-dir', repository, '--work-tree', tree, ...options, ...args], {
      cwd: tree,
      env,
      timeout: GIT_TIMEOUT_MS,
    });
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    throw new Error(`git ${args[0]} failed: ${stderr?.trim() || message}`);
  }
}

export async function makeReadOnly(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await makeReadOnly(path);
    else if (entry.isFile()) await chmod(path, (await stat(path)).mode & 0o111 ? 0o555 : 0o444);
  }
  await chmod(directory, 0o555);
}

/** The files of a read-only directory can be removed only when it is writable again. */
export async function removeReadOnly(place: string): Promise<void> {
  const found = await stat(place).catch(() => null);
  if (found?.isDirectory() === true) await makeWritable(place);
  await rm(place, { recursive: true, force: true });
}

async function makeWritable(directory: string): Promise<void> {
  await chmod(directory, 0o755);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) await makeWritable(join(directory, entry.name));
  }
}
