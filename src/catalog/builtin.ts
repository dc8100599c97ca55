/** The built-in catalog: apps are commits of git repositories, kept as bare mirrors. */
import { mkdirSync } from 'node:fs';
import { RepriseError } from '../contract/errors.js';
import type { AppAdded, AppDetail, AppView, MethodView } from '../contract/schemas.js';
import type { Db } from '../store/db.js';
import { type AddRequest, addApp } from './add.js';
import { type Archives, createArchives } from './archives.js';
import { type Bundles, createBundles, NO_BUNDLES } from './bundles.js';
import type { Catalog, Execution, Resolution } from './catalog.js';
import { createKeyedQueue } from './keyed-queue.js';
import { createManifests, type Manifests, versionKey } from './manifests.js';
import { createMirrors, type Mirrors } from './mirrors.js';
import { type FoundMethod, findMethods, holdAll, type NotFound } from './resolve.js';
import * as versions from './versions.js';

export interface BuiltinCatalog extends Catalog {
  addApp(request: AddRequest, user: string): Promise<AppAdded>;
  moveTag(module: string, tag: string, commit: string, user: string): Promise<AppAdded>;
  withdraw(
    commit: string,
    module: string | null,
    reason: string | null,
    user: string,
  ): Promise<{ module: string; commit: string }>;
  listApps(): Promise<AppView[]>;
  showApp(module: string): Promise<AppDetail>;
  describeMethod(method: string, version: string | undefined): Promise<MethodView>;
  /** For other servers: what only this one's mirrors have. */
  keepMissingBundles(): Promise<void>;
}

export interface BuiltinCatalogOptions {
  readonly db: Db;
  /** Holds the mirrors; made if missing. May be shared by several servers. */
  readonly appsDir: string;
  /** Whether servers with mirrors of their own use the database: it keeps the commits for them all. */
  readonly shared?: boolean;
  readonly log: (message: string, detail?: object) => void;
}

export function createBuiltinCatalog({ db, appsDir, shared = false, log }: BuiltinCatalogOptions): BuiltinCatalog {
  mkdirSync(appsDir, { recursive: true, mode: 0o755 });
  const basis = { db, mirrors: createMirrors(appsDir), queue: createKeyedQueue(), log };
  const bundles = shared ? createBundles(basis) : NO_BUNDLES;
  const parts = { ...basis, manifests: createManifests(db), bundles };
  const archives = createArchives();
  return {
    resolve: async (requests) => (await findMethods(parts, requests)).map(resolutionOf),
    executions: (jobs) => executions(parts, jobs),
    archive: (job) => archive(parts, archives, job),
    addApp: (request, user) => addApp(parts, request, user),
    moveTag: (module, tag, commit, user) => versions.moveTag(db, module, tag, commit, user),
    withdraw: (commit, module, reason, user) => versions.withdraw(db, commit, module, reason, user),
    listApps: () => versions.listApps(db),
    showApp: (module) => versions.showApp(db, module),
    keepMissingBundles: bundles.keepMissing,
    describeMethod: async (method, version) => describe((await findMethods(parts, [{ method, version }]))[0]!),
  };
}

function resolutionOf(found: FoundMethod | NotFound): Resolution {
  if (!found.ok) return found;
  const { module, method, commit, tag, declared } = found;
  const { timeoutMs, stated, diskGb, clientGroup, checkParams } = declared;
  return {
    ok: true,
    spec: { module, method, commit, tag, timeoutMs, ...stated, diskGb, clientGroup, checkParams },
  };
}

function describe(found: FoundMethod | NotFound): MethodView {
  if (!found.ok) throw new RepriseError(found.code, found.sentence);
  const { method, commit, tag, declared } = found;
  return {
    method,
    commit,
    tag,
    timeout_ms: declared.timeoutMs,
    requirements: {
      cpus: declared.cpus,
      memory_mb: declared.memoryMb,
      disk_gb: declared.diskGb,
      client_group: declared.clientGroup,
    },
    params_schema: declared.paramsSchema ?? null,
  };
}

/** Of recorded jobs, also at versions that were withdrawn since: what was accepted is carried out. */
async function executions(
  { mirrors, manifests, bundles }: { mirrors: Mirrors; manifests: Manifests; bundles: Bundles },
  jobs: readonly { method: string; commit: string }[],
): Promise<Execution[]> {
  const asked = jobs.map(({ method, commit }) => ({ module: method.split('.')[0] ?? '', method, commit }));
  const known = await manifests.load(asked);
  await holdAll({ mirrors, bundles }, asked);
  return asked.map(({ module, method, commit }) => {
    const declared = known.get(versionKey({ module, commit }))?.method(method.slice(module.length + 1));
    if (declared === undefined) throw new RepriseError('INTERNAL', `the record has no ${method} at commit ${commit}`);
    return { module, commit, repository: mirrors.pathOf(module), command: declared.command, env: declared.env };
  });
}

async function archive(
  parts: Parameters<typeof executions>[0],
  archives: Archives,
  job: { method: string; commit: string },
) {
  const [execution] = await executions(parts, [job]);
  return archives.open((execution as Execution).repository, job.commit);
}
