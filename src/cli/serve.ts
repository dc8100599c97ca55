/** `reprise serve`: the server in the foreground. The only command that is not a client. */
import { type Command, Option } from 'commander';
import type { Config } from '../config/schema.js';
import { RepriseError } from '../contract/errors.js';
import type { RunningServer } from '../server.js';
import { inheritedSocket } from './listen-socket.js';
import { megabytes, milliseconds, natural, positive } from './options.js';
import { EXIT, paint, print, say } from './output.js';
import { configOf, type ServeOptions } from './serve-config.js';
import type { Level } from './serve-log.js';
import { dataDirOf } from './session.js';
import { isRestarted, supervise, tellReady } from './supervise.js';

const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_PORT = 7878;
const LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const satisfies readonly Level[];

const EXAMPLES = `
The address is printed on standard output when the server is ready; the log
to standard error, outside of a terminal as one JSON object a line. Ctrl-C
(or SIGTERM) stops it: running jobs go on, and the next start finds them. A
second Ctrl-C ends it at once, which loses nothing either.

Everything can be set in a file, too (reprise.config.json of the data
directory), and by environment variables: see docs/configuration.md.

Examples:
  reprise serve
  reprise serve --data-dir /srv/reprise --cpus 16 --memory 64G
  reprise serve --port 0 --log-level warn   # any free port
  reprise serve --supervised                # kill -HUP restarts, no call fails
  REPRISE_DATABASE_URL=postgres://reprise:secret@db/reprise reprise serve`;

export function addServe(program: Command): void {
  program
    .command('serve')
    .description('start the server in the foreground')
    .addOption(new Option('--port <port>', '0 = any free one (default: 7878)').argParser(natural))
    .addOption(new Option('--host <address>', 'to listen on (default: 127.0.0.1)'))
    .addOption(new Option('--data-dir <dir>', 'holds everything (default: ~/.local/share/reprise)'))
    .addOption(new Option('--config <file>', 'settings (default: reprise.config.json of the data directory)'))
    .addOption(
      new Option(
        '--database-url <url>',
        'a PostgreSQL server, for many servers at once (default: in the data directory)',
      ),
    )
    .addOption(new Option('--database-pool <n>', 'connections to it (default: 10)').argParser(positive))
    .addOption(
      new Option(
        '--host-lease <time>',
        "after so long without a sign of life others give up this machine's jobs (default: 5m)",
      ).argParser(milliseconds),
    )
    .addOption(new Option('--cpus <n>', 'for jobs (default: all)').argParser(positive))
    .addOption(new Option('--memory <size>', 'for jobs, in MB or 64G (default: 80 %)').argParser(megabytes))
    .addOption(new Option('--log-level <level>', 'what the log tells (default: info)').choices(LEVELS))
    .addOption(new Option('--supervised', 'keep the socket while the server restarts'))
    .addHelpText('after', EXAMPLES)
    .action(serve);
}

async function serve(options: ServeOptions): Promise<void> {
  const dataDir = dataDirOf(options);
  const config = configOf(options, dataDir);
  const fd = inheritedSocket(process.env, process.pid);
  const { host = DEFAULT_HOST, port = DEFAULT_PORT, supervised = false } = config;
  if (supervised && fd === undefined) return process.exit(await supervise(host, port));
  const stopping = nextSignal();
  warnOfOthers(host);
  const server = await start({ ...config, host, port }, dataDir, fd);
  announce(server, dataDir);
  await stopping;
  say('stopping; running jobs go on (Ctrl-C again: at once)');
  endAtNextSignal();
  await server.close();
  // the close is complete; nothing that is left may hold the process
  process.exit();
}

async function start(
  config: Config & { readonly host: string; readonly port: number },
  dataDir: string,
  fd: number | undefined,
): Promise<RunningServer> {
  const { startServer } = await import('../server.js');
  const { createServeLog } = await import('./serve-log.js');
  const { host, port } = config;
  const log = createServeLog(config.log_level ?? 'info');
  try {
    return await startServer({
      dataDir,
      host,
      port,
      ...limitsOf(config),
      ...(fd !== undefined && { listenFd: fd }),
      config,
      log,
    });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'EACCES' && code !== 'EROFS' && code !== 'ENOTDIR') throw error;
    throw new RepriseError('FORBIDDEN', `${dataDir} cannot be written (${message}); choose another with --data-dir`);
  }
}

const DAY_MS = 24 * 3600 * 1000;

function limitsOf(config: Config) {
  const { cpus, memory_mb: memoryMb, body_limit_mb: body, host_lease_seconds: lease } = config;
  const { database_url: url, database_pool: poolSize } = config;
  return {
    ...(cpus !== undefined && { cpus }),
    ...(memoryMb !== undefined && { memoryMb }),
    ...(body !== undefined && { bodyLimit: body * 1024 * 1024 }),
    ...(lease !== undefined && { hostLeaseMs: lease * 1000 }),
    ...(url !== undefined && { database: { url, ...(poolSize !== undefined && { poolSize }) } }),
    upkeep: upkeepOf(config),
  };
}

function upkeepOf({ silent_seconds: silent, queued_days: queued, retention = {} }: Config) {
  const { requests_days: requests, logs_days: logs, events_days: events } = retention;
  return {
    reap: {
      ...(silent !== undefined && { leaseMs: silent * 1000 }),
      ...(queued !== undefined && { queuedMs: queued * DAY_MS }),
    },
    retention: {
      ...(requests !== undefined && { requestsMs: requests * DAY_MS }),
      ...(logs !== undefined && { logsMs: logs * DAY_MS }),
      ...(events !== undefined && { eventsMs: events * DAY_MS }),
    },
  };
}

/** Whoever waits for a first line gets it once, also if the server restarts behind its supervisor. */
function announce(server: RunningServer, dataDir: string): void {
  const isSupervised = tellReady();
  if (isSupervised && isRestarted()) return;
  say(`${paint('bold', 'Reprise', process.stderr)} serves ${dataDir}`);
  if (server.adminTokenFile !== null) say(`  admin token  ${server.adminTokenFile}`);
  if (server.signInUrl !== null) {
    say(`  web UI       ${server.signInUrl()}  (signs you in; good once, for ten minutes)`);
  }
  say(`  API          ${server.url}/api/v1/docs`);
  print(server.url);
}

function warnOfOthers(host: string): void {
  if (/^(127\.|::1$|localhost$)/.test(host)) return;
  say(
    `${paint('yellow', 'warning:', process.stderr)} --host ${host} lets other machines reach this server, and ` +
      'tokens travel unencrypted: put a TLS proxy in front of it',
  );
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

function nextSignal(): Promise<void> {
  return new Promise((done) => {
    for (const signal of SIGNALS) process.once(signal, () => done());
    // our supervisor died: nobody is left to restart us
    process.once('disconnect', () => done());
  });
}

/** npx and npm pass on a Ctrl-C that the terminal has sent us already; that is the same one. */
const SAME_SIGNAL_MS = 500;

function endAtNextSignal(): void {
  const begun = performance.now();
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (performance.now() - begun > SAME_SIGNAL_MS) process.exit(EXIT.interrupted);
    });
  }
}
