/** The other end of the database's thread: a request is one message there and one back, answered in order. */
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

export interface ThreadData {
  readonly directory: string;
  /** Shared with the thread; indexed by SYNCS. */
  readonly counters: Int32Array;
}
export const SYNCS = 0;
export type ToThread = { readonly kind: 'request'; readonly bytes: Uint8Array } | { readonly kind: 'close' };
export type FromThread =
  | { readonly kind: 'open' }
  | { readonly kind: 'answer'; readonly bytes: Uint8Array }
  | { readonly kind: 'closed' };

/**
 * PGlite's own, but for `-F`, which is "no fsync". Linux's fdatasync is a stub in it, so that `fsync` must be the method.
 * Single-user PostgreSQL never checkpoints by itself; the sizes only say how many files of the log are kept for reuse.
 */
export const START_PARAMETERS: readonly string[] = [
  '--single',
  '-O',
  '-j',
  ...[
    'search_path=public',
    'exit_on_error=false',
    'log_checkpoints=off',
    'log_min_messages=fatal',
    'max_worker_processes=0',
    'max_parallel_workers=0',
    'max_parallel_workers_per_gather=0',
    'max_parallel_maintenance_workers=0',
    'io_method=sync',
    'fsync=on',
    'wal_sync_method=fsync',
    'min_wal_size=32MB',
    'max_wal_size=64MB',
    'jit=off',
    'datestyle=ISO',
    'timezone=UTC',
  ].flatMap((setting) => ['-c', setting]),
];

export interface Thread {
  /** The bytes are handed over: the caller has them no longer. */
  ask(request: Uint8Array<ArrayBuffer>): Promise<Uint8Array>;
  /** How often it has told the disk to keep what was written. */
  syncs(): number;
  /** Ends it at once, as a crash does; everything asked is refused with this error. */
  fail(error: Error): void;
  close(): Promise<void>;
}

interface Waiting {
  resolve(bytes: Uint8Array): void;
  reject(error: Error): void;
}

/** Tests run from the sources, which a thread can not load; it runs what was built from them. */
const PROGRAM = fileURLToPath(
  import.meta.url.endsWith('.ts')
    ? new URL('../../dist/store/embedded-worker.js', import.meta.url)
    : new URL('./embedded-worker.js', import.meta.url),
);

/** Opens (or, where there is nothing, makes) the database in the directory. `onDeath` is called at most once. */
export async function startThread(directory: string, onDeath: (error: Error) => void): Promise<Thread> {
  const counters = new Int32Array(new SharedArrayBuffer(4));
  const workerData: ThreadData = { directory, counters };
  // options of the process, such as the --input-type of a program given by -e, are not for this file
  const worker = new Worker(PROGRAM, { workerData, execArgv: [] });
  const thread = new WorkerThread(worker, counters, onDeath);
  await thread.opened;
  return thread;
}

class WorkerThread implements Thread {
  readonly opened: Promise<void>;
  readonly #gone: Promise<void>;
  readonly #waiting: Waiting[] = [];
  /** Whether its end would be news to those who have it. */
  #inUse = false;
  /** Set once there is no thread to ask. */
  #end: Error | undefined;

  constructor(
    private readonly worker: Worker,
    private readonly counters: Int32Array,
    private readonly onDeath: (error: Error) => void,
  ) {
    this.opened = new Promise((resolve, reject) => {
      worker.once('error', reject);
      worker.once('message', () => {
        this.#inUse = true;
        resolve();
      });
    });
    this.#gone = new Promise((resolve) => worker.once('exit', () => resolve()));
    worker.on('message', (message: FromThread) => {
      if (message.kind === 'answer') this.#waiting.shift()?.resolve(message.bytes);
    });
    worker.on('error', (error) => this.fail(error));
    worker.on('exit', () => this.fail(new Error('its thread ended')));
    void this.opened.catch(() => undefined);
  }

  ask(request: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.worker.postMessage({ kind: 'request', bytes: request } satisfies ToThread, [request.buffer]);
    });
  }

  syncs(): number {
    return Atomics.load(this.counters, SYNCS);
  }

  fail(error: Error): void {
    if (this.#end !== undefined) return;
    this.#end = new Error(`the embedded database has ended: ${error.message}`, { cause: error });
    void this.worker.terminate();
    for (const { reject } of this.#waiting.splice(0)) reject(this.#end);
    if (this.#inUse) this.onDeath(this.#end);
  }

  async close(): Promise<void> {
    this.#inUse = false;
    if (this.#end === undefined) this.worker.postMessage({ kind: 'close' } satisfies ToThread);
    await this.#gone;
  }
}
