/** `reprise serve`: the server in the foreground. The only command that is not a client. */
import { type Command, Option } from 'commander';
import { RepriseError } from '../contract/errors.js';
import type { RunningServer } from '../server.js';
import { megabytes, natural, positive } from './options.js';
import { EXIT, paint, print, say } from './output.js';
import { dataDirOf } from './session.js';

const LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const;

interface ServeOptions {
  readonly port: number;
  readonly host: string;
  readonly dataDir?: string;
  readonly databaseUrl?: string;
  readonly databasePool?: number;
  readonly cpus?: number;
  readonly memory?: number;
  readonly logLevel?: (typeof LEVELS)[number];
}

const EXAMPLES = `
The address is printed on standard output when the server is ready; the log is
one JSON object a line on standard error. Ctrl-C (or SIGTERM) stops it: running
jobs go on, and the next start finds them. A second Ctrl-C ends it at once,
which loses nothing either.

Examples:
  reprise serve
  reprise serve --data-dir /srv/reprise --cpus 16 --memory 64G
  reprise serve --port 0 --log-level info   # any free port
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
    .addOption(new Option('--cpus <n>', 'for jobs (default: all)').argParser(positive))
    .addOption(new Option('--memory <size>', 'for jobs, in MB or 64G (default: 80 %)').argParser(megabytes))
    .addOption(new Option('--log-level <level>', 'at a terminal warn, else info').choices(LEVELS))
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
  const { createLog } = await import('../log.js');
  const { host, port, cpus, memory } = options;
  const level = options.logLevel ?? (process.stderr.isTTY === true ? 'warn' : 'info');
  const { databaseUrl: url, databasePool: poolSize } = options;
  const database = url === undefined ? {} : { database: { url, ...(poolSize !== undefined && { poolSize }) } };
  const limits = { ...(cpus !== undefined && { cpus }), ...(memory !== undefined && { memoryMb: memory }) };
  try {
    return await startServer({ dataDir, ...database, host, port, ...limits, log: createLog({ level }) });
  } catch (error) {
    throw explained(error, options);
  }
}

function explained(error: unknown, { host, port }: ServeOptions): unknown {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE':
      return new RepriseError('CONFLICT', `port ${port} of ${host} is in use; choose another with --port, or --port 0`);
    case 'EACCES':
      return new RepriseError('FORBIDDEN', `${(error as Error).message}; choose another --port or --data-dir`);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new RepriseError('INVALID_INPUT', `--host ${host} is no address of this machine`);
    default:
      return error;
  }
}

function announce(server: RunningServer, dataDir: string): void {
  say(`${paint('bold', 'Reprise', process.stderr)} serves ${dataDir}`);
  say(`  admin token  ${server.adminTokenFile}`);
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
