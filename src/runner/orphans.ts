/** What a host that died left behind: its processes are ended, and what it knew is said in its place. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Cgroups } from './cgroups.js';
import type { OpenEntry } from './journal.js';
import { LogSpool, SPOOL_LIMITS } from './log-spool.js';
import type { Channel, Reporter } from './reporter.js';
import { endTree, isAlive, readMarks, sendTo, startTimeOf, type Tree, treeOf } from './tree.js';

/** Resolves when no process of these dispatches is left. Not with TERM first: nobody is there to hear what they say. */
export async function endOrphans(cgroups: Pick<Cgroups, 'found'>, open: ReadonlyMap<string, OpenEntry>): Promise<void> {
  const marks = readMarks();
  const left = cgroups.found();
  await Promise.all([
    ...left.map((cgroup) => endTree(treeOf('', cgroup, null))),
    ...[...open.values()].map((entry) => endTree(treeOfOrphan(entry, marks))),
  ]);
  for (const cgroup of left) cgroup.release();
}

/** By its mark, and by its process group if that is still the one that was noted. */
function treeOfOrphan(entry: OpenEntry, marks: ReadonlyMap<string, readonly number[]>): Tree {
  const marked = marks.get(entry.submitted.id) ?? [];
  const leader = leaderOf(entry);
  const alive = () => [...new Set(leader === null ? marked : [leader, ...marked])].filter(isAlive);
  return {
    async signal(signal) {
      for (const pid of alive()) sendTo(pid === leader ? -pid : pid, signal);
    },
    isEmpty: async () => alive().length === 0,
  };
}

function leaderOf({ started }: OpenEntry): number | null {
  if (started === null || started.startTime === null) return null;
  return startTimeOf(started.pid) === started.startTime ? started.pid : null;
}

/** The lines that were spilled, or else those that stand in the journal beside the result. */
export function spoolOfOrphan(directory: string, { submitted, ended }: OpenEntry): LogSpool {
  const spilled = LogSpool.recover(directory, submitted.id);
  if (!spilled.isEmpty || ended === null) return spilled;
  return new LogSpool(directory, submitted.id, SPOOL_LIMITS, ended.first, ended.lines);
}

/** Files of dispatches that were closed. */
export function removeSpoolsExcept(directory: string, open: ReadonlyMap<string, OpenEntry>): void {
  for (const file of readdirSync(directory)) {
    const [id = ''] = file.split('-');
    if (!open.has(id)) rmSync(join(directory, file), { force: true });
  }
}

/** To say what a dead one had still to say. Nothing of it is left to be ended or held up. */
export function openFor(reporter: Reporter, token: string, spool: LogSpool): Channel {
  return reporter.open({ token, spool, onDrained: () => {}, onCanceled: () => {} });
}
