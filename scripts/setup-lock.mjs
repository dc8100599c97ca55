/** One set-up at a time in one clone: two `npm ci` beside each other would tear node_modules apart. */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stateDir } from './setup-state.mjs';

const lockFile = join(stateDir, 'set-up.lock');

/** Waits for its turn; resolves to the function that gives it up. A lock whose process died is taken over. */
export async function lockSetup(say) {
  mkdirSync(stateDir, { recursive: true });
  let told = false;
  while (!take()) {
    const holder = readHolder();
    if (holder !== null && isAlive(holder)) {
      if (!told) say(`process ${holder} is setting up this directory; waiting for it (${lockFile})`);
      told = true;
      await sleep(200);
    } else if (holder !== null) {
      removeDead(holder);
    }
  }
  const unlock = () => rmSync(lockFile, { force: true });
  // fail() ends the process inside a step
  process.once('exit', unlock);
  return () => {
    process.off('exit', unlock);
    unlock();
  };
}

/** Written whole under a name of its own, then linked: nobody ever reads a lock without its number. */
function take() {
  const own = `${lockFile}.${process.pid}`;
  writeFileSync(own, String(process.pid));
  try {
    linkSync(own, lockFile);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(own);
  }
}

function readHolder(file = lockFile) {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
}

/** Two may see the same dead holder: the slower one gets the lock of the faster in its hands and puts it back. */
function removeDead(holder) {
  const aside = `${lockFile}.dead.${process.pid}`;
  try {
    renameSync(lockFile, aside);
  } catch (error) {
    if (error.code === 'ENOENT') return;
    throw error;
  }
  if (readHolder(aside) !== holder) linkSync(aside, lockFile);
  rmSync(aside);
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
