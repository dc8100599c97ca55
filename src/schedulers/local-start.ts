/** Starts a runner host, detached: it outlives this process. */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HOST_LOG } from '../contract/host.js';

const LOG_BYTES = 5 * 1024 * 1024;
/** Of our own environment only what describes the machine, and where a test wants it to die. */
const PASSED_ON = ['PATH', 'HOME', 'LANG', 'TZ', 'TMPDIR', 'REPRISE_FAULT', 'REPRISE_FAULT_MARK'] as const;

/** Beside the compiled form of this file, also when this one is run from its source. */
function entry(): string {
  const beside = fileURLToPath(new URL('../runner/host.js', import.meta.url));
  return existsSync(beside) ? beside : fileURLToPath(new URL('../../dist/runner/host.js', import.meta.url));
}

export function readRelease(): string {
  const file = fileURLToPath(new URL('../../package.json', import.meta.url));
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** Returns at once; connect to see whether it is up. Resolves with a sentence if it ends by itself. */
export function startHost(stateDir: string): Promise<string> {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const log = join(stateDir, HOST_LOG);
  keepShort(log);
  const fd = openSync(log, 'a', 0o600);
  const env = Object.fromEntries(PASSED_ON.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
  const child = spawn(process.execPath, [entry(), stateDir, readRelease()], {
    detached: true,
    stdio: ['ignore', fd, fd],
    env,
  });
  closeSync(fd);
  child.unref();
  return new Promise((done) => {
    child.once('error', (error) => done(error.message));
    child.once('exit', (code, signal) => done(`it ended with ${signal ?? code}; see ${log}`));
  });
}

/** One older log is kept. */
function keepShort(log: string): void {
  if (existsSync(log) && statSync(log).size > LOG_BYTES) renameSync(log, `${log}.1`);
}
