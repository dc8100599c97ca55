/** What the cluster is: whether its controller answers and since when, how large its arrays and its nodes may be. */
import type { Limits } from './scheduler.js';
import { complaint, hasFailed, type RunSlurm } from './slurm-commands.js';
import type { Reign } from './slurm-sightings.js';

export const NO_REIGN: Reign = { bootTime: '', minJobAgeMs: 0, hasAccounting: false };

/** `scontrol ping` answers in 20 ms also where everything else waits 9 s for a connection. */
const PING_MS = 5_000;
const ASK_MS = 15_000;

/** Null: it is up. */
export async function whyDown(run: RunSlurm): Promise<string | null> {
  const ran = await run('scontrol', ['ping'], { timeoutMs: PING_MS });
  if (/\bis UP\b/.test(ran.stdout)) return null;
  if (ran.how === 'late') return 'Slurm does not answer (slurmctld hangs)';
  if (/\bis DOWN\b/.test(ran.stdout)) return 'Slurm can not be reached (slurmctld is down)';
  return `Slurm can not be asked (scontrol ping): ${complaint(ran)}`;
}

export interface Cluster {
  /** Largest number of tasks of one array. */
  readonly arraySize: number;
  /** Of its largest nodes; null where it does not say. */
  readonly limits: Limits | null;
}

/** Null if it does not answer. */
export async function describeCluster(run: RunSlurm): Promise<Cluster | null> {
  const config = await askConfig(run);
  const nodes = await run('sinfo', ['--noheader', '--Node', '--format=%c|%m'], { timeoutMs: ASK_MS });
  if (config === null || hasFailed(nodes)) return null;
  return {
    arraySize: Math.max(1, Number(config('MaxArraySize')) || 1),
    limits: largestOf(nodes.stdout),
  };
}

type Settings = (name: string) => string;

async function askConfig(run: RunSlurm): Promise<Settings | null> {
  const ran = await run('scontrol', ['show', 'config'], { timeoutMs: ASK_MS });
  if (hasFailed(ran)) return null;
  return (name) => new RegExp(`^${name}\\s*=\\s*(\\S+)`, 'm').exec(ran.stdout)?.[1] ?? '';
}

/** Of no start at all, if it does not answer. */
export async function askReign(run: RunSlurm): Promise<Reign> {
  const config = await askConfig(run);
  if (config === null) return NO_REIGN;
  return {
    bootTime: config('BOOT_TIME'),
    minJobAgeMs: Number(config('MinJobAge')) * 1000 || 0,
    hasAccounting: config('AccountingStorageType').endsWith('/slurmdbd'),
  };
}

function largestOf(text: string): Limits | null {
  const nodes = text.split('\n').flatMap((line) => {
    const [, cpus, memoryMb] = /^(\d+)\+?\|(\d+)/.exec(line) ?? [];
    return cpus === undefined ? [] : [{ cpus: Number(cpus), memoryMb: Number(memoryMb) }];
  });
  if (nodes.length === 0) return null;
  return {
    cpus: Math.max(...nodes.map((node) => node.cpus)),
    memoryMb: Math.max(...nodes.map((node) => node.memoryMb)),
  };
}
