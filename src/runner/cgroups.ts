/**
 * A cgroup for each run, with what this machine allows; the first of these that a process can really be put into:
 *
 * | machine                          | memory is limited by    | file             |
 * | -------------------------------- | ----------------------- | ---------------- |
 * | v2 with the memory controller    | `memory.max`            | `cgroup-v2.ts`   |
 * | v1                               | `memory.limit_in_bytes` | `cgroup-v1.ts`   |
 * | v2 without it                    | nothing                 | `cgroup-v2.ts`   |
 * | none of these                    | nothing                 | `NO_CGROUPS`     |
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { childrenOf, pidsIn, tryRemove } from './cgroup-files.js';
import { openV1 } from './cgroup-v1.js';
import { openV2 } from './cgroup-v2.js';

export interface Cgroups {
  /** For the log: `memory is limited by cgroup v1 at …`, or why it is not. */
  readonly says: string;
  readonly limitsMemory: boolean;
  /** An empty one. Throws if none can be made. */
  take(name: string, memoryMb: number): Cgroup;
  /** Those that hosts before this one left. */
  found(): Cgroup[];
  /** Removes what is empty. */
  close(): void;
}

export interface Usage {
  readonly peakMemoryMb: number | null;
  readonly cpuSeconds: number | null;
  /** The kernel killed a process of it for want of memory. */
  readonly outOfMemory: boolean;
}

export interface Cgroup {
  /** False: it is no cgroup, and its processes have to be found otherwise. */
  readonly isReal: boolean;
  /** Calls `spawn` with the command in such a way that nothing of it runs outside of the cgroup. */
  enter<T>(command: readonly string[], spawn: (command: readonly string[]) => T): T;
  /** Zombies may be among them. */
  pids(): number[];
  /** Where it is no cgroup: entries of /proc that are surely not of this run. */
  readonly older?: ReadonlySet<string> | undefined;
  /** SIGKILL to all at once; false if the kernel cannot do that. */
  kill(): boolean;
  usage(): Usage;
  /** It is not used any more, and nobody is in it. */
  release(): void;
}

export const NO_USAGE: Usage = { peakMemoryMb: null, cpuSeconds: null, outOfMemory: false };

const NO_CGROUP: Cgroup = {
  isReal: false,
  enter: (command, spawn) => spawn(command),
  pids: () => [],
  kill: () => false,
  usage: () => NO_USAGE,
  release: () => undefined,
};

export function noCgroups(says: string): Cgroups {
  return { says, limitsMemory: false, take: () => NO_CGROUP, found: () => [], close: () => undefined };
}

/** `key` tells the hosts of one machine apart. What is allowed is tried by really running a process in it. */
export function probeCgroups(key: string): Cgroups {
  const reasons: string[] = [];
  for (const open of candidates(`reprise-${key}`)) {
    try {
      return tried(open());
    } catch (error) {
      reasons.push((error as Error).message);
    }
  }
  const why = reasons.length === 0 ? 'no cgroup is mounted' : reasons.join('; ');
  return noCgroups(`memory is not limited: ${why}`);
}

/** Best first. The own cgroup is tried before the root: in a container or under a service manager it is what is ours. */
function candidates(name: string): (() => Cgroups)[] {
  const v2 = placesOf((type) => type === 'cgroup2', '');
  const memory = placesOf((type, options) => type === 'cgroup' && options.includes('memory'), 'memory');
  const [cpu] = placesOf((type, options) => type === 'cgroup' && options.includes('cpuacct'), 'cpuacct');
  return [
    ...v2.map((place) => () => openV2(join(place, name), true)),
    ...memory.map((place) => () => openV1(join(place, name), cpu === undefined ? null : join(cpu, name))),
    ...v2.map((place) => () => openV2(join(place, name), false)),
  ];
}

/** The cgroups that this process is in; null where there is none, or it can not be seen from here. */
export function ownCgroups(): { v2: string | null; memory: string | null; cpu: string | null } {
  const [v2 = null] = placesOf((type) => type === 'cgroup2', '', false);
  const [memory = null] = placesOf((type, options) => type === 'cgroup' && options.includes('memory'), 'memory', false);
  const [cpu = null] = placesOf((type, options) => type === 'cgroup' && options.includes('cpuacct'), 'cpuacct', false);
  return { v2, memory, cpu };
}

/**
 * For a single run, within the cgroup that this process is in and never beside it: a scheduler finds its processes by that.
 * Null: none can be made, or the scheduler limits us by its own. Nothing is tried that costs a process. With version 2 there
 * is none: only who leaves its cgroup may give memory to those within.
 */
export function openWithin(name: string): Cgroups | null {
  const { memory, cpu } = ownCgroups();
  if (memory === null || OF_A_SCHEDULER.test(memory)) return null;
  try {
    return openV1(join(memory, name), cpu === null ? null : join(cpu, name), 'above');
  } catch {
    return null;
  }
}
const OF_A_SCHEDULER = /slurm/;

/**
 * Of several processes that were started for one dispatch only the one that may run it makes anything by its name: another,
 * refused, would remove it under that one's feet.
 */
export function openAtFirstRun(open: () => Cgroups): Cgroups {
  let opened: Cgroups | null = null;
  return {
    ...noCgroups('opened at the first run'),
    take(name, memoryMb) {
      opened ??= open();
      return opened.take(name, memoryMb);
    },
    close: () => opened?.close(),
  };
}

/** What a process that died had opened by that name, with those who are in it. */
export function foundWithin(name: string): Cgroup[] {
  const { memory, cpu } = ownCgroups();
  const bases = [memory, cpu].filter((place) => place !== null).map((place) => join(place, name));
  const runs = bases.flatMap((base) => childrenOf(base).map((run) => join(base, run)));
  if (!bases.some(existsSync)) return [];
  const release = () => {
    for (const place of [...runs, ...bases]) tryRemove(place);
  };
  return [{ ...NO_CGROUP, isReal: true, pids: () => runs.flatMap(pidsIn), release }];
}

function placesOf(
  isIt: (type: string, options: readonly string[]) => boolean,
  controller: string,
  orRoot = true,
): string[] {
  const mounts = linesOf('/proc/self/mounts').map((line) => line.split(' '));
  const mount = mounts.find(([, , type = '', options = '']) => isIt(type, options.split(',')))?.[1];
  if (mount === undefined) return [];
  const mine = linesOf('/proc/self/cgroup').map((line) => line.split(':'));
  const own = mine.find(([, controllers = '']) => controllers.split(',').includes(controller))?.[2] ?? '/';
  return [...new Set([join(mount, own), ...(orRoot ? [join(mount, '/')] : [])])].filter(existsSync);
}

function tried(cgroups: Cgroups): Cgroups {
  try {
    const cgroup = cgroups.take('probe', 64);
    const { stdout, status } = cgroup.enter(['/bin/sh', '-c', 'cat /proc/self/cgroup'], ([program = '', ...args]) =>
      spawnSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
    );
    cgroup.release();
    if (status === 0 && stdout.includes('reprise-')) return cgroups;
    throw new Error(`no process can be put into a cgroup (${cgroups.says})`);
  } catch (error) {
    cgroups.close();
    throw error;
  }
}

function linesOf(file: string): string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
}
