/**
 * What a host must still know after kill -9, one JSON object a line, written in groups that share an fsync.
 *
 * | entry     | written                             | what a successor does if it is the last of its dispatch      |
 * | --------- | ----------------------------------- | ------------------------------------------------------------ |
 * | submitted | before the submission is answered   | ends what may run, reports `gone`; never runs it             |
 * | started   | right after the spawn, not awaited  | the same, and knows the process even without a cgroup        |
 * | ended     | when the result is known            | reports the result and its lines, then `gone`                |
 * | closed    | after the server answered `gone`    | nothing                                                      |
 *
 * A lost `closed` only makes the successor say `gone` again, which changes nothing.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { FinishReport, LogLine } from '../contract/worker.js';

const VERSION = 1;
const COMPACT_BYTES = 16 * 1024 * 1024;

export interface Submitted {
  readonly is: 'submitted';
  readonly id: string;
  readonly job: string;
  readonly token: string;
}
export interface Started {
  readonly is: 'started';
  readonly id: string;
  readonly pid: number;
  /** Clock ticks after boot, from /proc: a pid alone may have been given to another process. */
  readonly startTime: string | null;
}
export interface Ended {
  readonly is: 'ended';
  readonly id: string;
  /** Null: somebody else knows how it ended, and only the lines are to be told. */
  readonly finish: FinishReport | null;
  /** Lines the server has not confirmed; those that were spilled to a file are not here. */
  readonly first: number;
  readonly lines: readonly LogLine[];
}
export interface Closed {
  readonly is: 'closed';
  readonly id: string;
}
export type Entry = Submitted | Started | Ended | Closed;

/** What is open of one dispatch. */
export interface OpenEntry {
  readonly submitted: Submitted;
  readonly started: Started | null;
  readonly ended: Ended | null;
}

export interface Journal {
  readonly open: ReadonlyMap<string, OpenEntry>;
  /** Resolves when the entry is on the disk; rejects if it cannot be written, and then it is not in the journal. */
  append(entry: Entry): Promise<void>;
  /** One group, all or none. */
  appendAll(entries: readonly Entry[]): Promise<void>;
  close(): Promise<void>;
}

interface Waiting {
  readonly text: string;
  readonly entries: readonly Entry[];
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

export async function openJournal(file: string): Promise<Journal> {
  const opened = readJournal(file);
  writeCompacted(file, opened);
  let handle = await open(file, 'a');
  let size = (await handle.stat()).size;
  let compactAt = COMPACT_BYTES;
  let waiting: Waiting[] = [];
  let writing: Promise<void> | undefined;

  const write = async () => {
    while (waiting.length > 0) {
      const group = waiting;
      waiting = [];
      try {
        size = await appendSynced(handle, size, group.map((one) => one.text).join(''));
        for (const one of group) for (const entry of one.entries) note(opened, entry);
        for (const one of group) one.done();
        if (size > compactAt) {
          ({ handle, size } = await compact(file, handle, opened));
          compactAt = Math.max(COMPACT_BYTES, 2 * size);
        }
      } catch (error) {
        for (const one of group) one.failed(error);
      }
    }
    writing = undefined;
  };
  const appendAll = (entries: readonly Entry[]) =>
    new Promise<void>((done, failed) => {
      waiting.push({ text: entries.map(lineOf).join(''), entries, done, failed });
      // a turn later: what else comes in this turn shares the fsync
      writing ??= new Promise<void>((next) => setImmediate(next)).then(write);
    });
  return {
    open: opened,
    append: (entry) => appendAll([entry]),
    appendAll,
    async close() {
      while (writing !== undefined) await writing;
      await handle.close();
    },
  };
}

export const HEAD = { version: VERSION };
export const lineOf = (entry: object) => `${JSON.stringify(entry)}\n`;

/** Half a group must not stay before the next one: its last line would be torn in the middle of the file. */
async function appendSynced(handle: FileHandle, size: number, text: string): Promise<number> {
  try {
    const { bytesWritten } = await handle.write(text);
    if (bytesWritten < Buffer.byteLength(text)) throw new Error('the disk took only a part of the journal entry');
    await handle.datasync();
    return size + bytesWritten;
  } catch (error) {
    await handle.truncate(size);
    throw error;
  }
}

function note(into: Map<string, OpenEntry>, entry: Entry): void {
  if (entry.is === 'submitted') {
    into.set(entry.id, { submitted: entry, started: null, ended: null });
    return;
  }
  const known = into.get(entry.id);
  if (known === undefined) return;
  if (entry.is === 'closed') into.delete(entry.id);
  else into.set(entry.id, { ...known, [entry.is]: entry });
}

/** A torn last line was never answered: it is dropped. */
export function readJournal(file: string): Map<string, OpenEntry> {
  const into = new Map<string, OpenEntry>();
  if (!existsSync(file)) return into;
  const lines = readFileSync(file, 'utf8').split('\n');
  if (lines.at(-1) !== '') lines.pop();
  const [head, ...entries] = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as unknown);
  const version = (head as { version?: number } | undefined)?.version;
  if (head !== undefined && version !== VERSION) {
    throw new Error(
      `${file} was written by another release (version ${version}, this one writes ${VERSION}); ` +
        'start that release once more and let its jobs end',
    );
  }
  for (const entry of entries) note(into, entry as Entry);
  return into;
}

function textOf(opened: ReadonlyMap<string, OpenEntry>): string {
  const entries = [...opened.values()].flatMap(({ submitted, started, ended }) => [submitted, started, ended]);
  return [HEAD, ...entries.filter((entry) => entry !== null)].map(lineOf).join('');
}

/** Killed anywhere here, the old file or the new one stands whole. */
function writeCompacted(file: string, opened: ReadonlyMap<string, OpenEntry>): void {
  const draft = `${file}.draft`;
  const fd = openSync(draft, 'w', 0o600);
  writeSync(fd, textOf(opened));
  fsyncSync(fd);
  closeSync(fd);
  renameSync(draft, file);
}

async function compact(file: string, old: FileHandle, opened: ReadonlyMap<string, OpenEntry>) {
  writeCompacted(file, opened);
  await old.close();
  const handle = await open(file, 'a');
  return { handle, size: (await handle.stat()).size };
}
