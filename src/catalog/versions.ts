/** Tags and withdrawals of recorded versions, and the views of apps. */
import { RepriseError } from '../contract/errors.js';
import type { AppAdded, AppDetail, AppView } from '../contract/schemas.js';
import {
  type AppRow,
  findApps,
  findTagMoves,
  findTags,
  findVersions,
  findVersionsByPrefix,
  lockApp,
  moveTagIfElsewhere,
  type TagRow,
  type VersionRow,
  withdrawOnce,
} from '../store/apps.js';
import type { Db, Queryable } from '../store/db.js';
import { withdrawnSentence } from './resolve.js';

const TAG_NAME = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$/;
/** git's own shortest; what begins a commit. */
const PREFIX = /^[0-9a-f]{4,64}$/;

/** A tag that reads like a commit would hide that commit. */
export function checkTagName(tag: string): void {
  if (TAG_NAME.test(tag) && !/^[0-9a-f]{7,64}$/.test(tag)) return;
  throw new RepriseError(
    'INVALID_INPUT',
    `${JSON.stringify(tag)} cannot be a tag: up to 100 letters, digits and . _ + -, not like a commit; such as release, beta or 1.2.0`,
  );
}

/** Moving to where it points already is no move: nothing is recorded. */
export async function moveTag(db: Db, module: string, tag: string, commit: string, user: string): Promise<AppAdded> {
  checkTagName(tag);
  return db.transaction(async (tx) => {
    if (!(await lockApp(tx, module))) throw noSuchApp(module);
    const version = await oneVersion(tx, module, commit);
    if (version.withdrawn_at !== null) {
      throw new RepriseError('VERSION_WITHDRAWN', withdrawnSentence(module, version.app_commit, version));
    }
    const movedFrom = await moveTagIfElsewhere(tx, { module, tag, commit: version.app_commit, user });
    return { module, commit: version.app_commit, tag, moved_from: movedFrom };
  });
}

/** For good: it is neither run nor retried any more, and not added again. Withdrawing twice changes nothing. */
export async function withdraw(
  db: Db,
  commit: string,
  module: string | null,
  reason: string | null,
  user: string,
): Promise<{ module: string; commit: string }> {
  return db.transaction(async (tx) => {
    const version = await oneVersion(tx, module, commit);
    await lockApp(tx, version.module);
    await withdrawOnce(tx, {
      module: version.module,
      commit: version.app_commit,
      user,
      reason: reason?.trim() || null,
    });
    return { module: version.module, commit: version.app_commit };
  });
}

/** By a whole commit or the beginning of one; of any module for null. */
async function oneVersion(tx: Queryable, module: string | null, commit: string): Promise<VersionRow> {
  const begin = commit.trim().toLowerCase();
  if (!PREFIX.test(begin)) {
    throw new RepriseError(
      'INVALID_INPUT',
      `'${commit}' is not a commit; give it whole, or at least its first 4 characters`,
    );
  }
  const [version, second] = await findVersionsByPrefix(tx, module, begin);
  if (version === undefined) {
    const [who, way] = module === null ? ['no app has a', '<module>'] : [`app ${module} has no`, module];
    throw new RepriseError('VERSION_NOT_FOUND', `${who} version ${begin}; reprise app show ${way} lists them`);
  }
  if (second === undefined) return version;
  const both = [version, second].map((one) => `${one.app_commit} of ${one.module}`).join(', ');
  throw new RepriseError(
    'INVALID_INPUT',
    `${begin} begins more than one commit (${both}); give more of it, or the module`,
  );
}

export async function listApps(db: Db): Promise<AppView[]> {
  const [apps, tags] = await Promise.all([findApps(db, null), findTags(db, null)]);
  return apps.map((app) =>
    viewOf(
      app,
      tags.filter((tag) => tag.module === app.module),
    ),
  );
}

export async function showApp(db: Db, module: string): Promise<AppDetail> {
  const [app] = await findApps(db, module);
  if (app === undefined) throw noSuchApp(module);
  const [tags, versions, moves] = await Promise.all([
    findTags(db, module),
    findVersions(db, module),
    findTagMoves(db, module),
  ]);
  return {
    ...viewOf(app, tags),
    versions: versions.map((row) => ({
      commit: row.app_commit,
      added_at: row.added_at.toISOString(),
      added_by: row.added_by,
      withdrawn_at: row.withdrawn_at?.toISOString() ?? null,
      withdrawn_by: row.withdrawn_by,
      withdrawn_reason: row.withdrawn_reason,
      methods: [...row.methods],
    })),
    tag_history: moves.map(({ moved_at, ...move }) => ({ ...move, moved_at: moved_at.toISOString() })),
  };
}

function viewOf({ module, repository, added_at, added_by }: AppRow, tags: readonly TagRow[]): AppView {
  return {
    module,
    repository,
    added_at: added_at.toISOString(),
    added_by,
    tags: tags.map(({ tag, app_commit, moved_at, moved_by }) => ({
      tag,
      commit: app_commit,
      moved_at: moved_at.toISOString(),
      moved_by,
    })),
  };
}

function noSuchApp(module: string): RepriseError {
  return new RepriseError('NOT_FOUND', `there is no app '${module}'; reprise app list shows those there are`);
}
