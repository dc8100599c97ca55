/**
 * One set-up at a time in one clone: two `npm ci` beside each other would tear node_modules apart. The lock is a name that
 * the kernel gives to one process and frees with it, however it ends.
 */
import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from './setup-state.mjs';

const name = `\0reprise-set-up-${createHash('sha256').update(realpathSync(root)).digest('hex').slice(0, 12)}`;

/** Waits for its turn; resolves to the function that gives it up. */
export async function lockSetup(say) {
  let lock = await take();
  if (lock === null) say('another process is setting up this directory; waiting for it');
  for (; lock === null; lock = await take()) await sleep(200);
  // fail() ends the process inside a step
  lock.unref();
  return () => lock.close();
}

/** Null: somebody else has it. */
function take() {
  const lock = createServer((socket) => socket.destroy());
  return new Promise((done, failed) => {
    lock.once('error', (error) => (error.code === 'EADDRINUSE' ? done(null) : failed(error)));
    lock.listen(name, () => done(lock));
  });
}
