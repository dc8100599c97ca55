/** Commits of apps as git bundles, in parts that a connection carries easily. */
import { type Queryable, statement } from './db.js';

export interface BundleRow {
  readonly bundle_id: number;
  readonly app_commit: string;
}

const selectBundles = statement<BundleRow>(
  'select_app_bundles',
  `
  select bundle_id, app_commit
  from app_bundles
  where module = $1::text
  order by bundle_id`,
);

/** In the order in which they are to be applied. */
export function findBundles(db: Queryable, module: string): Promise<BundleRow[]> {
  return db.query(selectBundles, [module]);
}

const insertBundleIfNew = statement<{ bundle_id: number }>(
  'insert_app_bundle_if_new',
  `
  insert into app_bundles (module, app_commit)
  values ($1::text, $2::text)
  on conflict on constraint app_bundles_once do nothing
  returning bundle_id`,
);

/** Null: it is there already. */
export async function addBundle(tx: Queryable, module: string, commit: string): Promise<number | null> {
  return (await tx.query(insertBundleIfNew, [module, commit]))[0]?.bundle_id ?? null;
}

const insertBundlePart = statement(
  'insert_app_bundle_part',
  `
  insert into app_bundle_parts (bundle_id, part, bytes)
  values ($1::bigint, $2::integer, $3::bytea)`,
);

export async function addBundlePart(tx: Queryable, bundleId: number, part: number, bytes: Uint8Array): Promise<void> {
  await tx.query(insertBundlePart, [bundleId, part, bytes]);
}

const selectBundlePart = statement<{ bytes: Uint8Array }>(
  'select_app_bundle_part',
  `
  select bytes
  from app_bundle_parts
  where bundle_id = $1::bigint and part = $2::integer`,
);

/** Null after the last one. */
export async function findBundlePart(db: Queryable, bundleId: number, part: number): Promise<Uint8Array | null> {
  return (await db.query(selectBundlePart, [bundleId, part]))[0]?.bytes ?? null;
}

const selectUnbundledVersions = statement<{ module: string; app_commit: string }>(
  'select_unbundled_versions',
  `
  select v.module, v.app_commit
  from app_versions v
  where not exists (
    select
    from app_bundles b
    where b.module = v.module and b.app_commit = v.app_commit
  )
  order by v.added_at, v.app_commit`,
);

/** Oldest first. Those in the history of a bundled one are among them. */
export function findUnbundledVersions(db: Queryable) {
  return db.query(selectUnbundledVersions);
}
