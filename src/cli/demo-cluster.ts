/** Where the demo's jobs run with `--scheduler slurm`: a cluster that answers here, or one of the demo's own on loopback. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { hostname, networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { missingPrograms, up } from '../../scripts/slurm-cluster.mjs';

export interface DemoCluster {
  /** What it is. */
  readonly sentences: readonly string[];
  /** Where the server listens, so that nodes reach it. */
  readonly host: string;
  /** Of the server. */
  readonly config: { readonly scheduler: 'slurm'; readonly slurm: { config_file?: string; memory: boolean } };
  close(): Promise<void>;
}

const ensure = fileURLToPath(new URL('../../scripts/ensure.mjs', import.meta.url));
const ASK_MS = 10_000;
const OWN = { nodes: 2, cpus: 2, memoryMb: 2000 };

export async function openDemoCluster(): Promise<DemoCluster> {
  return (await findCluster()) ?? (await openOwn());
}

interface Node {
  readonly host: string;
  readonly address: string;
  readonly memoryMb: number;
}

/** Null: none answers, or it has no node that takes jobs. */
async function findCluster(): Promise<DemoCluster | null> {
  // where no controller answers, it says so at once; the others wait for a connection
  if (!/\bis UP\b/.test(await ask('scontrol', 'ping'))) return null;
  const list = await ask('sinfo', '--noheader', '--Node', '--states=idle,mixed,allocated', '--format=%n|%o|%m');
  const nodes = list.split('\n').flatMap((line): Node[] => {
    const [host, address, memory] = line.split('|');
    return host && address ? [{ host, address, memoryMb: Number.parseInt(memory ?? '', 10) }] : [];
  });
  if (nodes.length === 0) return null;
  const areHere = nodes.every(({ host, address }) => host === hostname().split('.')[0] || address.startsWith('127.'));
  const shared =
    'Its nodes read the genome and this package from this directory, so it has to be on a disk they share.';
  return {
    sentences: [`Slurm answers here; nodes that take jobs: ${nodes.length}.`, ...(areHere ? [] : [shared])],
    host: areHere ? '127.0.0.1' : addressForOthers(),
    // a node without RealMemory has 1 MB, and takes no job that asks for more
    config: { scheduler: 'slurm', slurm: { memory: nodes.every(({ memoryMb }) => memoryMb > 1) } },
    close: async () => {},
  };
}

/** What it printed; nothing, if it is not there or does not answer. */
function ask(program: string, ...args: string[]): Promise<string> {
  return new Promise((done) => {
    execFile(program, args, { timeout: ASK_MS, killSignal: 'SIGKILL' }, (_, stdout) => done(stdout));
  });
}

function addressForOthers(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const found = all.find(({ family, internal }) => family === 'IPv4' && !internal);
  if (found === undefined) throw new Error('the nodes of the cluster can not reach this machine: it has loopback only');
  return found.address;
}

async function openOwn(): Promise<DemoCluster> {
  if (missingPrograms().length > 0) install();
  // short: the path of munge's socket has a limit
  const directory = mkdtempSync(join(tmpdir(), 'reprise-slurm-'));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  const cluster = await up(directory, OWN).catch((error: unknown) => {
    remove();
    throw error;
  });
  const config_file = cluster.env.SLURM_CONF;
  return {
    sentences: [
      `No Slurm answers here, so the demo has brought one up on loopback: ${OWN.nodes} nodes with ${OWN.cpus} cpus each. ` +
        'It ends with the demo, and nothing of it is left. To look at it from another terminal:',
      `SLURM_CONF=${config_file} squeue`,
    ],
    host: '127.0.0.1',
    config: { scheduler: 'slurm', slurm: { config_file, memory: true } },
    async close() {
      await cluster.down();
      remove();
    },
  };
}

/** It says what it does, and what is missing where it may not. */
function install(): void {
  const { status } = spawnSync(process.execPath, [ensure, '--slurm'], { stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error('Slurm is not here and could not be installed; the lines above say why');
}
