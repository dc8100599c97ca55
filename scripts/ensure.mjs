/**
 * Makes a fresh clone ready to run, and is quick when it is: `npm ci`, `npm run build`. With `--tests` also what the
 * tests need from the system, with `--bench` what the benchmark needs, with `--slurm` what a cluster of the demo's own needs.
 * No dependencies; says on stderr what it does.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { lockSetup } from './setup-lock.mjs';
import { isBuilt, isInstalled, root } from './setup-state.mjs';

const say = (line) => console.error(`set-up: ${line}`);

function fail(sentence) {
  say(sentence);
  process.exit(1);
}

function succeeds(command, ...args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

/** Runs with its output on stderr: stdout belongs to the program that is set up. */
function run(command, args, { cwd = root, tries = 1 } = {}) {
  const child = spawnSync(command, args, { cwd, stdio: ['ignore', 2, 2] });
  if (child.status === 0) return;
  if (tries > 1) {
    spawnSync('sleep', ['10']);
    return run(command, args, { cwd, tries: tries - 1 });
  }
  const how = child.error?.message ?? `exit ${child.status ?? child.signal}`;
  fail(`"${[command, ...args].join(' ')}" failed (${how}); the lines above say why`);
}

function checkMachine() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19))
    fail(`Node ${process.versions.node} is too old; Reprise needs Node 20.19 or newer (https://nodejs.org)`);
  if (!succeeds('git', '--version'))
    fail('git is missing; apps are git repositories, so install git first (Debian: apt-get install git)');
}

function ensureInstalled(directory = '') {
  const path = join(root, directory);
  if (isInstalled(path)) return;
  say(`${join(directory, 'node_modules')} is missing or not what package-lock.json asks for: npm ci`);
  // with NODE_ENV=production npm would leave out the compiler
  run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund'], { cwd: path });
}

function ensureBuilt() {
  if (isBuilt()) return;
  say('dist is missing or older than the sources: npm run build');
  run('npm', ['run', '--silent', 'build']);
}

/** Packages that only one purpose needs: the queues that are measured beside ours. */
const PACKAGES = { '--bench': 'bench/peers' };
const SLURM_PROGRAMS = {
  munge: '/usr/sbin/munged',
  slurmctld: '/usr/sbin/slurmctld',
  slurmd: '/usr/sbin/slurmd',
  'slurm-client': '/usr/bin/sbatch',
};
const slurmFor = (why) =>
  Object.entries(SLURM_PROGRAMS).map(([name, program]) => ({ found: () => existsSync(program), package: name, why }));

/** What a purpose needs from the system: how to see it, the package of Debian that has it, and what for. */
const SYSTEM = {
  '--tests': [
    {
      found: () => existsSync('/usr/lib/postgresql/15/bin/postgres'),
      package: 'postgresql-15',
      why: 'the tests prepare every statement on a PostgreSQL server too',
    },
    {
      found: () => existsSync('/usr/bin/chromium'),
      package: 'chromium',
      why: 'the tests of the web UI use a browser',
    },
    {
      found: () => succeeds('/usr/bin/python3', '-c', 'import requests'),
      package: 'python3-requests',
      why: "the tests call the server as KBase's Python client does",
    },
    ...slurmFor('the tests bring up a Slurm cluster of their own on loopback'),
  ],
  '--bench': [
    {
      found: () => succeeds('sh', '-c', 'parallel --version | grep -q GNU'),
      package: 'parallel',
      why: 'the benchmark runs GNU parallel beside the local scheduler',
    },
    {
      found: () => existsSync('/usr/lib/postgresql/15/bin/postgres'),
      package: 'postgresql-15',
      why: 'the benchmark measures on a PostgreSQL server of its own',
    },
    {
      found: () => existsSync('/usr/bin/redis-server'),
      package: 'redis-server',
      why: 'the benchmark measures BullMQ, which stands on Redis, beside ours',
    },
    ...slurmFor('the benchmark measures on a Slurm cluster of its own on loopback'),
  ],
  '--slurm': slurmFor('no cluster answers here; the demo brings one up on loopback'),
};

function ensureSystem(option) {
  const missing = SYSTEM[option].filter((need) => !need.found());
  if (missing.length === 0) return;
  for (const need of missing) say(`${need.package} is missing (${need.why})`);
  const packages = missing.map((need) => need.package);
  if (!succeeds('apt-get', '--version')) fail(`there is no apt-get here; install by hand: ${packages.join(' ')}`);
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  if (sudo.length > 0 && !succeeds('sudo', '-n', 'true'))
    fail(`only root may install; run: sudo apt-get install --no-install-recommends ${packages.join(' ')}`);
  say(`installing with apt-get: ${packages.join(' ')}`);
  // `env` behind sudo, because sudo drops the variables it is given
  const [program, ...apt] = [
    ...sudo,
    'env',
    'DEBIAN_FRONTEND=noninteractive',
    'apt-get',
    '-qq',
    '-o',
    'DPkg::Lock::Timeout=300',
  ];
  // a machine that has just been started updates its lists by itself, and mirrors fail now and then
  run(program, [...apt, 'update'], { tries: 6 });
  run(program, [...apt, 'install', '-y', '--no-install-recommends', ...packages]);
  const still = missing.filter((need) => !need.found()).map((need) => need.package);
  if (still.length > 0) fail(`${still.join(', ')} was installed, but what it should bring is still not there`);
}

checkMachine();
const unlock = await lockSetup(say);
try {
  ensureInstalled();
  ensureBuilt();
  for (const option of process.argv.slice(2)) {
    if (!(option in SYSTEM)) fail(`unknown option ${option}; known are ${Object.keys(SYSTEM).join(' and ')}`);
    ensureSystem(option);
    if (option in PACKAGES) ensureInstalled(PACKAGES[option]);
  }
} finally {
  unlock();
}
