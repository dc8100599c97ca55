/** Which implementation stands behind each seam, by configuration. A part of the composition root, like `server.ts`. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ApiDeps, Apps, People } from './api/deps.js';
import { type BuiltinAuth, createBuiltinAuth } from './auth/builtin.js';
import { checkUserName } from './auth/caller.js';
import { createKbaseAuth } from './auth/kbase.js';
import { createKbaseWorkspaces } from './auth/kbase-workspaces.js';
import { createSeal, SEAL_KEY_BYTES } from './auth/seal.js';
import { createBuiltinCatalog } from './catalog/builtin.js';
import type { Catalog } from './catalog/catalog.js';
import { createKbaseCatalog } from './catalog/kbase.js';
import { createStatisticsSink } from './catalog/kbase-statistics.js';
import type { Config } from './config/schema.js';
import { type KbaseAddresses, kbaseAddresses } from './config/settings.js';
import { RepriseError } from './contract/errors.js';
import type { MethodView } from './contract/schemas.js';
import { Secret } from './contract/secret.js';
import type { ServiceSettings } from './contract/settings.js';
import type { Workspaces } from './engine/context.js';
import { DEFAULT_GRACE_SECONDS, type OtherRunner } from './engine/other-runner.js';
import { resolveNeeds } from './engine/requirements.js';
import { createHttp, type Http } from './kbase/http.js';
import type { StatisticsSink } from './maintenance/statistics.js';
import type { Db } from './store/db.js';
import { ensureSecret } from './store/secrets.js';
import { addUserIfNew } from './store/tokens.js';

export interface Connections {
  readonly identify: ApiDeps['identify'];
  readonly people: People;
  readonly apps: Apps;
  readonly workspaces: Workspaces;
  readonly catalog: Catalog;
  /** Null where users and tokens are somebody else's. */
  readonly builtinAuth: BuiltinAuth | null;
  readonly otherRunner: OtherRunner | null;
  /** Null: nobody collects. */
  readonly statistics: StatisticsSink | null;
}

export interface ConnectOptions {
  readonly config: Config;
  readonly db: Db;
  readonly dataDir: string;
  readonly settings: ServiceSettings;
  /** Where another's runner reaches this server. */
  readonly runnerUrl: () => string;
  readonly log: (message: string, detail?: object) => void;
}

const READ_TRIES = 3;

export async function connect(options: ConnectOptions): Promise<Connections> {
  const { config, db } = options;
  const http = createHttp({
    timeoutMs: (config.kbase?.timeout_seconds ?? 10) * 1000,
    tries: READ_TRIES,
    random: Math.random,
  });
  const kbase = kbaseAddresses(config);
  const adminToken = readSecret(config.kbase?.admin_token_file);
  const builtin = createBuiltinAuth({ db, now: () => new Date(), randomBytes });
  return {
    ...connectAuth(options, http, kbase, builtin),
    ...(await connectCatalog(options, http, kbase)),
    otherRunner: await connectRunner(options, adminToken),
    statistics:
      config.catalog === 'kbase' && adminToken !== null
        ? createStatisticsSink({ http, url: kbase.catalog, token: adminToken })
        : null,
  };
}

/**
 * | auth    | workspaces | tokens              | workspaces are made and shared |
 * | ------- | ---------- | ------------------- | ------------------------------ |
 * | builtin | builtin    | here                | here                           |
 * | kbase   | builtin    | there; refused here | here, between KBase's users    |
 * | kbase   | kbase      | there; refused here | there; refused here            |
 */
function connectAuth({ config, db }: ConnectOptions, http: Http, kbase: KbaseAddresses, builtin: BuiltinAuth) {
  if (config.auth !== 'kbase') {
    return { identify: builtin.identify, people: builtin, workspaces: builtin, builtinAuth: builtin };
  }
  const { token_cache_seconds: fresh = 300, outage_grace_seconds: grace = 3600 } = config.kbase ?? {};
  const kept = { now: Date.now, freshMs: fresh * 1000, graceMs: grace * 1000 };
  const { identify } = createKbaseAuth({ http, loginUrl: kbase.login, authUrl: kbase.auth, ...kept });
  const tokens = elsewhere(['createToken', 'listTokens', 'revokeToken'], `tokens are made by KBase: ${kbase.auth}`);
  if (config.workspaces !== 'kbase') {
    return { identify, people: { ...workspacesHere(db, builtin), ...tokens }, workspaces: builtin, builtinAuth: null };
  }
  const calls = ['createWorkspace', 'listWorkspaces', 'shareWorkspace'] as const;
  const people = { ...elsewhere(calls, `workspaces are KBase's: ${kbase.workspace}`), ...tokens };
  return { identify, people, workspaces: createKbaseWorkspaces({ http, url: kbase.workspace }), builtinAuth: null };
}

/** Users are KBase's, and get their row here when a workspace names them; whether there is such a user only KBase knows. */
function workspacesHere(
  db: Db,
  builtin: BuiltinAuth,
): Pick<People, 'createWorkspace' | 'listWorkspaces' | 'shareWorkspace'> {
  return {
    listWorkspaces: builtin.listWorkspaces,
    async createWorkspace(actor, name) {
      await addUserIfNew(db, actor.user);
      return builtin.createWorkspace(actor, name);
    },
    async shareWorkspace(actor, wsid, user, role) {
      if (user !== EVERYONE) {
        checkUserName(user);
        await addUserIfNew(db, user);
      }
      return builtin.shareWorkspace(actor, wsid, user, role);
    },
  };
}

const EVERYONE = '*';

async function connectCatalog(
  { config, db, dataDir, settings, log }: ConnectOptions,
  http: Http,
  kbase: KbaseAddresses,
) {
  const builtin = createBuiltinCatalog({
    db,
    appsDir: join(dataDir, 'apps'),
    shared: db.kind === 'postgres',
    log,
  });
  await builtin.keepMissingBundles();
  if (config.catalog !== 'kbase') return { catalog: builtin, apps: builtin };
  const catalog = createKbaseCatalog({ http, url: kbase.catalog, now: Date.now });
  const calls = ['addApp', 'moveTag', 'withdraw', 'listApps', 'showApp'] as const;
  const apps: Apps = {
    ...elsewhere(calls, `apps are registered in KBase's Catalog: ${kbase.catalog}`),
    describeMethod: (method, version) => describeMethod(catalog, settings, method, version),
  };
  return { catalog, apps };
}

/** With what a job of it would get, since the Catalog itself leaves most of that to the client group. */
async function describeMethod(
  catalog: Catalog,
  settings: ServiceSettings,
  method: string,
  version: string | undefined,
): Promise<MethodView> {
  const [found] = await catalog.resolve([{ method, version }]);
  if (found === undefined || !found.ok) throw new RepriseError(found?.code ?? 'INTERNAL', found?.sentence ?? method);
  const { spec } = found;
  const { options: _, ...requirements } = resolveNeeds(settings, spec, { method: spec.method });
  const { commit, tag, timeoutMs: timeout_ms } = spec;
  return { method: spec.method, commit, tag, timeout_ms, requirements, params_schema: null };
}

function elsewhere<K extends string>(calls: readonly K[], sentence: string): Record<K, () => Promise<never>> {
  const refuse = () => Promise.reject(new RepriseError('CONFLICT', sentence));
  return Object.fromEntries(calls.map((call) => [call, refuse])) as Record<K, () => Promise<never>>;
}

async function connectRunner({ config, db, runnerUrl }: ConnectOptions, adminToken: Secret | null) {
  const { command, env = {}, grace_seconds: graceSeconds = DEFAULT_GRACE_SECONDS } = config.runner ?? {};
  if (command === undefined) return null;
  const key =
    readKey(config.token_key_file) ?? (await ensureSecret(db, 'job-tokens', () => randomBytes(SEAL_KEY_BYTES)));
  const timeout = { DOCKER_JOB_TIMEOUT: config.list_config?.docker_timeout ?? '604805' };
  return { command, url: runnerUrl, env: { ...timeout, ...env }, adminToken, graceSeconds, seal: createSeal(key) };
}

function readSecret(file: string | undefined): Secret | null {
  if (file === undefined) return null;
  const text = readNamed(file, 'kbase.admin_token_file').trim();
  if (/^[\x21-\x7e]+$/.test(text)) return new Secret(text);
  throw new RepriseError('INVALID_INPUT', `kbase.admin_token_file: ${file} must hold one token and nothing else`);
}

function readKey(file: string | undefined): Uint8Array | null {
  if (file === undefined) return null;
  const text = readNamed(file, 'token_key_file').trim();
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, 'hex');
  const way = 'make one with: openssl rand -hex 32';
  throw new RepriseError('INVALID_INPUT', `token_key_file: ${file} must hold 64 hex digits and nothing else; ${way}`);
}

function readNamed(file: string, member: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new RepriseError('INVALID_INPUT', `${member}: ${(error as Error).message}`);
  }
}
