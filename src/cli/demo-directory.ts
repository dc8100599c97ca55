/** Where the demo keeps everything it makes: below the current directory, fresh for each run. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { RepriseError } from '../contract/errors.js';

export const directory = resolve('.demo');
export const dataDir = join(directory, 'data');
export const serverLog = join(directory, 'server.log');

/** A server of an earlier demo may still be up at a terminal; its directory is not taken from under it. */
export function clearDirectory(): void {
  const serverFile = join(dataDir, 'server.json');
  if (existsSync(serverFile)) {
    const { pid, url } = JSON.parse(readFileSync(serverFile, 'utf8')) as { pid: number; url: string };
    if (isAlive(pid))
      throw new RepriseError(
        'DATA_DIR_IN_USE',
        `an earlier demo still runs at ${url} (process ${pid}); stop it with Ctrl-C there, or: kill ${pid}`,
      );
  }
  // checkouts in it are read-only directories, whose files only root could remove as they are
  if (existsSync(directory)) execFileSync('chmod', ['-R', 'u+w', directory]);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(dataDir, { recursive: true });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** `wanted` if it is free, else 0 for any. */
export async function choosePort(wanted: number): Promise<number> {
  const probe = createServer();
  return new Promise((done) => {
    probe.once('error', () => done(0));
    probe.listen(wanted, '127.0.0.1', () => probe.close(() => done(wanted)));
  });
}
