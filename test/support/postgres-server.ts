/** A PostgreSQL 15 server of a test's own, as a user that may run one, on a free port and a socket; it can be killed. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { appendFileSync, chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from '../../scripts/free-ports.mjs';
import { isAlive } from '../../src/runner/tree.js';
import { until } from './until.js';

const BIN = '/usr/lib/postgresql/15/bin';
/** When the test process dies, however it does, its pipe closes and the server ends too; when the server ends, so does this. */
const UNTIL_PIPE_CLOSES =
  'exec 3<&0; "$@" 3<&- & server=$!; (cat <&3 >/dev/null; kill -QUIT "$server") & exec 3<&-; wait "$server"';
/** What a server says of one that was killed, until the last of its processes has noticed. */
const NOT_GONE_YET = /is still in use|lock file .* already exists/;

export interface PostgresServer {
  readonly directory: string;
  readonly port: number;
  /** Of a database, by TCP; `query` is appended, e.g. `sslmode=require`. */
  url(database: string, user?: string): string;
  /** A new, empty one. */
  createDatabase(): Promise<string>;
  /** As the owner of the server. */
  sql(text: string, database?: string): Promise<pg.QueryResult>;
  /** `kill`: the whole server at once, as a crash is. */
  stop(how?: 'fast' | 'kill'): Promise<void>;
  start(): Promise<void>;
  /** Lines for postgresql.conf; effective at the next start. */
  configure(lines: string): void;
  /** Lines for pg_hba.conf, before all others; effective at once. */
  guard(lines: string): Promise<void>;
  /** Starts it again with this key and certificate (texts). */
  restartWithTls(key: string, certificate: string): Promise<void>;
  /** Ends it and removes everything. */
  close(): Promise<void>;
}

export async function startPostgres(): Promise<PostgresServer> {
  const directory = mkdtempSync(join(tmpdir(), 'reprise-pg-'));
  const owner = ownerOf(directory);
  const data = join(directory, 'data');
  const initdb = ['-D', data, '-U', 'owner', '-E', 'UTF8', '--locale=C', '--auth=trust', '--no-sync'];
  execFileSync(join(BIN, 'initdb'), initdb, { ...owner, cwd: directory, stdio: 'pipe' });
  const port = await freePort();
  const settings = [
    `port = ${port}`,
    `unix_socket_directories = '${directory}'`,
    "listen_addresses = '127.0.0.1'",
    'fsync = off',
    'max_connections = 60',
    'shared_buffers = 64MB',
  ];
  appendFileSync(join(data, 'postgresql.conf'), `${settings.join('\n')}\n`);
  return new Server(directory, data, port, owner).started();
}

class Server implements PostgresServer {
  #child: ChildProcess | null = null;
  #databases = 0;

  constructor(
    readonly directory: string,
    private readonly data: string,
    readonly port: number,
    private readonly owner: Owner,
  ) {}

  async started(): Promise<this> {
    await this.start();
    return this;
  }

  url(database: string, user = 'owner'): string {
    return `postgres://${user}@127.0.0.1:${this.port}/${database}`;
  }

  async createDatabase(): Promise<string> {
    this.#databases += 1;
    const name = `test_${this.#databases}`;
    await this.sql(`create database ${name}`);
    return this.url(name);
  }

  async sql(text: string, database = 'postgres'): Promise<pg.QueryResult> {
    const client = new pg.Client(this.url(database));
    client.on('error', () => undefined);
    await client.connect();
    return client.query(text).finally(() => client.end());
  }

  async start(): Promise<void> {
    await until('PostgreSQL to start', async () => {
      const said = await this.#tryToStart();
      if (said !== null && !NOT_GONE_YET.test(said)) throw new Error(`PostgreSQL ended: ${said}`);
      return said === null;
    });
  }

  /** Null when it takes connections, or what it said when it ended. */
  async #tryToStart(): Promise<string | null> {
    const child = spawn('sh', ['-c', UNTIL_PIPE_CLOSES, 'sh', join(BIN, 'postgres'), '-D', this.data], {
      ...this.owner,
      cwd: this.directory,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child = child;
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (text) => {
        said += text;
      });
    }
    const ended = await until('PostgreSQL to take connections', async () => {
      if (child.exitCode !== null) return 'ended';
      return this.sql('select 1').then(
        () => 'up' as const,
        () => false as const,
      );
    });
    if (ended === 'up') return null;
    child.stdin?.end();
    return said;
  }

  async stop(how: 'fast' | 'kill' = 'fast'): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    this.#child = null;
    const gone = new Promise<void>((done) => child.once('exit', () => done()));
    const pid = Number(readFileSync(join(this.data, 'postmaster.pid'), 'utf8').split('\n')[0]);
    process.kill(pid, how === 'kill' ? 'SIGKILL' : 'SIGINT');
    await until('the PostgreSQL server to be gone', async () => !isAlive(pid));
    child.stdin?.end();
    await gone;
  }

  configure(lines: string): void {
    appendFileSync(join(this.data, 'postgresql.conf'), `${lines}\n`);
  }

  async restartWithTls(key: string, certificate: string): Promise<void> {
    for (const [name, text] of [
      ['server.key', key],
      ['server.crt', certificate],
    ] as const) {
      const file = join(this.data, name);
      writeFileSync(file, text, { mode: 0o600 });
      if (this.owner.uid !== undefined) chownSync(file, this.owner.uid, this.owner.gid ?? this.owner.uid);
    }
    this.configure('ssl = on');
    await this.stop();
    await this.start();
  }

  async guard(lines: string): Promise<void> {
    const file = join(this.data, 'pg_hba.conf');
    writeFileSync(file, `${lines}\n${readFileSync(file, 'utf8')}`);
    await this.sql('select pg_reload_conf()');
  }

  async close(): Promise<void> {
    await this.stop('fast');
    rmSync(this.directory, { recursive: true, force: true });
  }
}

interface Owner {
  readonly uid?: number;
  readonly gid?: number;
}

/** PostgreSQL refuses to run as root. */
function ownerOf(directory: string): Owner {
  if (process.getuid?.() !== 0) return {};
  const name = /^postgres:/m.test(readFileSync('/etc/passwd', 'utf8')) ? 'postgres' : 'nobody';
  const id = (flag: string) => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }));
  const owner = { uid: id('-u'), gid: id('-g') };
  chownSync(directory, owner.uid, owner.gid);
  return owner;
}
