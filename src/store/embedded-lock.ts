/**
 * One process per data directory. Two that open one PGlite directory lose commits without any error, so the lock must
 * hold in every case we know of, and must need no cleaning up after kill -9:
 *
 * - an abstract unix socket, named by the directory's real identity: the kernel frees it with its process. It is seen by
 *   all processes of one network namespace (Linux only);
 * - a file in the directory, for two containers that share only the volume, and for other systems. Whether its writer
 *   lives is judged thus:
 *
 * | the file was written                        | its writer is              | then                             |
 * | ------------------------------------------- | -------------------------- | -------------------------------- |
 * | by this machine, since its start, same pids | alive (no zombie)          | refused                          |
 * | by this machine, since its start, same pids | gone, or another process   | taken over                       |
 * | by this machine, before its last start      | gone                       | taken over                       |
 * | elsewhere, or where there is no /proc       | not to be seen from here   | watched: a living one touches it |
 */
import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, readlinkSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RepriseError } from '../contract/errors.js';

export interface DirectoryLock {
  release(): Promise<void>;
}

export interface LockTimes {
  /** How often a holder touches its file. */
  readonly beatMs: number;
  /** How long a file that nobody can judge is watched. */
  readonly watchMs: number;
}

interface Holder {
  readonly token: string;
  readonly pid: number;
  /** In clock ticks since the machine's start; null where there is no /proc. */
  readonly started: string | null;
  readonly boot: string | null;
  readonly pids: string | null;
  readonly host: string;
}

const GOING_MS = 5_000;
const TIMES: LockTimes = { beatMs: 2_000, watchMs: 10_000 };

/** `onLost`: somebody else holds the directory now, in spite of all; stop writing at once. */
export async function lockDirectory(
  directory: string,
  onLost: (error: Error) => void,
  times: LockTimes = TIMES,
): Promise<DirectoryLock> {
  const file = join(directory, 'pg.lock');
  const socket = process.platform === 'linux' ? await listenOnIdentity(directory, file) : null;
  try {
    const own = describeSelf();
    await takeFile(directory, file, own, times);
    const beat = setInterval(() => touch(directory, file, own, onLost), times.beatMs);
    beat.unref();
    return {
      async release() {
        clearInterval(beat);
        if (readHolder(file)?.token === own.token) rmSync(file, { force: true });
        await closeSocket(socket);
      },
    };
  } catch (error) {
    await closeSocket(socket);
    throw error;
  }
}

/**
 * Its holder may be on the way in or out: no file yet or no more, or killed and its threads are still being taken down.
 * These moments are waited for; a living holder refuses at once.
 */
async function listenOnIdentity(directory: string, file: string): Promise<Server> {
  const deadline = performance.now() + GOING_MS;
  for (;;) {
    const socket = await tryListen(directory);
    if (socket !== null) return socket;
    const holder = readHolder(file);
    const going = holder === null || (isJudgeable(holder) && !isAlive(holder));
    if (!going || performance.now() > deadline) throw inUse(directory, holder);
    await sleep(50);
  }
}

/** Null when another process listens. */
function tryListen(directory: string): Promise<Server | null> {
  const { dev, ino } = statSync(directory, { bigint: true });
  const server = createServer((visitor) => visitor.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(null);
      else reject(error);
    });
    server.listen(`\0reprise-data-${dev}-${ino}`, () => {
      server.unref();
      resolve(server);
    });
  });
}

function closeSocket(socket: Server | null): Promise<void> {
  return new Promise((done) => {
    if (socket === null) done();
    else socket.close(() => done());
  });
}

async function takeFile(directory: string, file: string, own: Holder, times: LockTimes): Promise<void> {
  for (;;) {
    if (createFile(file, own)) return;
    const holder = readHolder(file);
    // given back at this moment, or half a file of a machine that lost its power: nobody writes these in two steps
    if (holder === null) rmSync(file, { force: true });
    else if (await isHeld(file, holder, times.watchMs)) throw inUse(directory, holder);
    else if (await takeOver(file, own, times)) return;
  }
}

/** Written whole under a name of its own, then linked: nobody ever reads half of it. */
function createFile(file: string, own: Holder): boolean {
  const draft = writeDraft(file, own);
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Two from different namespaces may do so at once; the later one stays, and the earlier one sees it. */
async function takeOver(file: string, own: Holder, times: LockTimes): Promise<boolean> {
  renameSync(writeDraft(file, own), file);
  if (!isOfThisMachine(readHolder(file))) return false;
  await sleep(times.beatMs / 20);
  return readHolder(file)?.token === own.token;
}

function writeDraft(file: string, own: Holder): string {
  const draft = `${file}.${own.token}`;
  writeFileSync(draft, `${JSON.stringify(own)}\n`, { mode: 0o600 });
  return draft;
}

function touch(directory: string, file: string, own: Holder, onLost: (error: Error) => void): void {
  try {
    const holder = readHolder(file);
    if (holder === null) createFile(file, own);
    else if (holder.token === own.token) utimesSync(file, new Date(), new Date());
    else onLost(inUse(directory, holder));
  } catch {
    // a full disk or a file system that hangs for a moment: the next beat says whether it is still ours
  }
}

async function isHeld(file: string, holder: Holder, watchMs: number): Promise<boolean> {
  if (isOfThisMachine(holder) && holder.boot !== null) {
    if (holder.boot !== bootOf()) return false;
    if (isJudgeable(holder)) return isAlive(holder);
  } else if (isOfThisMachine(holder) && isGone(holder.pid)) return false;
  return isTouched(file, watchMs);
}

async function isTouched(file: string, watchMs: number): Promise<boolean> {
  const before = modifiedAt(file);
  for (let waited = 0; waited < watchMs; waited += 250) {
    await sleep(250);
    if (modifiedAt(file) !== before) return true;
  }
  return false;
}

function isOfThisMachine(holder: Holder | null): holder is Holder {
  return holder?.host === hostname();
}

/** Its number means the same process here as it did to the one that wrote it down. */
function isJudgeable(holder: Holder): boolean {
  return isOfThisMachine(holder) && holder.boot !== null && holder.boot === bootOf() && holder.pids === pidsOf();
}

/** The same process, not one that got its number later; a zombie writes no more, whoever has yet to reap it. */
function isAlive(holder: Holder): boolean {
  const seen = statusOf(holder.pid);
  return seen !== null && seen.started === holder.started && !/[ZX]/.test(seen.state);
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

function describeSelf(): Holder {
  const started = statusOf(process.pid)?.started ?? null;
  return { token: randomUUID(), pid: process.pid, started, boot: bootOf(), pids: pidsOf(), host: hostname() };
}

function statusOf(pid: number): { state: string; started: string } | null {
  const stat = readIfThere(`/proc/${pid}/stat`);
  if (stat === null) return null;
  // the program's name, which may hold anything, ends at the last parenthesis; state is the 3rd field, start the 22nd
  const [state = '', ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { state, started: fields[18] ?? '' };
}

const bootOf = (): string | null => readIfThere('/proc/sys/kernel/random/boot_id')?.trim() ?? null;

function pidsOf(): string | null {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return null;
  }
}

function readHolder(file: string): Holder | null {
  try {
    return JSON.parse(readIfThere(file) ?? 'null') as Holder | null;
  } catch {
    return null;
  }
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

function modifiedAt(file: string): number | null {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? null;
}

function inUse(directory: string, holder: Holder | null): RepriseError {
  const elsewhere = holder !== null && (!isOfThisMachine(holder) || holder.pids !== pidsOf());
  const who = holder === null ? 'another process' : `process ${holder.pid}${elsewhere ? ` on ${holder.host}` : ''}`;
  return new RepriseError(
    'DATA_DIR_IN_USE',
    `${directory} is in use by ${who}; stop it first, or give this one another --data-dir`,
  );
}
