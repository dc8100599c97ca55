/**
 * The composition root: puts the parts together, starts them in order, stops them in reverse. Killed anywhere, the next
 * start finds the record as it was committed; running jobs go on without the server and are found again.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, hostname, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildApp } from './api/app.js';
import { listen } from './api/listen.js';
import { createSessions } from './api/session.js';
import { signInPath } from './api/ui.js';
import type { BuiltinAuth } from './auth/builtin.js';
import { createDispatchTokens } from './auth/job-token.js';
import type { Config } from './config/schema.js';
import { settingsOf } from './config/settings.js';
import { slurmOptionsOf } from './config/slurm.js';
import { schedulerNameFor, schedulersOf } from './config/together.js';
import { type Connections, connect } from './connect.js';
import { createIdSource } from './contract/ids.js';
import type { Context } from './engine/context.js';
import { createEngine } from './engine/create-engine.js';
import { createDispatcher } from './engine/dispatch.js';
import { createLeases } from './engine/leases.js';
import { createSpared } from './engine/next-dispatch.js';
import { spreadHints } from './engine/spread-hints.js';
import { createWake, type Wake } from './engine/wake.js';
import type { Log } from './log.js';
import { examineFor } from './maintenance/doctor.js';
import { every, type Loop } from './maintenance/every.js';
import { createHearing } from './maintenance/hearing.js';
import { createHosts, type Hosts } from './maintenance/hosts.js';
import { createReadiness } from './maintenance/readiness.js';
import { createReconciler, SILENCE_MS } from './maintenance/reconciler.js';
import { createStatistics } from './maintenance/statistics.js';
import { type UpkeepOptions, upkeepLoops } from './maintenance/upkeep.js';
import { createMetrics } from './metrics.js';
import { createExternalScheduler } from './schedulers/external.js';
import { createLocalScheduler } from './schedulers/local.js';
import type { Scheduler } from './schedulers/scheduler.js';
import { createSlurmScheduler } from './schedulers/slurm.js';
import type { Db } from './store/db.js';
import { openEmbeddedDb } from './store/embedded.js';
import { lockDirectory } from './store/embedded-lock.js';
import { countUnfinishedJobs } from './store/jobs.js';
import { findMissingMigration, migrate } from './store/migrate.js';
import { openPostgresDb } from './store/postgres.js';
import { findUnfitness } from './store/postgres-session.js';
import { ensureSecret } from './store/secrets.js';
import { readVersion } from './version.js';

export interface ServerOptions {
  /** Holds everything: the database unless it is elsewhere, apps, working directories, the admin token. Made if missing. */
  readonly dataDir: string;
  /** A PostgreSQL server, shared with any number of other servers of ours; without it the database is in `dataDir`. */
  readonly database?: DatabaseOptions;
  /** Bound as it is given; 127.0.0.1 unless told. */
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  /** A bound socket that whoever started us keeps; instead of `host` and `port`. */
  readonly listenFd?: number;
  /** What jobs may use on this machine; by default all cpus and 80 % of the memory. */
  readonly cpus?: number;
  readonly memoryMb?: number;
  /** How long other servers on the database wait for a sign of life before they give up this machine's jobs; 5 minutes. */
  readonly hostLeaseMs?: number;
  /** When jobs that do not get on are ended, and how long logs, events and requests are kept. */
  readonly upkeep?: UpkeepOptions;
  /** Bytes; 64 MB unless told. */
  readonly bodyLimit?: number;
  /** Who knows users, apps and workspaces, where jobs run, client groups; without it everything is built in. */
  readonly config?: Config;
  readonly log: Log;
}

export interface DatabaseOptions {
  /** As psql takes it. */
  readonly url: string;
  /** Most connections of this server. */
  readonly poolSize?: number;
}

export interface RunningServer {
  readonly url: string;
  /** Null where tokens are made elsewhere. */
  readonly adminTokenFile: string | null;
  /** An address that signs a browser in as the machine's owner, once, within ten minutes; null without such an owner. */
  readonly signInUrl: (() => string) | null;
  /** Running jobs go on; the next server on the same directory finds them. */
  close(): Promise<void>;
}

const MIGRATIONS = fileURLToPath(new URL('../migrations', import.meta.url));
const WEB = fileURLToPath(new URL('../dist/web', import.meta.url));
const MEGABYTE = 1024 * 1024;
/** Of one call for the doctor. */
const EXAMINE_MS = 1_000;
/** Longer than an upgrade of the server or a restart of its machine. */
const HOST_LEASE_MS = 5 * 60_000;
const RECONCILE_MS = 5_000;

export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const closing: (() => unknown)[] = [];
  const close = async () => {
    for (const step of closing.splice(0).reverse()) await step();
  };
  try {
    return { ...(await startParts(options, closing)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startParts(options: ServerOptions, closing: (() => unknown)[]) {
  const { dataDir, log } = options;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const db = await openDb(options, closing);
  closing.push(() => db.close());
  await migrate(db, MIGRATIONS);

  const config = options.config ?? {};
  let url = '';
  const runnerUrl = () => config.runner?.url ?? `${url}/services/ee2`;
  const settings = settingsOf(config, runnerUrl);
  const connections = await connect({ config, db, dataDir, settings, runnerUrl, log: toLog(log) });
  const schedulers = createSchedulers(options, () => url);
  const wake = createWake({ dispatch: 5, events: 50, cancel: 50 });
  const hosts = createHostsFor(options, db, schedulers.get('local'), () => url);
  const ctx: Context = {
    db,
    catalog: connections.catalog,
    workspaces: connections.workspaces,
    schedulers,
    schedulerFor: (group) => schedulers.get(schedulerNameFor(config, group)) as Scheduler,
    limitsOf: hosts.limitsOf,
    otherRunner: connections.otherRunner,
    tokens: createDispatchTokens(await ensureSecret(db, 'dispatch-tokens', () => randomBytes(32))),
    ids: createIdSource(Date.now, randomBytes),
    leases: createLeases(db),
    spared: createSpared(toLog(log)),
    settings,
    wake: wake.wake,
    onEvents: (listener) => wake.on('events', listener),
    log: toLog(log),
  };
  const sessions = createSessions({
    key: await ensureSecret(db, 'web-sessions', () => randomBytes(32)),
    now: () => new Date(),
    randomBytes,
  });
  const engine = createEngine(ctx);
  let stopping = false;
  const metrics = createMetrics({ unfinishedJobs: () => countUnfinishedJobs(db) });
  const { version, commit } = readVersion();
  const app = buildApp({
    engine,
    examine: (cursor, repair) => examineFor(db, cursor, { repair, budgetMs: EXAMINE_MS }),
    readiness: createReadiness(ctx, {
      database: () => findUnfitness(db),
      migrations: async () => lacks(await findMissingMigration(db, MIGRATIONS)),
      stopping: () => stopping,
    }),
    apps: connections.apps,
    people: connections.people,
    identify: connections.identify,
    dispatchTokens: ctx.tokens,
    sessions,
    webDir: WEB,
    settings,
    version,
    gitCommit: commit,
    bodyLimit: options.bodyLimit ?? 64 * MEGABYTE,
    log,
    metrics,
  });
  const { host, port, listenFd: fd } = options;
  const listening = await listen(app, { host, port, ...(fd !== undefined && { fd }) });
  url = listening.url;
  closing.push(() => listening.close());

  await startLoops(ctx, wake, hosts, connections, options.upkeep ?? {}, closing);
  const { builtinAuth } = connections;
  const adminTokenFile = builtinAuth === null ? null : await writeAdminToken(builtinAuth, dataDir);
  const serverFile = join(dataDir, 'server.json');
  writeWhole(serverFile, JSON.stringify({ url, pid: process.pid }));
  closing.push(() => rmSync(serverFile, { force: true }));
  closing.push(() => {
    stopping = true;
  });
  return { url, adminTokenFile, signInUrl: adminTokenFile === null ? null : () => signInUrl(adminTokenFile) };

  function signInUrl(tokenFile: string): string {
    return url + signInPath(sessions.offer(async () => readFileSync(tokenFile, 'utf8').trim()).code);
  }
}

async function openDb({ database, dataDir, log }: ServerOptions, closing: (() => unknown)[]): Promise<Db> {
  if (database === undefined) return openEmbeddedDb({ dataDir, onFatal: (error) => dieOf(error, log) });
  // the runner host, the mirrors and the name of the machine are in the directory: one server each
  const lock = await lockDirectory(realpathSync(dataDir), (error) => dieOf(error, log));
  closing.push(() => lock.release());
  return openPostgresDb({ ...database, log: toLog(log) });
}

/**
 * Those that jobs may be given to, and those that earlier configurations gave jobs to: their jobs are still seen to.
 * `external` costs nothing; `local` starts its host, so only where it was used; `slurm` where it is configured.
 */
function createSchedulers(options: ServerOptions, url: () => string): Map<string, Scheduler> {
  const stateDir = join(options.dataDir, 'local');
  const isLocal = schedulersOf(options.config ?? {}).includes('local') || existsSync(stateDir);
  const { config = {}, dataDir } = options;
  const isSlurm = schedulersOf(config).includes('slurm') || config.slurm !== undefined;
  const slurm = () => createSlurmScheduler({ ...slurmOptionsOf(config, dataDir, url), log: toLog(options.log) });
  const made = [
    ...(isLocal ? [createLocal(options, stateDir, url)] : []),
    ...(isSlurm ? [slurm()] : []),
    createExternalScheduler(),
  ];
  return new Map(made.map((scheduler) => [scheduler.name, scheduler]));
}

function createLocal({ dataDir, cpus, memoryMb, log }: ServerOptions, stateDir: string, url: () => string): Scheduler {
  return createLocalScheduler({
    stateDir,
    url,
    cpus: cpus ?? availableParallelism(),
    memoryMb: memoryMb ?? Math.floor((totalmem() / MEGABYTE) * 0.8),
    hostName: hostIdOf(dataDir),
    log: toLog(log),
  });
}

function createHostsFor({ hostLeaseMs, log }: ServerOptions, db: Db, local: Scheduler | undefined, url: () => string) {
  const leaseMs = hostLeaseMs ?? HOST_LEASE_MS;
  const now = () => performance.now();
  return createHosts({ db, scheduler: local ?? null, url, leaseMs, now, log: toLog(log) });
}

async function startLoops(
  ctx: Context,
  wake: Wake,
  hosts: Hosts,
  { statistics: send }: Connections,
  upkeep: UpkeepOptions,
  closing: (() => unknown)[],
) {
  // before anything is dispatched here: what has no lease is given up by other servers
  await hosts.renew();
  if (ctx.db.kind === 'postgres') closing.push(await spreadHints(ctx.db, wake, randomBytes(8).toString('hex')));
  const dispatcher = createDispatcher(ctx);
  const hearing = createHearing(SILENCE_MS, RECONCILE_MS, () => performance.now());
  const reconciler = createReconciler(ctx, dispatcher.underWay, hearing);
  const { log } = ctx;
  const dispatching = every({ name: 'dispatch', intervalMs: 2_000, run: dispatcher.runOnce, log });
  const reconciling = every({ name: 'reconcile', intervalMs: RECONCILE_MS, run: reconciler.runOnce, log });
  const renewing = every({ name: 'leases', intervalMs: 5_000, run: ctx.leases.flush, log });
  const loops = [
    dispatching,
    reconciling,
    renewing,
    ...hostLoops(ctx, hosts),
    ...statisticsLoops(ctx, send),
    ...upkeepLoops(ctx, upkeep),
  ];
  for (const scheduler of ctx.schedulers.values()) {
    scheduler.onChange(() => ctx.wake('dispatch'));
    await scheduler.start();
    closing.push(() => scheduler.stop());
  }
  wake.on('dispatch', dispatching.nudge);
  wake.on('cancel', reconciling.nudge);
  for (const loop of loops) {
    loop.start();
    closing.push(() => loop.stop());
  }
}

function hostLoops(ctx: Context, hosts: Hosts): Loop[] {
  const { intervalMs } = hosts;
  return [
    every({ name: 'host lease', intervalMs, run: hosts.renew, log: ctx.log }),
    every({ name: 'take over', intervalMs, run: () => hosts.takeOver(ctx), log: ctx.log }),
  ];
}

function statisticsLoops({ db, log }: Context, send: Connections['statistics']): Loop[] {
  if (send === null) return [];
  const statistics = createStatistics({ db, server: randomUUID(), send, now: Date.now, log });
  const loop = every({ name: 'statistics', intervalMs: 5_000, run: statistics.runOnce, log });
  const stop = () => {
    statistics.stop();
    return loop.stop();
  };
  return [{ ...loop, stop }];
}

/**
 * The name under which this directory's jobs are recorded. It stays with the directory, whatever the machine is called, so
 * that a server started again finds its jobs; two directories on one machine have two names.
 */
function hostIdOf(dataDir: string): string {
  const file = join(dataDir, 'host-id');
  const known = readIfThere(file);
  if (known) return known;
  const made = `${hostname()}-${randomBytes(3).toString('hex')}`;
  writeWhole(file, `${made}\n`);
  return made;
}

const lacks = (file: string | null) => (file === null ? null : `the schema lacks ${file}`);

/** The token of the machine's owner: made anew if its file is missing or is no longer good. */
async function writeAdminToken(auth: BuiltinAuth, dataDir: string): Promise<string> {
  const file = join(dataDir, 'admin-token');
  const token = await auth.ensureAdminToken(readIfThere(file));
  writeWhole(file, `${token}\n`);
  return file;
}

function readIfThere(file: string): string | null {
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : null;
}

/** Killed while writing, the old file stands. */
function writeWhole(file: string, text: string): void {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, text, { mode: 0o600 });
  renameSync(draft, file);
}

function toLog(log: Log): Context['log'] {
  return (message, detail) => log.info(detail ?? {}, message);
}

/** Without its store the server knows nothing; running jobs go on and the next start finds them. */
function dieOf(error: unknown, log: Log): never {
  log.fatal({ error }, 'the data directory or its database is lost to this server; start it again');
  process.exit(70);
}
