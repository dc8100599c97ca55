/**
 * Where tasks keep what their successors must know if they are killed:
 *
 *   <directory>/checkouts/<commit>                      shared by all nodes that share the directory
 *   <directory>/nodes/<host>/work/<dispatch>            working directories
 *   <directory>/nodes/<host>/tasks/<dispatch>+<process> notes (`journal.ts`) and spilled lines of a task that is under way
 *
 * A directory's name says whose it is. To take over that of a dead process is to rename it: one of many wins.
 */
import { appendFileSync, mkdirSync, readdirSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Entry, HEAD, lineOf, type OpenEntry, readJournal } from './journal.js';
import { identityOf, isDead, self } from './process-identity.js';
import { removeNow } from './work-directories.js';

export interface TaskPlaces {
  readonly checkouts: string;
  readonly work: string;
  /** Ours alone, until `close`. */
  open(dispatchId: string): TaskPlace;
  /** Those of dead processes of this machine, ours from now on. */
  takeOver(): TaskPlace[];
  isOpen(dispatchId: string): boolean;
  /** True once a day for all tasks here together. */
  isSweepDue(): boolean;
}

export interface TaskPlace {
  readonly dispatchId: string;
  readonly directory: string;
  note(entry: Entry): void;
  notes(): OpenEntry | null;
  /** There is nothing left to tell. */
  close(): void;
}

const DAY_MS = 24 * 3_600_000;

export function createTaskPlaces(directory: string): TaskPlaces {
  const node = join(directory, 'nodes', hostname());
  const [tasks, work] = [join(node, 'tasks'), join(node, 'work')];
  for (const place of [tasks, work]) mkdirSync(place, { recursive: true, mode: 0o700 });
  const names = () => readdirSync(tasks).map((name) => [name, name.split('+')] as const);
  return {
    checkouts: join(directory, 'checkouts'),
    work,
    open(dispatchId) {
      const place = placeAt(join(tasks, nameOf(dispatchId)), dispatchId);
      mkdirSync(place.directory, { mode: 0o700 });
      writeFileSync(join(place.directory, NOTES), lineOf(HEAD), { mode: 0o600 });
      return place;
    },
    takeOver: () =>
      names().flatMap(([name, [dispatchId = '']], _, all) => {
        // what is left of a dispatch is ended by its id: not while another process carries it out
        const isLive = all.some(([, [id, other = '']]) => id === dispatchId && !isDead(identityOf(other)));
        if (isLive) return [];
        const place = placeAt(join(tasks, nameOf(dispatchId)), dispatchId);
        return tryRename(join(tasks, name), place.directory) ? [place] : [];
      }),
    isOpen: (dispatchId) => names().some(([, [id]]) => id === dispatchId),
    isSweepDue: () => isDue(join(node, 'swept')),
  };
}

const NOTES = 'notes.jsonl';
const nameOf = (dispatchId: string) => `${dispatchId}+${self()}`;

/** Without an fsync: what a machine takes along when it dies, the scheduler tells. */
function placeAt(directory: string, dispatchId: string): TaskPlace {
  const file = join(directory, NOTES);
  return {
    dispatchId,
    directory,
    note: (entry) => appendFileSync(file, lineOf(entry)),
    notes: () => readJournal(file).get(dispatchId) ?? null,
    close: () => removeNow(directory),
  };
}

function tryRename(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch {
    return false;
  }
}

function isDue(file: string): boolean {
  const last = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
  if (last !== undefined && Date.now() - last < DAY_MS) return false;
  if (last === undefined) writeFileSync(file, '');
  else utimesSync(file, new Date(), new Date());
  return last !== undefined;
}
