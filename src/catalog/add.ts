/**
 * Adding a version: fetch beside → read its manifest → pin it in the module's mirror → record it and move the tag.
 * Killed before the record, a pinned commit is left that nobody names; adding again does it all again. Killed after it, the
 * next start keeps the commit for other servers.
 */

import { RepriseError } from '../contract/errors.js';
import type { AppAdded } from '../contract/schemas.js';
import {
  addOrFindVersion,
  addOrLockApp,
  findApps,
  findModulesOf,
  findVersions,
  moveTagIfElsewhere,
  setRepository,
} from '../store/apps.js';
import type { Db } from '../store/db.js';
import type { Bundles } from './bundles.js';
import { hasAny } from './commits.js';
import { fetchCommit, type Incoming } from './incoming.js';
import type { KeyedQueue } from './keyed-queue.js';
import { BadManifest, parseManifest } from './manifest.js';
import type { Mirrors } from './mirrors.js';
import { parseRepositoryAddress } from './repository-address.js';
import { withdrawnSentence } from './resolve.js';
import { checkTagName } from './versions.js';

export interface AddParts {
  readonly db: Db;
  readonly mirrors: Mirrors;
  /** Serialises within this process; other servers on the same directory are met by git's and the store's own locks. */
  readonly queue: KeyedQueue;
  readonly bundles: Bundles;
  readonly log: (message: string, detail?: object) => void;
}

export interface AddRequest {
  readonly repository: string;
  /** A branch, a tag or a commit; HEAD unless told. */
  readonly ref?: string;
  readonly tag?: string;
}

export async function addApp(parts: AddParts, request: AddRequest, user: string): Promise<AppAdded> {
  const address = parseRepositoryAddress(request.repository);
  if (request.tag !== undefined) checkTagName(request.tag);
  const { db, mirrors, queue } = parts;
  return queue.run(`repository ${address.text}`, async () => {
    const borrowFrom = (await findModulesOf(db, address.text)).map(mirrors.pathOf);
    const incoming = await fetchCommit(mirrors.appsDir, address, request.ref ?? 'HEAD', borrowFrom);
    try {
      const module = moduleOf(incoming, address.text);
      const what = { module, repository: address.text, tag: request.tag, user, incoming };
      return await queue.run(`module ${module}`, () => takeOver(parts, what));
    } finally {
      await incoming.remove();
    }
  });
}

function moduleOf({ manifest, commit }: Incoming, repository: string): string {
  try {
    return parseManifest(manifest).module;
  } catch (error) {
    if (!(error instanceof BadManifest)) throw error;
    const where = `reprise.json of ${repository} at commit ${commit.slice(0, 12)}`;
    throw new RepriseError('REPOSITORY_UNREADABLE', `${where} is not a manifest: ${error.message}`, undefined, {
      cause: error,
    });
  }
}

interface Version {
  readonly module: string;
  readonly repository: string;
  readonly tag: string | undefined;
  readonly user: string;
  readonly incoming: Incoming;
}

async function takeOver(parts: AddParts, version: Version): Promise<AppAdded> {
  const { module, incoming } = version;
  const mayFollow = await followsOn(parts, version);
  await parts.mirrors.pin(module, incoming.commit, incoming.directory);
  const movedFrom = await record(parts, version, mayFollow);
  await parts.bundles.keep(module, incoming.commit);
  const { repository, tag, user } = version;
  parts.log('an app version was added', { module, commit: incoming.commit, repository, tag, user });
  return { module, commit: incoming.commit, tag: version.tag ?? null, moved_from: movedFrom };
}

/**
 * Two repositories that call themselves by one name are a mistake, unless the second is the first at a new address: then
 * it holds a commit that the module has already.
 */
async function followsOn({ db }: AddParts, { module, repository, incoming }: Version): Promise<boolean> {
  const [app] = await findApps(db, module);
  if (app === undefined || app.repository === repository) return true;
  const commits = (await findVersions(db, module)).map((row) => row.app_commit);
  return hasAny(incoming.directory, commits);
}

function record({ db }: AddParts, version: Version, mayFollow: boolean): Promise<string | null> {
  const { module, repository, tag, user, incoming } = version;
  const { commit, manifest } = incoming;
  return db.transaction(async (tx) => {
    const recorded = await addOrLockApp(tx, module, repository, user);
    if (recorded !== repository) {
      if (!mayFollow) throw takenName(module, recorded, repository);
      await setRepository(tx, module, repository);
    }
    const row = await addOrFindVersion(tx, { module, commit, manifest, user });
    if (row.withdrawn_at !== null) throw new RepriseError('VERSION_WITHDRAWN', withdrawnSentence(module, commit, row));
    return tag === undefined ? null : moveTagIfElsewhere(tx, { module, tag, commit, user });
  });
}

function takenName(module: string, recorded: string, repository: string): RepriseError {
  return new RepriseError(
    'CONFLICT',
    `app ${module} comes from ${recorded}, and ${repository} has none of its versions; give it another module name, or, if the app has moved, add a commit that builds on one of them`,
  );
}
