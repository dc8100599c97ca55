/** What a host that died left behind: its processes are ended, and what it knew is said in its place. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Cgroups } from './cgroups.js';
import type { OpenEntry } from './journal.js';
import { LogSpool, SPOOL_LIMITS } from './log-spool.js';
import { endTree, isAlive, readMarks, startTimeOf, type Tree, treeOf } from './tree.js';

/** Resolves when no process of these dispatches is left. Not with TERM first: nobody is there to hear what they say. */
export async function endOrphans(cgroups: Cgroups, open: ReadonlyMap<string, OpenEntry>): Promise<void> {
  const marks = readMarks();
  // one that is not in the journal was closed and has no process, or was marked so by another host on this machine
  const mine = [...open.values()];
  await Promise.all(mine.map((entry) => endTree(treeOfOrphan(cgroups, entry, marks))));
  for (const name of cgroups.names()) {
    await endTree(treeOf(name, cgroups.adopt(name), null));
    await cgroups.adopt(name).remove();
  }
}

/** By its cgroup, by its mark, and by its process group if that is still the one that was noted. */
function treeOfOrphan(cgroups: Cgroups, entry: OpenEntry, marks: ReadonlyMap<string, readonly number[]>): Tree {
  const { id } = entry.submitted;
  const inCgroup = treeOf(id, cgroups.adopt(id), leaderOf(entry));
  const marked = marks.get(id) ?? [];
  return {
    async signal(signal) {
      await inCgroup.signal(signal);
      for (const pid of marked.filter(isAlive)) process.kill(pid, signal);
    },
    isEmpty: async () => !marked.some(isAlive) && (await inCgroup.isEmpty()),
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
