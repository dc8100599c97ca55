/**
 * The runner host: one process per data directory, detached from the server. Apps are its children, so that killing the
 * server kills no job.
 *
 *   node host.js <state directory> <release>
 */
import { createHash } from 'node:crypto';
import { mkdirSync, realpathSync } from 'node:fs';
import { createServer } from 'node:net';
import { createLog } from '../log.js';
import { probeCgroups } from './cgroups.js';
import { HostProcess } from './host-process.js';
import { openJournal } from './journal.js';
import { endOrphans } from './orphans.js';

const log = createLog({ level: 'info' });
const note = (message: string, detail?: object) => log.info(detail ?? {}, message);

await main(process.argv[2] ?? '', process.argv[3] ?? 'unknown').catch((error: unknown) => {
  log.fatal({ error }, 'the runner host cannot go on');
  process.exit(1);
});

async function main(stateDir: string, release: string): Promise<void> {
  const place = realpathSync(stateDir);
  const key = createHash('sha256').update(place).digest('hex').slice(0, 12);
  if (!(await takeLock(key))) {
    note('another runner host has this directory; this one ends', { stateDir });
    return process.exit(0);
  }
  process.chdir(place);
  for (const directory of ['work', 'checkouts', 'spool']) mkdirSync(directory, { recursive: true, mode: 0o700 });
  const cgroups = probeCgroups(key);
  const journal = await openJournal('journal.jsonl');
  await endOrphans(cgroups, journal.open);
  await new HostProcess({ place, release, cgroups, journal, log: note }).open();
  note('the runner host is up', { release, limits: cgroups.says, taken_over: journal.open.size });
}

/** The kernel frees it with this process, however that ends. */
function takeLock(key: string): Promise<boolean> {
  const lock = createServer((socket) => socket.destroy());
  return new Promise((done, failed) => {
    lock.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? done(false) : failed(error)));
    lock.listen(`\0reprise-host-${key}`, () => done(true));
  });
}
