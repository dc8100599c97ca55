/** A PostgreSQL 15 server of the benchmark's own, as Debian sets it up (fsync on), under a user that may run one. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, chownSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from '../scripts/free-ports.mjs';
import { remove, temporary } from './place.mjs';

const BIN = '/usr/lib/postgresql/15/bin';

/** Where a part spends its time. */
const PROFILED = [
  "shared_preload_libraries = 'pg_stat_statements'",
  'pg_stat_statements.track = top',
  'pg_stat_statements.track_planning = on',
  'track_io_timing = on',
];
const MOST = `
  select
    round(total_exec_time) as ms, round(total_plan_time) as planning_ms, calls,
    round((total_exec_time / calls)::numeric, 3) as each_ms, rows,
    left(regexp_replace(query, '\\s+', ' ', 'g'), 130) as statement
  from pg_stat_statements
  where calls > 0
  order by total_exec_time + total_plan_time desc
  limit 15`;

export async function startPostgres({ profiled = false } = {}) {
  const directory = temporary();
  const owner = ownerOf(directory);
  const data = join(directory, 'data');
  const run = (program, ...args) =>
    execFileSync(join(BIN, program), args, { ...owner, cwd: directory, stdio: ['ignore', 'ignore', 'inherit'] });
  run('initdb', '-D', data, '-U', 'owner', '-E', 'UTF8', '--locale=C', '--auth=trust', '--no-instructions');
  const port = await freePort();
  const settings = [
    `port = ${port}`,
    `unix_socket_directories = '${directory}'`,
    'max_wal_size = 4GB',
    ...(profiled ? PROFILED : []),
  ];
  appendFileSync(join(data, 'postgresql.conf'), `${settings.join('\n')}\n`);
  run('pg_ctl', '-D', data, '-w', '-l', join(directory, 'log'), 'start');
  const stop = () => run('pg_ctl', '-D', data, '-m', 'immediate', 'stop');
  process.once('exit', stop);
  const url = (database) => `postgres://owner@127.0.0.1:${port}/${database}`;
  let databases = 0;
  const connect = async (target) => {
    const client = new pg.Client(target);
    await client.connect();
    return client;
  };
  const ask = async (text) => {
    const client = await connect(url('postgres'));
    return (await client.query(text).finally(() => client.end())).rows;
  };
  if (profiled) await ask('create extension pg_stat_statements');
  return {
    connect,
    /** The statements that took longest since the last time, if it is profiled. */
    async profile() {
      const rows = profiled ? await ask(MOST) : [];
      if (profiled) await ask('select pg_stat_statements_reset()');
      return rows;
    },
    /** The main process; those of connections are its children. */
    pid: Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]),
    async createDatabase() {
      databases += 1;
      await ask(`create database bench_${databases}`);
      return url(`bench_${databases}`);
    },
    version: async () => (await ask('show server_version'))[0].server_version.split(' ')[0],
    async close() {
      process.removeListener('exit', stop);
      stop();
      remove(directory);
    },
  };
}

/** PostgreSQL refuses to run as root. */
function ownerOf(directory) {
  if (process.getuid() !== 0) return {};
  const id = (flag) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  const owner = { uid: id('-u'), gid: id('-g') };
  chownSync(directory, owner.uid, owner.gid);
  return owner;
}
