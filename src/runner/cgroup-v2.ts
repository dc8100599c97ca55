/** Version 2 takes whole processes only: a shell puts itself in and becomes the command. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  childrenOf,
  counterIn,
  MEGABYTE,
  pidsIn,
  readText,
  toMegabytes,
  tryRemove,
  tryWrite,
  write,
} from './cgroup-files.js';
import type { Cgroup, Cgroups } from './cgroups.js';

const ENTER = 'echo 0 > "$0/cgroup.procs" && exec "$@"';

/** Throws if the hierarchy is not ours to use, or lacks what is wanted. */
export function openV2(base: string, limitsMemory: boolean): Cgroups {
  makeBase(base, limitsMemory);
  const stale = new Set<string>();
  const release = (name: string) => {
    stale.add(name);
    // one whose last process is just being reaped is removed with a later one
    for (const one of stale) if (tryRemove(join(base, one))) stale.delete(one);
  };
  const cgroup = (name: string): Cgroup => cgroupAt(join(base, name), () => release(name));
  return {
    says: limitsMemory
      ? `memory is limited by cgroup v2 at ${base}`
      : `memory is not limited (the controller is missing in cgroup v2 at ${base})`,
    limitsMemory,
    take(name, memoryMb) {
      const directory = join(base, name);
      mkdirSync(directory);
      if (limitsMemory) {
        write(directory, 'memory.max', String(memoryMb * MEGABYTE));
        // without this, what does not fit goes to the swap; the file is missing where there is none
        tryWrite(directory, 'memory.swap.max', '0');
      }
      return cgroup(name);
    },
    found: () => childrenOf(base).map(cgroup),
    close() {
      for (const name of childrenOf(base)) tryRemove(join(base, name));
      tryRemove(base);
    },
  };
}

/** What is not ours to use is not left behind either. */
function makeBase(base: string, limitsMemory: boolean): void {
  mkdirSync(base, { recursive: true });
  try {
    if (limitsMemory) enableMemory(base);
  } catch (error) {
    tryRemove(base);
    throw error;
  }
}

/** A cgroup's children have what its own `subtree_control` names, and it can name only what its parent does. */
function enableMemory(base: string): void {
  for (const directory of [join(base, '..'), base]) {
    const enabled = readText(directory, 'cgroup.subtree_control').split(/\s/);
    if (!enabled.includes('memory')) write(directory, 'cgroup.subtree_control', '+memory');
  }
}

function cgroupAt(directory: string, release: () => void): Cgroup {
  return {
    isReal: true,
    enter: (command, spawn) => spawn(['/bin/sh', '-c', ENTER, directory, ...command]),
    pids: () => pidsIn(directory),
    kill: () => tryWrite(directory, 'cgroup.kill', '1'),
    usage() {
      const peak = readText(directory, 'memory.peak');
      const microseconds = counterIn(readText(directory, 'cpu.stat'), 'usage_usec');
      return {
        peakMemoryMb: peak === '' ? null : toMegabytes(Number(peak)),
        cpuSeconds: microseconds === null ? null : microseconds / 1e6,
        outOfMemory: (counterIn(readText(directory, 'memory.events'), 'oom_kill') ?? 0) > 0,
      };
    },
    release,
  };
}
