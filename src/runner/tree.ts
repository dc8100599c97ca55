/**
 * All processes of one dispatch: those in its cgroup, those in the process group of its command, and those that carry its
 * mark in their environment (daemonised ones, where there is no cgroup).
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { Cgroup } from './cgroups.js';

/** In the environment of every process of a dispatch. */
export const MARK = 'REPRISE_DISPATCH_ID';

export interface Tree {
  /** Signals every process. Who makes children meanwhile is met again by the next call. */
  signal(signal: NodeJS.Signals): Promise<void>;
  isEmpty(): Promise<boolean>;
}

/** `pid` leads the process group; null if that is not known. */
export function treeOf(dispatchId: string, cgroup: Cgroup, pid: number | null): Tree {
  const members = async () => {
    const pids = cgroup.isReal ? cgroup.pids() : await findMarked(dispatchId, cgroup.older);
    return pids.filter(isAlive);
  };
  return {
    async signal(signal) {
      if (signal === 'SIGKILL' && cgroup.kill()) return;
      if (pid !== null && !cgroup.isReal) sendTo(-pid, signal);
      for (const member of await members()) sendTo(member, signal);
    },
    isEmpty: async () => (await members()).length === 0,
  };
}

/** Milliseconds between looks: a tree that ends at once is seen at once. */
const FIRST_LOOK_MS = 2;
const LONGEST_LOOK_MS = 100;
/** Who still makes children after so many rounds makes them faster than they are killed: stopped ones make none. */
const ROUNDS_BEFORE_STOP = 5;

/** SIGKILL until nobody is left. */
export async function endTree(tree: Tree): Promise<void> {
  let pause = FIRST_LOOK_MS;
  for (let round = 0; !(await tree.isEmpty()); round += 1) {
    if (round > ROUNDS_BEFORE_STOP) await tree.signal('SIGSTOP');
    await tree.signal('SIGKILL');
    await new Promise((next) => setTimeout(next, pause));
    pause = Math.min(LONGEST_LOOK_MS, pause * 2);
  }
}

/** A zombie is dead: where PID 1 reaps late it stays for seconds. */
export function isAlive(pid: number): boolean {
  const stat = statOf(pid);
  return stat !== null && stat.state !== 'Z' && stat.state !== 'X';
}

/** Clock ticks after boot; null if there is no such process. */
export function startTimeOf(pid: number): string | null {
  return statOf(pid)?.startTime ?? null;
}

function statOf(pid: number): { state: string; startTime: string } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // the name, in parentheses, may hold anything, parentheses too
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] as string, startTime: fields[19] as string };
  } catch {
    return null;
  }
}

/** To a process that may have ended meanwhile. */
export function sendTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // nobody is there to be signalled
  }
}

/** One look at /proc serves all who ask within this time: many dispatches may end at once. */
const LOOK_FRESH_MS = 50;
let lastLook: { at: number; marks: Promise<Map<string, number[]>> } | undefined;

export async function findMarked(dispatchId: string, older?: ReadonlySet<string>): Promise<number[]> {
  if (older !== undefined) return readMarks(older).get(dispatchId) ?? [];
  // a look that began before the question may have missed a process that was there when it was asked
  await lastLook?.marks;
  if (lastLook === undefined || performance.now() - lastLook.at > LOOK_FRESH_MS) {
    lastLook = { at: performance.now(), marks: new Promise((done) => setImmediate(() => done(readMarks()))) };
  }
  return (await lastLook.marks).get(dispatchId) ?? [];
}

/** Dispatch id → pids. Processes of other users cannot be read, and are not ours. */
export function readMarks(older?: ReadonlySet<string>): Map<string, number[]> {
  const marks = new Map<string, number[]>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || older?.has(name)) continue;
    const id = markOf(pid);
    if (id !== null) marks.set(id, [...(marks.get(id) ?? []), pid]);
  }
  return marks;
}

function markOf(pid: number): string | null {
  try {
    const environ = readFileSync(`/proc/${pid}/environ`, 'latin1');
    return new RegExp(`(?:^|\\0)${MARK}=([0-9a-f]+)`).exec(environ)?.[1] ?? null;
  } catch {
    return null;
  }
}
