/** `reprise serve`: the server in the foreground. The only command that is not a client. */
import { type Command, Option } from 'commander';
import { RepriseError } from '../contract/errors.js';
import type { RunningServer } from '../server.js';
import { megabytes, milliseconds, natural, positive } from './options.js';
import { EXIT, paint, print, say } from './output.js';
import type { Level } from './serve-log.js';
import { dataDirOf } from './session.js';

const LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const satisfies readonly Level[];

interface ServeOptions {
  readonly port: number;
  readonly host: string;
  readonly dataDir?: string;
  readonly databaseUrl?: string;
  readonly databasePool?: number;
  readonly hostLease?: number;
  readonly cpus?: number;
  readonly memory?: number;
  readonly logLevel: Level;
}

const EXAMPLES = `
The address is printed on standard output when the server is ready; the log
to standard error, outside of a terminal as one JSON object a line. Ctrl-C (or SIGTERM) stops it: running
jobs go on, and the next start finds them. A second Ctrl-C ends it at once,
which loses nothing either.

Examples:
  reprise serve
  reprise serve --data-dir /srv/reprise --cpus 16 --memory 64G
  reprise serve --port 0 --log-level warn   # any free port
  REPRISE_DATABASE_URL=postgres://reprise:secret@db/reprise reprise serve`;

export function addServe(program: Command): void {
  program
    .command('serve')
    .description('start the server in the foreground')
    .addOption(new Option('--port <port>', '0 = any free one').default(7878).argParser(natural))
    .addOption(new Option('--host <address>', 'to listen on').default('127.0.0.1'))
    .addOption(new Option('--data-dir <dir>', 'holds everything (default: ~/.local/share/reprise)'))
    .addOption(
      new Option(
        '--database-url <url>',
        'a PostgreSQL server, for many servers at once (default: in the data directory)',
      ).env('REPRISE_DATABASE_URL'),
    )
    .addOption(
      new Option('--database-pool <n>', 'connections to it (default: 10)')
        .argParser(positive)
        .env('REPRISE_DATABASE_POOL'),
    )
    .addOption(
      new Option(
        '--host-lease <time>',
        "after so long without a sign of life others give up this machine's jobs (default: 5m)",
      ).argParser(milliseconds),
    )
    .addOption(new Option('--cpus <n>', 'for jobs (default: all)').argParser(positive))
    .addOption(new Option('--memory <size>', 'for jobs, in MB or 64G (default: 80 %)').argParser(megabytes))
    .addOption(new Option('--log-level <level>', 'what the log tells').choices(LEVELS).default('info'))
    .addHelpText('after', EXAMPLES)
    .action(serve);
}

async function serve(options: ServeOptions): Promise<void> {
  const dataDir = dataDirOf(options);
  const stopping = nextSignal();
  warnOfOthers(options.host);
  const server = await start(options, dataDir);
  announce(server, dataDir);
  await stopping;
  say('stopping; running jobs go on (Ctrl-C again: at once)');
  endAtNextSignal();
  await server.close();
  // the close is complete; nothing that is left may hold the process
  process.exit();
}

async function start(options: ServeOptions, dataDir: string): Promise<RunningServer> {
  const { startServer } = await import('../server.js');
  const { createServeLog } = await import('./serve-log.js');
  const { host, port, cpus, memory } = options;
  const log = createServeLog(options.logLevel);
  const limits = { ...(cpus !== undefined && { cpus }), ...(memory !== undefined && { memoryMb: memory }) };
  try {
    return await startServer({ dataDir, host, port, ...limits, log });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'EACCES' && code !== 'EROFS' && code !== 'ENOTDIR') throw error;
    throw new RepriseError('FORBIDDEN', `${dataDir} cannot be written (${message}); choose another with --data-dir`);
  }
}

function announce(server: RunningServer, dataDir: string): void {
  say(`${paint('bold', 'Reprise', process.stderr)} serves ${dataDir}`);
  say(`  admin token  ${server.adminTokenFile}`);
  say(`  web UI       ${server.signInUrl()}  (signs you in; good once, for ten minutes)`);
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
