/**
 * Keeps the listening socket while the server behind it restarts: calls that come meanwhile wait in the kernel's queue and
 * are answered by the next server. It does nothing else, so that it needs no restart itself.
 *
 * | what happens                          | what is done                                                          |
 * | ------------------------------------- | --------------------------------------------------------------------- |
 * | SIGHUP (not at a terminal)            | the server drains and ends; the next one starts                       |
 * | the server ends or dies by itself     | the next one starts: at once, later if it keeps dying early           |
 * | it ends before it was ever ready      | so do we, with its code: what is wrong stands above                   |
 * | SIGTERM, SIGINT                       | passed on; we end with it. A second one ends it at once               |
 * | we are killed                         | the server notices and drains: nobody would restart it                |
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { bindSocket, withSocket } from './listen-socket.js';
import { EXIT, say } from './output.js';

const READY = 'ready';
const PAUSES_MS = [0, 200, 1000, 3000, 10_000];
/** A server that lived so long did not die of its start. */
const LONG_MS = 10_000;

/** Resolves with the exit code when it is to end. */
export async function supervise(host: string, port: number): Promise<number> {
  const fd = await bindSocket(host, port);
  const signals = listenToSignals();
  for (let early = 0, first = true; ; first = false) {
    const begun = performance.now();
    const end = await serveOnce(fd, first, signals);
    if (signals.stopping()) return end.code;
    if (first && !end.wasReady) return end.code;
    early =
      performance.now() - begun > LONG_MS || signals.takeRestart() ? 0 : Math.min(early + 1, PAUSES_MS.length - 1);
    const pause = PAUSES_MS[early] ?? 0;
    say(`the server ended (${end.how}); the next one starts${pause === 0 ? '' : ` in ${pause / 1000} s`}`);
    await sleep(pause);
    if (signals.stopping()) return 0;
  }
}

interface End {
  readonly code: number;
  readonly how: string;
  readonly wasReady: boolean;
}

/** The same command, with our socket as its third and a channel by which each knows that the other lives. */
function serveOnce(fd: number, first: boolean, signals: Signals): Promise<End> {
  const env = withSocket({ ...process.env, ...(!first && { [RESTARTED]: '1' }) });
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    env,
    // its own group: a Ctrl-C at the terminal reaches it once, by us
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', fd, 'ipc'],
  });
  let wasReady = false;
  child.on('message', (message) => {
    if (message === READY) wasReady = true;
  });
  signals.to(child);
  return new Promise((done) => {
    child.once('error', (error) => done({ code: EXIT.error, how: error.message, wasReady }));
    child.once('exit', (code, signal) => {
      done({ code: code ?? EXIT.error, how: signal ?? `exit code ${code}`, wasReady });
    });
  });
}

const RESTARTED = 'REPRISE_RESTARTED';

interface Signals {
  to(child: ChildProcess): void;
  stopping(): boolean;
  /** Whether a restart was asked for since the last time. */
  takeRestart(): boolean;
}

function listenToSignals(): Signals {
  let child: ChildProcess | undefined;
  let isStopping = false;
  let isRestart = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      isStopping = true;
      child?.kill(signal);
    });
  }
  process.on('SIGHUP', () => {
    isRestart = true;
    // a terminal that was closed is the end of what was started at it
    if (process.stderr.isTTY === true) isStopping = true;
    child?.kill('SIGTERM');
  });
  return {
    to(next) {
      child = next;
    },
    stopping: () => isStopping,
    takeRestart() {
      const was = isRestart;
      isRestart = false;
      return was;
    },
  };
}

/** In the server: says that it serves. False where nobody supervises. */
export function tellReady(): boolean {
  return process.send?.(READY) ?? false;
}

/** In the server: whether another served on this socket before. */
export const isRestarted = (): boolean => process.env[RESTARTED] !== undefined;
