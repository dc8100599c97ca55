/**
 * A commit on its way in: fetched into a bare repository of its own beside the mirrors, so that nothing that is fetched
 * half, or turns out to be no app, ever touches a mirror. Killed anywhere, a directory is left that a later add removes.
 */
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RepriseError } from '../contract/errors.js';
import { chooseRef, parseRefs, type Refs, unknownRef, type Wanted } from './choose-ref.js';
import { gitSucceeds, isSound } from './commits.js';
import { GitFailure, runGit } from './git.js';
import type { RepositoryAddress } from './repository-address.js';

export interface Incoming {
  /** A bare repository. */
  readonly directory: string;
  /** Full. */
  readonly commit: string;
  /** Text of `reprise.json` at that commit. */
  readonly manifest: string;
  remove(): Promise<void>;
}

const MINUTE = 60_000;
const FETCH_TIMEOUT = 10 * MINUTE;
/** No fetch lives that long. */
const ABANDONED_AFTER = 60 * MINUTE;
const PREFIX = '.incoming-';
const WANTED = 'refs/incoming/wanted';
const MOST_MANIFEST = 1024 * 1024;

/** `borrowFrom`: mirrors that may hold much of it already. Throws REPOSITORY_UNREADABLE. */
export async function fetchCommit(
  appsDir: string,
  address: RepositoryAddress,
  ref: string,
  borrowFrom: readonly string[],
): Promise<Incoming> {
  await requireDirectory(address);
  await removeAbandoned(appsDir);
  const refs = await listRefs(address);
  const wanted = chooseRef(refs, ref);
  const directory = await mkdtemp(join(appsDir, PREFIX));
  const remove = () => rm(directory, { recursive: true, force: true });
  try {
    await initialize(directory, refs, await soundOnes(borrowFrom));
    const commit = await fetchWanted(directory, address, wanted, refs);
    return { directory, commit, manifest: await readManifestText(directory, commit, address), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** What a damaged mirror claims to have would not be fetched again. */
async function soundOnes(mirrors: readonly string[]): Promise<string[]> {
  const sound = await Promise.all(mirrors.map(isSound));
  return mirrors.filter((_, index) => sound[index]);
}

async function requireDirectory({ transport, text }: RepositoryAddress): Promise<void> {
  if (transport !== 'file') return;
  const found = await stat(text).catch(() => null);
  if (found?.isDirectory() === true) return;
  const what = found === null ? 'there is nothing at that path on the server' : 'it is a file, not a repository';
  throw unreadable(text, `${what}; give the path of a git repository`);
}

async function removeAbandoned(appsDir: string): Promise<void> {
  const names = (await readdir(appsDir)).filter((name) => name.startsWith(PREFIX));
  for (const path of names.map((name) => join(appsDir, name))) {
    const found = await stat(path).catch(() => null);
    if (found !== null && Date.now() - found.mtimeMs > ABANDONED_AFTER)
      await rm(path, { recursive: true, force: true });
  }
}

async function listRefs(address: RepositoryAddress): Promise<Refs> {
  return parseRefs(await remoteGit(address, ['ls-remote', '--', address.text], 2 * MINUTE));
}

async function initialize(directory: string, refs: Refs, borrowFrom: readonly string[]): Promise<void> {
  const [anyHash = ''] = refs.values();
  const format = anyHash.length === 64 ? 'sha256' : 'sha1';
  await runGit(['init', '--quiet', '--bare', '--template=', `--object-format=${format}`, '--', directory]);
  if (borrowFrom.length === 0) return;
  const lines = borrowFrom.map((mirror) => `${join(mirror, 'objects')}\n`);
  await writeFile(join(directory, 'objects/info/alternates'), lines.join(''));
}

async function fetchWanted(directory: string, address: RepositoryAddress, wanted: Wanted, refs: Refs): Promise<string> {
  if (wanted.kind === 'fetch') {
    await fetch(directory, address, [`+${wanted.source}:${WANTED}`]);
    await requireTaken(directory, address);
    return commitOf(directory, WANTED, refs, wanted.source);
  }
  if (wanted.kind === 'fetch-commit') {
    // not every server gives out a commit by its hash; then it is found below its branches and tags, or nowhere
    const given = await fetch(directory, address, [`+${wanted.commit}:${WANTED}`]).then(
      () => true,
      () => false,
    );
    if (given) return commitOf(directory, WANTED, refs, wanted.commit);
  }
  await fetch(directory, address, ['+refs/heads/*:refs/incoming/heads/*', '+refs/tags/*:refs/incoming/tags/*']);
  const sought = wanted.kind === 'search' ? wanted.prefix : wanted.commit;
  return commitOf(directory, sought, refs, sought);
}

/** git passes over what comes from a history that is cut off, without an error. */
async function requireTaken(directory: string, { text }: RepositoryAddress): Promise<void> {
  if (await gitSucceeds([`--git-dir=${directory}`, 'show-ref', '--verify', '--quiet', WANTED])) return;
  throw unreadable(text, 'it is a shallow clone; run git fetch --unshallow there, or give the repository it came from');
}

async function fetch(directory: string, address: RepositoryAddress, refspecs: readonly string[]): Promise<void> {
  const options = ['--quiet', '--no-tags', '--no-recurse-submodules', '--no-write-fetch-head'];
  await remoteGit(
    address,
    [`--git-dir=${directory}`, 'fetch', ...options, '--', address.text, ...refspecs],
    FETCH_TIMEOUT,
  );
}

async function commitOf(directory: string, name: string, refs: Refs, asked: string): Promise<string> {
  try {
    const args = [`--git-dir=${directory}`, 'rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`];
    return (await runGit(args)).trim();
  } catch (error) {
    if (!(error instanceof GitFailure) || error.kind !== 'exit') throw error;
    throw unknownRef(`it has no commit '${asked}', or several that begin so`, refs);
  }
}

async function readManifestText(directory: string, commit: string, address: RepositoryAddress): Promise<string> {
  const listing = await runGit([`--git-dir=${directory}`, 'ls-tree', '--long', commit, '--', 'reprise.json']);
  const at = `at commit ${commit.slice(0, 12)}`;
  const [, mode, hash, size] = /^(\d+) \w+ ([0-9a-f]+) +(\d+|-)\t/.exec(listing) ?? [];
  if (hash === undefined)
    throw unreadable(address.text, `there is no reprise.json at its root ${at}; add one and commit it`);
  if (mode !== '100644' && mode !== '100755') throw unreadable(address.text, `reprise.json is not a plain file ${at}`);
  if (Number(size) > MOST_MANIFEST) throw unreadable(address.text, `reprise.json has more than 1 MB ${at}`);
  return runGit([`--git-dir=${directory}`, 'cat-file', 'blob', hash]);
}

async function remoteGit(address: RepositoryAddress, args: readonly string[], timeoutMs: number): Promise<string> {
  try {
    return await runGit(args, { transport: address.transport, timeoutMs });
  } catch (error) {
    if (error instanceof GitFailure) throw explained(address, error);
    throw error;
  }
}

/** git's complaint as a sentence with a way out. */
function explained(address: RepositoryAddress, failure: GitFailure): RepriseError {
  if (failure.kind === 'not-started') {
    return new RepriseError('UNAVAILABLE', `git cannot be started on the server (${failure.reason}); install git`);
  }
  return unreadable(address.text, wayOut(address, failure));
}

function wayOut({ transport }: RepositoryAddress, failure: GitFailure): string {
  const { stderr, reason } = failure;
  if (/dubious ownership/.test(stderr)) {
    return "it belongs to another user than the server's, and git does not read such a repository; change its owner, or give its address with ssh or https";
  }
  if (/does not appear to be a git repository|not a git repository/.test(stderr)) {
    return 'it is not a git repository; give the directory that holds .git, or a bare one';
  }
  if (/could not read Username|Authentication failed|terminal prompts disabled/.test(stderr)) {
    return "it does not exist or wants a password; put one into ~/.netrc of the server's user";
  }
  if (/Permission denied|Host key verification failed/.test(stderr)) {
    return `ssh was refused (${reason}); let the server's user log in there with a key, once by hand`;
  }
  const tail = transport === 'file' ? '' : '; try git ls-remote on the server';
  return `git says: ${reason}${tail}`;
}

function unreadable(repository: string, reason: string): RepriseError {
  return new RepriseError('REPOSITORY_UNREADABLE', `the repository ${repository} cannot be read: ${reason}`);
}
