/**
 * What a run used, where no cgroup counts it. For a process that runs nothing else: all its descendants are the run.
 *
 * cpu: what the kernel adds to us for each child that we have waited for, and those for theirs. Memory: looked at again and
 * again; the peak of each process the kernel knows, that of all together is the largest sum that was seen.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { MEGABYTE, toMegabytes } from './cgroup-files.js';
import type { Cgroups } from './cgroups.js';
import { noCgroups } from './cgroups.js';
import { createOomWatch } from './oom-watch.js';

const FIRST_LOOK_MS = 20;
const LONGEST_LOOK_MS = 1_000;
/**
 * Of a shorter run, processes that were there before it are not looked at when it ends: a machine of many cpus has thousands
 * of the kernel's. In so short a time no pid comes around again.
 */
const SHORT_MS = 10_000;
/** USER_HZ of every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

export function createSampledUsage(says: string): Cgroups {
  return { ...noCgroups(says), take: takeSampled };
}

function takeSampled(): ReturnType<Cgroups['take']> {
  const none = noCgroups('').take('', 0);
  const before = childSeconds();
  const oom = createOomWatch();
  const peak = watchMemory();
  let older: ReadonlySet<string> | undefined;
  let begun = 0;
  return {
    ...none,
    get older() {
      return performance.now() - begun < SHORT_MS ? older : undefined;
    },
    enter(command, spawn) {
      older = new Set(readdirSync('/proc'));
      begun = performance.now();
      try {
        return spawn(command);
      } finally {
        peak.start();
      }
    },
    usage: () => ({
      peakMemoryMb: peak.stop(),
      cpuSeconds: Math.round((childSeconds() - before) * 100) / 100,
      outOfMemory: oom.hasKilled(),
    }),
    release: () => void peak.stop(),
  };
}

function watchMemory() {
  let peakKb = 0;
  let timer: NodeJS.Timeout | undefined;
  const look = (pause: number) => {
    peakKb = Math.max(peakKb, kilobytesBelow(process.pid));
    timer = setTimeout(() => look(Math.min(LONGEST_LOOK_MS, pause * 2)), pause);
    timer.unref();
  };
  return {
    start: () => look(FIRST_LOOK_MS),
    stop(): number | null {
      clearTimeout(timer);
      return peakKb === 0 ? null : toMegabytes((peakKb * MEGABYTE) / 1024);
    },
  };
}

/** The sum of what they have now, or the most that one of them ever had. */
function kilobytesBelow(root: number): number {
  let sum = 0;
  let most = 0;
  for (const pid of descendantsOf(root)) {
    const status = readProc(`${pid}/status`);
    sum += kilobytesIn(status, 'VmRSS');
    most = Math.max(most, kilobytesIn(status, 'VmHWM'));
  }
  return Math.max(sum, most);
}

function descendantsOf(root: number): number[] {
  const found: number[] = [];
  for (const waiting = [root]; waiting.length > 0; ) {
    const children = childrenOf(waiting.pop() as number);
    found.push(...children);
    waiting.push(...children);
  }
  return found;
}

/** Each thread has its own. */
function childrenOf(pid: number): number[] {
  try {
    const threads = pid === process.pid ? [String(pid)] : readdirSync(`/proc/${pid}/task`);
    return threads.flatMap((thread) =>
      readProc(`${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

function childSeconds(): number {
  const stat = readProc('self/stat');
  // the name, in parentheses, may hold anything; after it, cutime and cstime are the 14th and 15th
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND;
}

function kilobytesIn(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
}

function readProc(file: string): string {
  try {
    return readFileSync(`/proc/${file}`, 'latin1');
  } catch {
    return '';
  }
}
