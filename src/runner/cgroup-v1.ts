/**
 * Version 1 lets a single thread enter a cgroup, and a child begins where the thread is that makes it: the spawning
 * thread goes in, spawns, and comes out again. That costs 0.1 ms instead of a shell per job.
 *
 * Meanwhile what this process allocates counts in there, so there must be no limit then: the kernel might find this
 * process the one to kill. The limit is set when the command has just begun.
 *
 * Cgroups are used again if little is left in them, with their files kept open: to make one takes up to a millisecond of
 * waiting for a kernel lock, and to open a file more than to write it.
 */
import { closeSync, existsSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { childrenOf, counterIn, MEGABYTE, pidsIn, toMegabytes, tryRemove, tryWrite, write } from './cgroup-files.js';
import type { Cgroup, Cgroups, Usage } from './cgroups.js';
import { sendTo } from './tree.js';

/** Left by the run before: cached files that are still charged. More would be counted as the next one's. */
const LITTLE_BYTES = 512 * 1024;
/** Each keeps up to eight files open. */
const SPARE = 16;
const NO_LIMIT = '-1';

/**
 * `cpu` null: no cpu time is measured. Throws if the hierarchy is not ours to use. Between spawns this process is in `home`:
 * a cgroup beside those of its runs, or the one that all is in. Threads that it makes begin where it is, and keep that.
 */
export function openV1(memory: string, cpu: string | null, home: 'beside' | 'above' = 'beside'): Cgroups {
  return new V1(memory, cpu === memory ? [memory] : [memory, ...(cpu === null ? [] : [cpu])], home);
}

class V1 implements Cgroups {
  readonly says: string;
  readonly limitsMemory = true;
  readonly #spare: Run[] = [];
  /** Could not be removed yet. */
  #stale: string[] = [];
  #made = 0;

  constructor(
    memory: string,
    private readonly bases: readonly string[],
    private readonly home: 'beside' | 'above',
  ) {
    this.says = `memory is limited by cgroup v1 at ${memory}`;
    try {
      for (const base of bases) mkdirSync(base, { recursive: true });
      this.#come();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  take(_: string, memoryMb: number): Cgroup {
    const run = this.#spare.pop() ?? new Run(this.bases, this.#make());
    return {
      isReal: true,
      enter: (command, spawn) => {
        run.go();
        try {
          return spawn(command);
        } finally {
          this.#come();
          run.limit(memoryMb);
        }
      },
      pids: () => run.pids(),
      kill: () => false,
      usage: () => run.usage(),
      release: () => this.#release(run),
    };
  }

  found(): Cgroup[] {
    const spare = this.#spare.map((run) => run.name);
    const names = new Set(this.bases.flatMap(childrenOf));
    return [...names].filter((name) => !spare.includes(name)).map((name) => this.#left(name));
  }

  close(): void {
    for (const run of this.#spare.splice(0)) run.close();
    for (const base of this.bases) {
      if (this.home === 'beside') tryWrite(join(base, '..'), 'tasks', '0');
      for (const name of childrenOf(base)) tryRemove(join(base, name));
      tryRemove(base);
    }
  }

  #make(): string {
    const left = new Set(this.bases.flatMap(childrenOf));
    do this.#made += 1;
    while (left.has(`run-${this.#made}`));
    const name = `run-${this.#made}`;
    for (const base of this.bases) mkdirSync(join(base, name));
    return name;
  }

  /** Staying inside would mean to be killed with the job. */
  #come(): void {
    for (const base of this.bases) write(this.home === 'beside' ? base : join(base, '..'), 'tasks', '0');
  }

  #release(run: Run): void {
    if (this.#spare.length < SPARE && run.isAsNew()) this.#spare.push(run);
    else {
      run.close();
      this.#remove(run.name);
    }
  }

  /** Those whose last process is just being reaped are removed with a later one. */
  #remove(name: string): void {
    this.#stale.push(name);
    this.#stale = this.#stale.filter((one) => !this.bases.map((base) => tryRemove(join(base, one))).every(Boolean));
  }

  #left(name: string): Cgroup {
    const refuse = () => {
      throw new Error(`the cgroup ${name} is of another host`);
    };
    return {
      isReal: true,
      enter: refuse,
      pids: () => [...new Set(this.bases.flatMap((base) => pidsIn(join(base, name))))],
      kill: () => false,
      usage: refuse,
      release: () => this.#remove(name),
    };
  }
}

/** One that runs are put into, one after the other. */
class Run {
  readonly #directory: string;
  readonly #tasks: readonly number[];
  readonly #limit: number;
  /** Memory and swap together; null where swap is not counted. */
  readonly #limitWithSwap: number | null;
  readonly #usage: number;
  readonly #peak: number;
  readonly #oom: number;
  readonly #cpu: number | null;
  readonly #open: number[] = [];
  #overLimit = false;

  constructor(
    bases: readonly string[],
    readonly name: string,
  ) {
    const memory = join(bases[0] as string, name);
    this.#directory = memory;
    const cpu = join(bases.at(-1) as string, name);
    this.#tasks = bases.map((base) => this.#file(join(base, name), 'tasks', 'w'));
    this.#limit = this.#file(memory, 'memory.limit_in_bytes', 'w');
    this.#limitWithSwap = this.#fileIfThere(memory, 'memory.memsw.limit_in_bytes', 'w');
    this.#usage = this.#file(memory, 'memory.usage_in_bytes', 'r');
    this.#peak = this.#file(memory, 'memory.max_usage_in_bytes', 'r+');
    this.#oom = this.#file(memory, 'memory.oom_control', 'r');
    this.#cpu = this.#fileIfThere(cpu, 'cpuacct.usage', 'r+');
  }

  go(): void {
    for (const fd of this.#tasks) writeSync(fd, '0');
  }

  /** What the spawn itself took is not counted as the command's peak. If that has more already, it is ended. */
  limit(memoryMb: number): void {
    const bytes = String(memoryMb * MEGABYTE);
    put(this.#peak, '0');
    this.#overLimit = !put(this.#limit, bytes);
    if (this.#limitWithSwap !== null) put(this.#limitWithSwap, bytes);
    if (this.#overLimit) for (const pid of this.pids()) sendTo(pid, 'SIGKILL');
  }

  /** Opened each time: through an open file the kernel shows for a while who was there when it was read first. */
  pids(): number[] {
    return pidsIn(this.#directory);
  }

  usage(): Usage {
    return {
      peakMemoryMb: toMegabytes(Number(get(this.#peak))),
      cpuSeconds: this.#cpu === null ? null : Number(get(this.#cpu)) / 1e9,
      outOfMemory: this.#overLimit || this.#kills() > 0,
    };
  }

  /** Without a limit again, and with its counters at zero. */
  isAsNew(): boolean {
    if (this.#kills() > 0 || Number(get(this.#usage)) > LITTLE_BYTES) return false;
    if (this.#limitWithSwap !== null && !put(this.#limitWithSwap, NO_LIMIT)) return false;
    this.#overLimit = false;
    return put(this.#limit, NO_LIMIT) && (this.#cpu === null || put(this.#cpu, '0'));
  }

  close(): void {
    for (const fd of this.#open.splice(0)) closeSync(fd);
  }

  #kills(): number {
    return counterIn(get(this.#oom), 'oom_kill') ?? 0;
  }

  #file(directory: string, name: string, flags: string): number {
    const fd = openSync(join(directory, name), flags);
    this.#open.push(fd);
    return fd;
  }

  #fileIfThere(directory: string, name: string, flags: string): number | null {
    return existsSync(join(directory, name)) ? this.#file(directory, name, flags) : null;
  }
}

const page = Buffer.alloc(4096);

/** From the beginning, as it is now. */
function get(fd: number): string {
  return page.toString('latin1', 0, readSync(fd, page, 0, page.length, 0));
}

function put(fd: number, text: string): boolean {
  try {
    writeSync(fd, text);
    return true;
  } catch {
    return false;
  }
}
