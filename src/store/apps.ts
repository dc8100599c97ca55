/** Apps, their versions, and where each tag points and pointed. Versions are never deleted: jobs name them for ever. */
import { type Queryable, statement } from './db.js';

export interface AppRow {
  readonly module: string;
  readonly repository: string;
  readonly added_by: string;
  readonly added_at: Date;
}

const selectApps = statement<AppRow>(
  'select_apps',
  `
  select module, repository, added_by, added_at
  from apps
  where ($1::text is null or module = $1)
  order by module`,
);

/** One app, or all for null. */
export function findApps(db: Queryable, module: string | null): Promise<AppRow[]> {
  return db.query(selectApps, [module]);
}

const selectAppsOfRepository = statement<{ module: string }>(
  'select_apps_of_repository',
  `
  select module
  from apps
  where repository = $1::text
  order by module`,
);

export async function findModulesOf(db: Queryable, repository: string): Promise<string[]> {
  return (await db.query(selectAppsOfRepository, [repository])).map((row) => row.module);
}

export interface TagRow {
  readonly module: string;
  readonly tag: string;
  readonly app_commit: string;
  readonly moved_at: Date;
  readonly moved_by: string;
}

const selectTags = statement<TagRow>(
  'select_tags',
  `
  select module, tag, app_commit, moved_at, moved_by
  from app_tags
  where ($1::text is null or module = $1)
  order by module, tag`,
);

export function findTags(db: Queryable, module: string | null): Promise<TagRow[]> {
  return db.query(selectTags, [module]);
}

export interface TagMoveRow {
  readonly tag: string;
  readonly from_commit: string | null;
  readonly to_commit: string;
  readonly moved_at: Date;
  readonly moved_by: string;
}

const selectTagMoves = statement<TagMoveRow>(
  'select_tag_moves',
  `
  select tag, from_commit, to_commit, moved_at, moved_by
  from app_tag_moves
  where module = $1::text
  order by move_id desc`,
);

/** Newest first. */
export function findTagMoves(db: Queryable, module: string): Promise<TagMoveRow[]> {
  return db.query(selectTagMoves, [module]);
}

interface Withdrawal {
  readonly withdrawn_at: Date | null;
  readonly withdrawn_by: string | null;
  readonly withdrawn_reason: string | null;
}

export interface VersionRow extends Withdrawal {
  readonly module: string;
  readonly app_commit: string;
}

export interface VersionDetailRow extends VersionRow {
  readonly added_by: string;
  readonly added_at: Date;
  /** Names, in the order of the manifest. */
  readonly methods: readonly string[];
}

const selectVersions = statement<VersionDetailRow>(
  'select_versions',
  `
  select
    module, app_commit, added_by, added_at, withdrawn_at, withdrawn_by, withdrawn_reason,
    array(select json_object_keys(manifest::json -> 'methods')) as methods
  from app_versions
  where module = $1::text
  order by added_at desc, app_commit`,
);

/** Newest first. */
export function findVersions(db: Queryable, module: string): Promise<VersionDetailRow[]> {
  return db.query(selectVersions, [module]);
}

const selectVersionsByPrefix = statement<VersionRow>(
  'select_versions_by_prefix',
  `
  select module, app_commit, withdrawn_at, withdrawn_by, withdrawn_reason
  from app_versions
  where starts_with(app_commit, $2::text) and ($1::text is null or module = $1)
  order by module, app_commit
  limit 10`,
);

/** Of one module, or of all for null; at most 10. */
export function findVersionsByPrefix(db: Queryable, module: string | null, prefix: string): Promise<VersionRow[]> {
  return db.query(selectVersionsByPrefix, [module, prefix]);
}

export interface AskedVersion {
  readonly module: string;
  /** A tag, or the beginning of a commit. */
  readonly version: string;
}

export interface AnsweredVersion extends Withdrawal {
  readonly asked_module: string;
  readonly asked_version: string;
  /** Null: there is no such app. */
  readonly repository: string | null;
  readonly is_tag: boolean;
  /** Null: there is no such tag or commit. */
  readonly app_commit: string | null;
}

const selectAskedVersions = statement<AnsweredVersion>(
  'select_asked_versions',
  `
  select
    r.module as asked_module, r.version as asked_version, a.repository, t.tag is not null as is_tag,
    v.app_commit, v.withdrawn_at, v.withdrawn_by, v.withdrawn_reason
  from json_to_recordset($1::json) as r (module text, version text)
  left join apps a on a.module = r.module
  left join app_tags t on t.module = r.module and t.tag = r.version
  left join app_versions v
    on v.module = r.module
    and case
      when t.tag is not null then v.app_commit = t.app_commit
      else r.version ~ '^[0-9a-f]{4,64}$' and starts_with(v.app_commit, r.version)
    end`,
);

/** A tag goes before a commit of that name. At least one row for each that was asked; several for a vague commit. */
export async function findAskedVersions(db: Queryable, asked: readonly AskedVersion[]): Promise<AnsweredVersion[]> {
  return asked.length === 0 ? [] : db.query(selectAskedVersions, [JSON.stringify(asked)]);
}

export interface ManifestRow {
  readonly module: string;
  readonly app_commit: string;
  readonly manifest: string;
}

const selectManifests = statement<ManifestRow>(
  'select_manifests',
  `
  select v.module, v.app_commit, v.manifest
  from json_to_recordset($1::json) as r (module text, commit text)
  join app_versions v on v.module = r.module and v.app_commit = r.commit`,
);

export async function findManifests(
  db: Queryable,
  versions: readonly { module: string; commit: string }[],
): Promise<ManifestRow[]> {
  return versions.length === 0 ? [] : db.query(selectManifests, [JSON.stringify(versions)]);
}

const insertAppOrLock = statement<{ repository: string }>(
  'insert_app_or_lock',
  `
  insert into apps (module, repository, added_by)
  values ($1::text, $2::text, $3::text)
  on conflict (module) do update
  set module = excluded.module
  returning repository`,
);

/** Adds the app or finds it; either way its row is locked. Returns the repository that is recorded. */
export async function addOrLockApp(tx: Queryable, module: string, repository: string, user: string): Promise<string> {
  const rows = await tx.query(insertAppOrLock, [module, repository, user]);
  return (rows[0] as { repository: string }).repository;
}

const lockAppRow = statement<{ module: string }>(
  'lock_app',
  `
  select module
  from apps
  where module = $1::text
  for update`,
);

/** Moves of tags and withdrawals of one app wait for each other. False: there is no such app. */
export async function lockApp(tx: Queryable, module: string): Promise<boolean> {
  return (await tx.query(lockAppRow, [module])).length > 0;
}

const updateRepository = statement(
  'update_app_repository',
  `
  update apps
  set repository = $2::text
  where module = $1::text`,
);

export async function setRepository(tx: Queryable, module: string, repository: string): Promise<void> {
  await tx.query(updateRepository, [module, repository]);
}

const insertVersionOrFind = statement<VersionRow>(
  'insert_app_version_or_find',
  `
  insert into app_versions (module, app_commit, manifest, added_by)
  values ($1::text, $2::text, $3::text, $4::text)
  on conflict (module, app_commit) do update
  set module = excluded.module
  returning module, app_commit, withdrawn_at, withdrawn_by, withdrawn_reason`,
);

export async function addOrFindVersion(
  tx: Queryable,
  v: { module: string; commit: string; manifest: string; user: string },
): Promise<VersionRow> {
  return (await tx.query(insertVersionOrFind, [v.module, v.commit, v.manifest, v.user]))[0] as VersionRow;
}

const moveTagAndRecord = statement<{ from_commit: string | null }>(
  'move_tag_and_record',
  `
  with before as (
    select app_commit
    from app_tags
    where module = $1::text and tag = $2::text
  ),
  moved as (
    insert into app_tags (module, tag, app_commit, moved_at, moved_by)
    values ($1::text, $2::text, $3::text, clock_timestamp(), $4::text)
    on conflict (module, tag) do update
    set app_commit = excluded.app_commit, moved_at = excluded.moved_at, moved_by = excluded.moved_by
    where app_tags.app_commit <> excluded.app_commit
    returning app_commit, moved_at
  )
  insert into app_tag_moves (module, tag, from_commit, to_commit, moved_at, moved_by)
  select $1::text, $2::text, (select app_commit from before), app_commit, moved_at, $4::text
  from moved
  returning from_commit`,
);

/**
 * With the app locked, so that the history has no fork. Returns where the tag pointed; null for a new tag, and for one
 * that pointed there already, which is no move.
 */
export async function moveTagIfElsewhere(
  tx: Queryable,
  m: { module: string; tag: string; commit: string; user: string },
): Promise<string | null> {
  return (await tx.query(moveTagAndRecord, [m.module, m.tag, m.commit, m.user]))[0]?.from_commit ?? null;
}

const withdrawVersion = statement(
  'withdraw_app_version',
  `
  update app_versions
  set withdrawn_at = now(), withdrawn_by = $3::text, withdrawn_reason = $4::text
  where module = $1::text and app_commit = $2::text and withdrawn_at is null`,
);

/** The first withdrawal counts. */
export async function withdrawOnce(
  tx: Queryable,
  w: { module: string; commit: string; user: string; reason: string | null },
): Promise<void> {
  await tx.query(withdrawVersion, [w.module, w.commit, w.user, w.reason]);
}
