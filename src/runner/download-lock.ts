/**
 * Who downloads: whoever makes the file. It holds nobody back who should go on: two who download the same make it twice,
 * each beside its place, and one of them stands. So a wrong guess about a holder costs a download and nothing else.
 *
 * | the holder                                        | others                       |
 * | ------------------------------------------------- | ---------------------------- |
 * | is a process of this machine that is dead         | pass it by at once           |
 * | lets its file's time stand still for `DEAD_MS`    | pass it by (no clock but our own is asked) |
 */
import { closeSync, openSync, readFileSync, rmSync, statSync, utimesSync, writeSync } from 'node:fs';
import { identityOf, isDead, self } from './process-identity.js';

const BEAT_MS = 2_000;
const DEAD_MS = 15_000;
const FIRST_LOOK_MS = 20;
const LONGEST_LOOK_MS = 500;

export interface Beat {
  touch(): void;
  release(): void;
}

/** Null: `isDone` was true before it was our turn. */
export async function lockDownload(file: string, isDone: () => boolean): Promise<Beat | null> {
  let seen = Number.NaN;
  let since = performance.now();
  for (let pause = FIRST_LOOK_MS; !isDone(); pause = Math.min(LONGEST_LOOK_MS, pause * 2)) {
    if (tryMake(file)) return beatOf(file, () => rmSync(file, { force: true }));
    const time = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Number.NaN;
    if (time !== seen) [seen, since] = [time, performance.now()];
    if (isDead(read(file)) || performance.now() - since > DEAD_MS) {
      rmSync(file, { force: true });
      since = performance.now();
    } else await new Promise((next) => setTimeout(next, pause));
  }
  return null;
}

/** The time of a file or directory moves while its maker lives. */
export function beatOf(path: string, onRelease: () => void = () => {}): Beat {
  const touch = () => {
    try {
      utimesSync(path, new Date(), new Date());
    } catch {
      // somebody thought us dead: see above
    }
  };
  const timer = setInterval(touch, BEAT_MS);
  return {
    touch,
    release() {
      clearInterval(timer);
      onRelease();
    },
  };
}

function tryMake(file: string): boolean {
  try {
    const fd = openSync(file, 'wx', 0o600);
    writeSync(fd, self());
    closeSync(fd);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function read(file: string) {
  try {
    return identityOf(readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
}
