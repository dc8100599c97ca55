/** Temporary places and clocks for the benchmarks. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const temporary = () => mkdtempSync(join(tmpdir(), 'reprise-bench-'));
/** Checkouts in it are read-only directories, whose files only root could remove as they are. */
export function remove(directory) {
  execFileSync('chmod', ['-R', 'u+w', directory]);
  rmSync(directory, { recursive: true, force: true });
}

export async function seconds(work) {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1000;
}

/** What a process used of a core so far, in seconds: it, and with `children` those that it started, also those that ended. */
export function cpuSeconds(pid, { children = false } = {}) {
  const own = readStat(pid);
  if (!children) return own.used;
  const others = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const started = others.map((name) => readStat(name)).filter((one) => one?.parent === pid);
  return started.reduce((sum, { used }) => sum + used, own.used + own.ended);
}

/** In /proc, a hundred ticks are a second. */
const TICKS = 100;

function readStat(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const ticks = (at) => (Number(fields[at]) + Number(fields[at + 1])) / TICKS;
    return { parent: Number(fields[1]), used: ticks(11), ended: ticks(13) };
  } catch {
    // ended while we looked
    return null;
  }
}

/** Megabytes that a process holds: now, and at most so far. */
export function memoryOf(pid) {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const read = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)[1]) / 1024;
  return { now: read('VmRSS'), most: read('VmHWM') };
}
