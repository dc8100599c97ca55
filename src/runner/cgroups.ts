/**
 * A cgroup for each dispatch, with what this machine allows:
 *
 * | machine            | memory is limited by     | cpu time and the kill of a whole tree by        |
 * | ------------------ | ------------------------ | ----------------------------------------------- |
 * | v2                 | `memory.max`             | the same cgroup                                 |
 * | v1, v2 without it  | `memory.limit_in_bytes`  | a cgroup of the v2 hierarchy beside it          |
 * | v1 alone           | `memory.limit_in_bytes`  | nothing; its processes are killed one by one    |
 * | none of these      | nothing                  | nothing; found by their environment in /proc    |
 *
 * What is allowed is tried once by really running a process in one.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';

/** One hierarchy's directory in which each dispatch gets its own. */
interface Hierarchy {
  readonly version: 1 | 2;
  readonly base: string;
  readonly limitsMemory: boolean;
}

export interface Cgroups {
  /** For the log: `cgroup v1 at …`, or why there is none. */
  readonly says: string;
  readonly limitsMemory: boolean;
  create(name: string, memoryMb: number): Cgroup;
  /** Those of a host that died. */
  adopt(name: string): Cgroup;
  /** Names that have a directory, of dispatches of now or before. */
  names(): string[];
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
  /** Files to write `0` into by a process that puts itself in. */
  readonly entrances: readonly string[];
  /** Living and not yet reaped ones; empty for the cgroup of no hierarchy. */
  pids(): Promise<number[]>;
  /** SIGKILL to all at once where the kernel can do that; false where it cannot. */
  kill(): boolean;
  usage(): Promise<Usage>;
  remove(): Promise<void>;
}

/** Puts itself into the cgroups and becomes the app: nothing of the app runs outside of them. */
const ENTER = 'while [ "$1" != -- ]; do echo 0 > "$1" || exit 125; shift; done; shift; exec "$@"';

export function entering(cgroup: Cgroup, command: readonly string[]): string[] {
  return cgroup.entrances.length === 0
    ? [...command]
    : ['/bin/sh', '-c', ENTER, 'sh', ...cgroup.entrances, '--', ...command];
}

const MEGABYTE = 1024 * 1024;
const NO_USAGE: Usage = { peakMemoryMb: null, cpuSeconds: null, outOfMemory: false };

/** `key` tells the hosts of one machine apart. */
export function probeCgroups(key: string): Cgroups {
  const reasons: string[] = [];
  for (const hierarchies of candidates(`reprise-${key}`)) {
    try {
      return probe(hierarchies);
    } catch (error) {
      reasons.push((error as Error).message);
    }
  }
  const why = reasons.length === 0 ? 'no cgroup is mounted' : reasons.join('; ');
  return cgroupsOf([], `memory is not limited: ${why}`);
}

/** Best first. The own cgroup is tried before the root: in a container or under a service manager it is what is ours. */
function candidates(name: string): Hierarchy[][] {
  const mounts = readLines('/proc/self/mounts').map((line) => line.split(' '));
  const own = new Map(
    readLines('/proc/self/cgroup').map((line) => [line.split(':')[1] ?? '', line.split(':')[2] ?? '/']),
  );
  const v2 = mounts.find(([, , type]) => type === 'cgroup2')?.[1];
  const v1 = mounts.find(([, , type, options]) => type === 'cgroup' && options?.split(',').includes('memory'))?.[1];
  const places = (mount: string | undefined, controller: string) =>
    mount === undefined ? [] : [...new Set([join(mount, own.get(controller) ?? '/'), mount])].filter(existsSync);
  const second = places(v2, '').map((place) => ({ version: 2 as const, base: join(place, name) }));
  const first = places(v1, 'memory').map((place) => ({
    version: 1 as const,
    base: join(place, name),
    limitsMemory: true,
  }));
  const beside = second.slice(-1).map((one) => ({ ...one, limitsMemory: false }));
  return [
    ...second.map((one) => [{ ...one, limitsMemory: true }]),
    ...first.map((one) => [one, ...beside]),
    ...first.map((one) => [one]),
    ...beside.map((one) => [one]),
  ];
}

function probe(hierarchies: readonly Hierarchy[]): Cgroups {
  const [main] = hierarchies as [Hierarchy];
  for (const { base, version, limitsMemory } of hierarchies) {
    mkdirSync(base, { recursive: true });
    if (version === 2 && limitsMemory) enableMemory(base);
  }
  const says = `${main.limitsMemory ? 'memory is limited' : 'memory is not limited, trees are ended'} by cgroup v${main.version} at ${main.base}`;
  const cgroups = cgroupsOf(hierarchies, says);
  const cgroup = cgroups.create('probe', 64);
  const [program, ...args] = entering(cgroup, ['/bin/sh', '-c', 'cat /proc/self/cgroup']);
  const { status, stdout } = spawnSync(program as string, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  for (const { base } of hierarchies) rmdirSync(join(base, 'probe'));
  if (status !== 0 || !stdout.includes('/probe')) throw new Error(`no process can be put into ${main.base}`);
  return cgroups;
}

/** A v2 cgroup's children have what its own `subtree_control` names, and it can name only what its parent does. */
function enableMemory(base: string): void {
  for (const directory of [join(base, '..'), base]) {
    const file = join(directory, 'cgroup.subtree_control');
    if (!readFileSync(file, 'utf8').split(/\s/).includes('memory')) writeFileSync(file, '+memory');
  }
}

function cgroupsOf(hierarchies: readonly Hierarchy[], says: string): Cgroups {
  const adopt = (name: string) => cgroupOf(hierarchies, name);
  return {
    says,
    limitsMemory: hierarchies.some((one) => one.limitsMemory),
    create(name, memoryMb) {
      for (const hierarchy of hierarchies) createIn(hierarchy, name, memoryMb);
      return adopt(name);
    },
    adopt,
    names: () => [...new Set(hierarchies.flatMap(({ base }) => childrenOf(base)))],
    close() {
      for (const { base } of hierarchies) {
        for (const name of childrenOf(base)) tryRemove(join(base, name));
        tryRemove(base);
      }
    },
  };
}

function createIn({ base, version, limitsMemory }: Hierarchy, name: string, memoryMb: number): void {
  const directory = join(base, name);
  mkdirSync(directory);
  if (!limitsMemory) return;
  const bytes = String(memoryMb * MEGABYTE);
  writeFileSync(join(directory, version === 2 ? 'memory.max' : 'memory.limit_in_bytes'), bytes);
  // without these, what does not fit goes to the swap instead; they are missing where there is none
  writeIfThere(
    join(directory, version === 2 ? 'memory.swap.max' : 'memory.memsw.limit_in_bytes'),
    version === 2 ? '0' : bytes,
  );
}

function cgroupOf(hierarchies: readonly Hierarchy[], name: string): Cgroup {
  const at = ({ base }: Hierarchy, file: string) => join(base, name, file);
  const memory = hierarchies.find((one) => one.limitsMemory);
  const second = hierarchies.find((one) => one.version === 2);
  return {
    entrances: hierarchies.map((one) => at(one, 'cgroup.procs')),
    async pids() {
      const texts = await Promise.all(hierarchies.map((one) => readOr(at(one, 'cgroup.procs'), '')));
      return [...new Set(texts.join('\n').split('\n').filter(Boolean).map(Number))].filter((pid) => pid > 0);
    },
    kill: () => second !== undefined && writeIfThere(at(second, 'cgroup.kill'), '1'),
    async usage() {
      if (hierarchies.length === 0) return NO_USAGE;
      const [peak, events, cpu] = await Promise.all([
        memory && readOr(at(memory, memory.version === 2 ? 'memory.peak' : 'memory.max_usage_in_bytes'), ''),
        memory && readOr(at(memory, memory.version === 2 ? 'memory.events' : 'memory.oom_control'), ''),
        second && readOr(at(second, 'cpu.stat'), ''),
      ]);
      const microseconds = /^usage_usec (\d+)/m.exec(cpu ?? '')?.[1];
      return {
        peakMemoryMb: peak ? Math.round((Number(peak) / MEGABYTE) * 10) / 10 : null,
        cpuSeconds: microseconds === undefined ? null : Number(microseconds) / 1e6,
        outOfMemory: Number(/^oom_kill (\d+)/m.exec(events ?? '')?.[1] ?? 0) > 0,
      };
    },
    async remove() {
      for (const one of hierarchies) await rmdir(at(one, '')).catch(() => undefined);
    },
  };
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').trim().split('\n');
  } catch {
    return [];
  }
}

async function readOr(file: string, otherwise: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => otherwise);
}

function writeIfThere(file: string, text: string): boolean {
  try {
    // `r+`: a file that is missing must not be made
    writeFileSync(file, text, { flag: 'r+' });
    return true;
  } catch {
    return false;
  }
}

function childrenOf(base: string): string[] {
  try {
    return readdirSync(base, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}

function tryRemove(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // not empty: somebody still runs there, and the next host ends it
  }
}
