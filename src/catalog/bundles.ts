/**
 * Mirrors for servers that share a database but no disk: what `app add` took into the mirror of one server is kept in the
 * database too, and taken from there by the others when they need it. So an app runs on every machine, also when its
 * repository has vanished, or is a directory of one machine only.
 */
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  addBundle,
  addBundlePart,
  type BundleRow,
  findBundlePart,
  findBundles,
  findUnbundledVersions,
} from '../store/app-bundles.js';
import type { Db } from '../store/db.js';
import { GitFailure, runGit } from './git.js';
import type { KeyedQueue } from './keyed-queue.js';
import type { Mirrors } from './mirrors.js';

export interface Bundles {
  /** Keeps a commit that the mirror has. */
  keep(module: string, commit: string): Promise<void>;
  /** Brings the module's mirror to what is kept. False: there was nothing to bring, or it could not be brought. */
  restore(module: string): Promise<boolean>;
  /** Keeps what was added before bundles were kept, as far as the mirrors here have it. */
  keepMissing(): Promise<void>;
}

export interface BundleParts {
  readonly db: Db;
  readonly mirrors: Mirrors;
  readonly queue: KeyedQueue;
  readonly log: (message: string, detail?: object) => void;
}

const PART_BYTES = 4 * 1024 * 1024;
/** A repository larger than this is data, not code. */
const MOST_BYTES = 1024 * 1024 * 1024;
const TIMEOUT_MS = 10 * 60_000;

/** For a database that one server has: its mirrors are the only ones. */
export const NO_BUNDLES: Bundles = { keep: async () => {}, restore: async () => false, keepMissing: async () => {} };

export function createBundles(parts: BundleParts): Bundles {
  const alone = <T>(module: string, work: () => Promise<T>) => parts.queue.run(`bundles of ${module}`, work);
  return {
    keep: (module, commit) => alone(module, () => keep(parts, module, commit)),
    restore: (module) => alone(module, () => restore(parts, module)),
    async keepMissing() {
      for (const { module, app_commit: commit } of await findUnbundledVersions(parts.db)) {
        if (await parts.mirrors.holds(module, commit)) await alone(module, () => keep(parts, module, commit));
      }
    },
  };
}

/** Killed before the commit, nothing is kept; adding again, or the next start, keeps it. */
async function keep(parts: BundleParts, module: string, commit: string): Promise<void> {
  const { db, mirrors, log } = parts;
  const kept = (await findBundles(db, module)).map((row) => row.app_commit);
  if (kept.includes(commit)) return;
  await inDraft(mirrors.appsDir, async (file) => {
    if (!(await makeBundle(mirrors.pathOf(module), file, commit, kept))) return;
    const { size } = await stat(file);
    if (size > MOST_BYTES) return log('an app is too large to be kept in the database', { module, commit, size });
    await db.transaction(async (tx) => {
      const bundleId = await addBundle(tx, module, commit);
      if (bundleId === null) return;
      await readParts(file, (part, bytes) => addBundlePart(tx, bundleId, part, bytes));
    });
  });
}

/** False: the commit is in the history of those that are kept. What the mirror lacks of them can not be left out. */
async function makeBundle(mirror: string, file: string, commit: string, kept: readonly string[]): Promise<boolean> {
  const git = (args: readonly string[]) => runGit([`--git-dir=${mirror}`, ...args], { timeoutMs: TIMEOUT_MS });
  const has = async (one: string) => git(['cat-file', '-e', `${one}^{commit}`]).then(() => true, isVerdict);
  const there: string[] = [];
  for (const one of kept) if (await has(one)) there.push(one);
  try {
    await git(['bundle', 'create', '--quiet', file, `refs/reprise/${commit}`, '--not', ...there]);
    return true;
  } catch (error) {
    if (error instanceof GitFailure && /empty bundle/.test(error.stderr)) return false;
    throw error;
  }
}

function isVerdict(error: unknown): false {
  if (error instanceof GitFailure && error.kind === 'exit') return false;
  throw error;
}

/** First what is missing; if that does not fit on what is there, all of it, in order. */
async function restore(parts: BundleParts, module: string): Promise<boolean> {
  const { db, mirrors, log } = parts;
  const rows = await findBundles(db, module);
  const missing: typeof rows = [];
  for (const row of rows) if (!(await mirrors.holds(module, row.app_commit))) missing.push(row);
  if (rows.length === 0) return false;
  try {
    await applyAll(parts, module, missing).catch((error: unknown) => {
      if (!(error instanceof GitFailure)) throw error;
      return applyAll(parts, module, rows);
    });
  } catch (error) {
    if (!(error instanceof GitFailure)) throw error;
    log('the mirror of an app can not be made from what the database keeps; add the app again', { module, error });
    return false;
  }
  if (missing.length > 0) log('the mirror of an app was made from what the database keeps', { module });
  return true;
}

async function applyAll(parts: BundleParts, module: string, rows: readonly BundleRow[]): Promise<void> {
  for (const row of rows) await apply(parts, module, row.bundle_id, row.app_commit);
}

function apply({ db, mirrors }: BundleParts, module: string, bundleId: number, commit: string): Promise<void> {
  return inDraft(mirrors.appsDir, async (file) => {
    const target = await open(file, 'w', 0o600);
    try {
      for (let part = 0; ; part += 1) {
        const bytes = await findBundlePart(db, bundleId, part);
        if (bytes === null) break;
        await target.writeFile(bytes);
      }
    } finally {
      await target.close();
    }
    await mirrors.pin(module, commit, file);
  });
}

async function readParts(file: string, each: (part: number, bytes: Uint8Array) => Promise<void>): Promise<void> {
  const source = await open(file, 'r');
  try {
    for (let part = 0; ; part += 1) {
      const { bytesRead, buffer } = await source.read(Buffer.alloc(PART_BYTES), 0, PART_BYTES);
      if (bytesRead === 0) return;
      await each(part, buffer.subarray(0, bytesRead));
    }
  } finally {
    await source.close();
  }
}

/** Left by a kill, it is removed by a later add, like all that begins so. */
async function inDraft(appsDir: string, work: (file: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(appsDir, '.incoming-bundle-'));
  try {
    await work(join(directory, 'bundle'));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
