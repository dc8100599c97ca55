/**
 * A real Slurm on this machine, for tests and the demo: munged, slurmctld and a slurmd per node, all on loopback, all
 * children of this process, everything in one directory. Needs Debian's munge, slurmctld, slurmd and slurm-client, and
 * changes nothing outside the directory. No accounting, no cgroups.
 */
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from './free-ports.mjs';

const SBIN = ['/usr/sbin', '/sbin', ...(process.env.PATH ?? '').split(':')];
const PATIENCE_MS = 120_000;
/** Longer than KillWait. */
const SETTLE_MS = 10_000;
const LOOK_MS = 50;

/** The programs that are missing, by name. */
export function missingPrograms() {
  return ['munged', 'slurmctld', 'slurmd', 'sbatch'].filter((name) => programOf(name) === null);
}

function programOf(name) {
  const directory = SBIN.find((one) => existsSync(join(one, name))) ?? null;
  return directory === null ? null : join(directory, name);
}

const DEFAULTS = { nodes: 1, cpus: 4, memoryMb: 4000, partitions: {}, credentialSeconds: 120, settings: {} };

/** `settings`: lines of slurm.conf that beat those below. Resolves when every node takes jobs. */
export async function up(directory, options = {}) {
  const { nodes, cpus, memoryMb, partitions, credentialSeconds, settings } = { ...DEFAULTS, ...options };
  const missing = missingPrograms();
  if (missing.length > 0)
    throw new Error(`${missing.join(', ')} missing: node scripts/ensure.mjs --tests installs them`);
  const names = Array.from({ length: nodes }, (_, at) => `n${at + 1}`);
  prepare(directory, names);
  const ports = await freePorts(nodes + 1);
  const conf = join(directory, 'slurm.conf');
  const shape = { names, ports, cpus, memoryMb, partitions, credentialSeconds };
  const env = { ...process.env, SLURM_CONF: conf };
  const configure = (more) => writeFileSync(conf, configuration(directory, shape, { ...settings, ...more }));
  configure({});
  const munged = daemon('munged', mungeArguments(directory), env);
  const controller = daemon('slurmctld', ['-D'], env);
  const workers = new Map(names.map((name) => [name, daemon('slurmd', ['-D', '-N', name], env)]));
  const all = [munged, controller, ...workers.values()];
  const killAll = () => {
    for (const one of all) one.signal('SIGKILL');
  };
  process.once('exit', killAll);
  const down = async () => {
    spawnSync('scancel', ['--quiet', `--user=${userInfo().username}`], { env, stdio: 'ignore', timeout: 5_000 });
    // a daemon that ends takes no job with it
    if (all.every((one) => one.pid !== undefined)) await settled(() => countJobs(env) === 0);
    await Promise.all([...workers.values()].map((one) => one.stop('SIGTERM')));
    await controller.stop('SIGTERM');
    await munged.stop('SIGTERM');
    process.off('exit', killAll);
  };
  try {
    await munged.start();
    await until('munged to listen', () => existsSync(join(directory, 'munge', 'socket')));
    await controller.start();
    await Promise.all([...workers.values()].map((one) => one.start()));
    await until('the nodes to be idle', () => countIdle(env) === nodes);
  } catch (error) {
    killAll();
    throw error;
  }
  return { env: { SLURM_CONF: conf }, directory, controller, nodes: workers, configure, down };
}

function prepare(directory, names) {
  for (const name of ['munge', 'state', 'spool', 'log', 'run', ...names.map((node) => join('spool', node))]) {
    mkdirSync(join(directory, name), { recursive: true, mode: 0o755 });
  }
  const key = join(directory, 'munge', 'key');
  if (!existsSync(key)) writeFileSync(key, randomBytes(32), { mode: 0o400 });
  rmSync(join(directory, 'munge', 'socket'), { force: true });
  chmodSync(join(directory, 'munge'), 0o755);
}

function mungeArguments(directory) {
  const file = (name) => join(directory, 'munge', name);
  return [
    '--foreground',
    '--force',
    `--key-file=${file('key')}`,
    `--socket=${file('socket')}`,
    `--pid-file=${file('pid')}`,
    `--log-file=${file('log')}`,
    `--seed-file=${file('seed')}`,
  ];
}

function configuration(directory, { names, ports, cpus, memoryMb, partitions, credentialSeconds }, settings) {
  const user = userInfo().username;
  const host = hostname().split('.')[0];
  const all = {
    ClusterName: 'reprise',
    SlurmctldHost: `${host}(127.0.0.1)`,
    SlurmctldPort: ports[0],
    // binds every daemon to 127.0.0.1 instead of all addresses
    CommunicationParameters: 'NoCtldInAddrAny,NoInAddrAny',
    SlurmUser: user,
    SlurmdUser: user,
    AuthType: 'auth/munge',
    AuthInfo: `socket=${join(directory, 'munge', 'socket')},cred_expire=${credentialSeconds}`,
    CredType: 'cred/munge',
    StateSaveLocation: join(directory, 'state'),
    SlurmdSpoolDir: join(directory, 'spool', '%n'),
    SlurmctldPidFile: join(directory, 'run', 'slurmctld.pid'),
    SlurmdPidFile: join(directory, 'run', 'slurmd.%n.pid'),
    SlurmctldLogFile: join(directory, 'log', 'slurmctld.log'),
    SlurmdLogFile: join(directory, 'log', 'slurmd.%n.log'),
    ProctrackType: 'proctrack/linuxproc',
    TaskPlugin: 'task/none',
    JobAcctGatherType: 'jobacct_gather/none',
    MpiDefault: 'none',
    SwitchType: 'switch/none',
    MailProg: '/bin/true',
    SelectType: 'select/cons_tres',
    SelectTypeParameters: 'CR_Core',
    SchedulerType: 'sched/backfill',
    SchedulerParameters: 'batch_sched_delay=0,sched_min_interval=10000,bf_interval=1',
    MaxJobCount: 50_000,
    MinJobAge: 300,
    ReturnToService: 2,
    SlurmdTimeout: 30,
    KillWait: 5,
    // more cpus than the machine has
    SlurmdParameters: 'config_overrides',
    ...settings,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}=${value}`);
  const nodes = names.map(
    (name, at) =>
      `NodeName=${name} NodeHostname=${host} NodeAddr=127.0.0.1 Port=${ports[at + 1]} CPUs=${cpus} RealMemory=${memoryMb} State=UNKNOWN`,
  );
  const main = 'PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP';
  const others = Object.entries(partitions).map(([name, of]) => `PartitionName=${name} Nodes=${of} MaxTime=INFINITE`);
  return `${[...lines, ...nodes, main, ...others].join('\n')}\n`;
}

/** A program in the foreground, which can be ended and started again. */
function daemon(name, args, env) {
  let child = null;
  const self = {
    get pid() {
      return child?.pid;
    },
    async start() {
      // a parent that is killed takes its daemons with it; in a group of their own, because Ctrl-C at a terminal is for who
      // takes them down in their order
      const words = ['--pdeathsig', 'KILL', programOf(name), ...args];
      const started = spawn('setpriv', words, { env, stdio: 'ignore', detached: true });
      started.once('exit', () => {
        if (child === started) child = null;
      });
      child = started;
      await new Promise((done, fail) => started.once('spawn', done).once('error', fail));
    },
    signal(signal) {
      child?.kill(signal);
    },
    /** Resolves when it has ended; after a while it is killed. */
    async stop(signal) {
      const ending = child;
      if (ending === null) return;
      const gone = new Promise((done) => ending.once('exit', done));
      ending.kill(signal);
      const late = setTimeout(() => ending.kill('SIGKILL'), 10_000);
      await gone;
      clearTimeout(late);
    },
  };
  return self;
}

const countIdle = (env) => countLines(env, 'sinfo', '-h', '-N', '-p', 'main', '-t', 'idle', '-o', '%N');
const countJobs = (env) => countLines(env, 'squeue', '-h', '-o', '%i');

/** None, if it gives no answer. */
function countLines(env, program, ...args) {
  const { stdout } = spawnSync(program, args, { env, encoding: 'utf8', timeout: 5_000 });
  return (stdout ?? '').split('\n').filter((line) => line !== '').length;
}

async function until(what, isSo) {
  if (!(await settled(isSo, PATIENCE_MS))) throw new Error(`waited in vain for ${what}`);
}

async function settled(isSo, patienceMs = SETTLE_MS) {
  for (const deadline = Date.now() + patienceMs; Date.now() < deadline; await sleep(LOOK_MS)) {
    if (isSo()) return true;
  }
  return false;
}
