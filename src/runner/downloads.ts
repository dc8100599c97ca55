/**
 * Checkouts on machines without git: the server sends the files of a commit as tar. The directory may be one that nodes
 * share: of those who want a commit first one downloads it, and the others wait for that (see `download-lock.ts`).
 */
import { chmodSync, mkdirSync, statSync, symlinkSync } from 'node:fs';
import { readdir, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { WORKER_CHECKOUTS_PATH } from '../contract/worker-paths.js';
import { type Checkouts, isCommit, isThere, makeReadOnly, removeReadOnly } from './checkout.js';
import { type Beat, beatOf, lockDownload } from './download-lock.js';
import { callServer, textOf } from './http-call.js';
import { uniqueName } from './process-identity.js';

export interface DownloadsOptions {
  readonly directory: string;
  readonly url: string;
  readonly token: string;
  readonly log: (message: string, detail?: object) => void;
}

const DRAFT = 'draft-';
const SILENT_MS = 60_000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;
/** A live draft is touched every few seconds. */
const DEAD_DRAFT_MS = 3_600_000;

export function createDownloads(options: DownloadsOptions): Checkouts {
  const { directory } = options;
  return {
    async get(_, commit) {
      if (!isCommit(commit)) throw new Error(`${commit} is not a full commit hash`);
      const place = join(directory, commit);
      if (isThere(place)) return place;
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      const lock = await lockDownload(join(directory, `${commit}.lock`), () => isThere(place));
      try {
        if (!isThere(place)) await downloadUntilThere(options, commit, lock);
      } finally {
        lock?.release();
      }
      return place;
    },
    async sweep(unusedMs) {
      for (const name of await readdir(directory).catch(() => [])) await sweepOne(join(directory, name), unusedMs);
    },
  };
}

/** Drafts and locks have a beat while their makers live. What is removed is first taken away whole. */
async function sweepOne(place: string, unusedMs: number): Promise<void> {
  const found = await stat(place).catch(() => null);
  const isMade = isCommit(place.slice(place.lastIndexOf('/') + 1));
  if (found === null || Date.now() - found.mtimeMs < (isMade ? unusedMs : DEAD_DRAFT_MS)) return;
  const away = join(dirname(place), DRAFT + uniqueName());
  await rename(place, away).then(
    () => removeReadOnly(away),
    // another process sweeps too
    () => undefined,
  );
}

/** However long the server is away. */
async function downloadUntilThere(options: DownloadsOptions, commit: string, lock: Beat | null): Promise<void> {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(LONGEST_PAUSE_MS, pause * 2)) {
    try {
      return await download(options, commit, lock);
    } catch (error) {
      if (!isPassing(error)) throw error;
      if (pause === FIRST_PAUSE_MS) options.log('a checkout is downloaded again', { commit, error });
    }
    await new Promise((next) => setTimeout(next, pause));
  }
}

class Refused extends Error {}

const LASTING = ['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM', 'ENAMETOOLONG', 'ERR_MODULE_NOT_FOUND'];

/** A disk that is full or read-only stays so, a package that was copied in part too; a server that is away comes back. */
function isPassing(error: unknown): boolean {
  const { code = '' } = error as NodeJS.ErrnoException;
  return !(error instanceof Refused || LASTING.includes(code));
}

async function download(options: DownloadsOptions, commit: string, lock: Beat | null): Promise<void> {
  const draft = join(options.directory, DRAFT + uniqueName());
  mkdirSync(draft);
  const beat = beatOf(draft);
  try {
    await extract(await ask(options, commit), draft);
    await makeReadOnly(draft);
    lock?.touch();
    await rename(draft, join(options.directory, commit)).catch((error: NodeJS.ErrnoException) => {
      // another made it meanwhile, having passed us by
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    beat.release();
    if (statSync(draft, { throwIfNoEntry: false }) !== undefined) await removeReadOnly(draft);
  }
}

async function ask({ url, token }: DownloadsOptions, commit: string) {
  const answer = await callServer(`${url.replace(/\/+$/, '')}${WORKER_CHECKOUTS_PATH}/${commit}`, {
    method: 'GET',
    headers: { authorization: `Bearer ${token}` },
    silentMs: SILENT_MS,
  });
  const { statusCode = 0 } = answer;
  if (statusCode === 200) return answer;
  const why = `HTTP ${statusCode}: ${(await textOf(answer)).slice(0, 300)}`;
  throw statusCode >= 400 && statusCode < 500 ? new Refused(why) : new Error(why);
}

/** Links are made last: nothing is ever written through one. They are what the commit says, wherever they lead. */
async function extract(files: NodeJS.ReadableStream, draft: string): Promise<void> {
  const tar = await import('tar');
  const links: [path: string, target: string][] = [];
  const unpack = tar.extract({
    cwd: draft,
    strict: true,
    preserveOwner: false,
    filter(path, entry) {
      if (!('type' in entry) || entry.type !== 'SymbolicLink') return true;
      links.push([path, entry.linkpath ?? '']);
      return false;
    },
  });
  await pipeline(files, unpack as unknown as NodeJS.WritableStream);
  chmodSync(draft, 0o755);
  for (const [path, target] of links) {
    const place = join(draft, path);
    if (!place.startsWith(`${draft}/`)) throw new Refused(`the archive has a link outside of it: ${path}`);
    mkdirSync(dirname(place), { recursive: true });
    symlinkSync(target, place);
  }
}
