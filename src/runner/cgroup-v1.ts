/**
 * Version 1 lets a single thread enter a cgroup, and a child begins where the thread is that makes it: the spawning
 * thread goes in, spawns, and comes out again. That costs 0.1 ms instead of a shell per job.
 *
 * Meanwhile what this process allocates counts in there, so there must be no limit then: the kernel might find this
 * process the one to kill. The limit is set when the command has just begun.
 *
 * Cgroups are used again if little is left in them: to make one takes up to a millisecond of waiting for a kernel lock.
 */
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
import type { Cgroup, Cgroups, Usage } from './cgroups.js';
import { sendTo } from './tree.js';

/** Left by the run before: cached files that are still charged. More would be counted as the next one's. */
const LITTLE_BYTES = 512 * 1024;
const SPARE = 64;
const LIMIT = 'memory.limit_in_bytes';
/** Memory and swap together; missing where swap is not counted. */
const LIMIT_WITH_SWAP = 'memory.memsw.limit_in_bytes';

/** `cpu` null: no cpu time is measured. Throws if the hierarchy is not ours to use. */
export function openV1(memory: string, cpu: string | null): Cgroups {
  return new V1(memory, cpu);
}

class V1 implements Cgroups {
  readonly says: string;
  readonly limitsMemory = true;
  readonly #bases: readonly string[];
  readonly #spare: string[] = [];
  /** Could not be removed yet. */
  #stale: string[] = [];
  #made = 0;

  constructor(
    private readonly memory: string,
    private readonly cpu: string | null,
  ) {
    this.says = `memory is limited by cgroup v1 at ${memory}`;
    this.#bases = cpu === null || cpu === memory ? [memory] : [memory, cpu];
    try {
      for (const base of this.#bases) mkdirSync(base, { recursive: true });
      this.#come();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  take(_: string, memoryMb: number): Cgroup {
    const name = this.#spare.pop() ?? this.#make();
    return this.#cgroup(name, memoryMb);
  }

  found(): Cgroup[] {
    const names = new Set(this.#bases.flatMap(childrenOf));
    return [...names].filter((name) => !this.#spare.includes(name)).map((name) => this.#cgroup(name, 0));
  }

  close(): void {
    for (const base of this.#bases) {
      tryWrite(join(base, '..'), 'tasks', '0');
      for (const name of childrenOf(base)) tryRemove(join(base, name));
      tryRemove(base);
    }
  }

  #make(): string {
    const left = new Set(this.#bases.flatMap(childrenOf));
    let name: string;
    do {
      this.#made += 1;
      name = `run-${this.#made}`;
    } while (left.has(name));
    for (const base of this.#bases) mkdirSync(join(base, name));
    return name;
  }

  #cgroup(name: string, memoryMb: number): Cgroup {
    const memory = join(this.memory, name);
    const state = { overLimit: false };
    return {
      isReal: true,
      enter: (command, spawn) => {
        this.#go(name);
        try {
          return spawn(command);
        } finally {
          this.#come();
          state.overLimit = !this.#limit(memory, memoryMb);
          if (state.overLimit) for (const pid of pidsIn(memory)) sendTo(pid, 'SIGKILL');
        }
      },
      pids: () => [...new Set(this.#bases.flatMap((base) => pidsIn(join(base, name))))],
      kill: () => false,
      usage: () => this.#usage(name, state.overLimit),
      release: () => this.#release(name),
    };
  }

  #go(name: string): void {
    for (const base of this.#bases) write(join(base, name), 'tasks', '0');
  }

  /** Staying inside would mean to be killed with the job. */
  #come(): void {
    for (const base of this.#bases) write(base, 'tasks', '0');
  }

  /** False if the command has more than that already. What the spawn itself took is not counted. */
  #limit(memory: string, memoryMb: number): boolean {
    const bytes = String(memoryMb * MEGABYTE);
    tryWrite(memory, 'memory.max_usage_in_bytes', '0');
    const limited = tryWrite(memory, LIMIT, bytes);
    tryWrite(memory, LIMIT_WITH_SWAP, bytes);
    return limited;
  }

  #usage(name: string, overLimit: boolean): Usage {
    const memory = join(this.memory, name);
    const nanoseconds = this.cpu === null ? '' : readText(join(this.cpu, name), 'cpuacct.usage');
    return {
      peakMemoryMb: toMegabytes(Number(readText(memory, 'memory.max_usage_in_bytes'))),
      cpuSeconds: nanoseconds === '' ? null : Number(nanoseconds) / 1e9,
      outOfMemory: overLimit || (counterIn(readText(memory, 'memory.oom_control'), 'oom_kill') ?? 0) > 0,
    };
  }

  #release(name: string): void {
    if (this.#isAsNew(name)) this.#spare.push(name);
    else this.#stale.push(name);
    this.#stale = this.#stale.filter((one) => !this.#remove(one));
  }

  #remove(name: string): boolean {
    return this.#bases.map((base) => tryRemove(join(base, name))).every(Boolean);
  }

  /** Without a limit again, and with its counters at zero. */
  #isAsNew(name: string): boolean {
    const memory = join(this.memory, name);
    if (this.#spare.length >= SPARE || Number(readText(memory, 'memory.usage_in_bytes')) > LITTLE_BYTES) return false;
    if (counterIn(readText(memory, 'memory.oom_control'), 'oom_kill') !== 0) return false;
    tryWrite(memory, LIMIT_WITH_SWAP, '-1');
    const isReset = this.cpu === null || tryWrite(join(this.cpu, name), 'cpuacct.usage', '0');
    return isReset && tryWrite(memory, LIMIT, '-1');
  }
}
