/**
 * The thread in which PGlite runs: bytes of PostgreSQL's protocol in, bytes out, in order. A statement blocks its thread
 * for as long as it takes; here that is nobody's but its own.
 */
import { closeSync, fsyncSync, openSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite, type postgresMod } from '@electric-sql/pglite';
import { NodeFS } from '@electric-sql/pglite/nodefs';
import { type FromThread, START_PARAMETERS, SYNCS, type ThreadData, type ToThread } from './embedded-thread.js';

const port = parentPort;
if (port === null) throw new Error('this file is a worker thread of the server; it is not started by itself');
const { directory, counters } = workerData as ThreadData;
const EIO = 29;
const READY = 0x5a;
const READY_LENGTH = 6;

/** What can not be told through PostgreSQL's own answers: PGlite swallows every exception of its program. */
let broken: unknown;
let said: string[] = [];

interface Stream {
  readonly nfd: number | undefined;
  readonly node: unknown;
}
interface NodeFileSystem {
  readonly stream_ops: { fsync?: (stream: Stream) => number };
  realPath(node: unknown): string;
}
type Module = postgresMod.PostgresMod & { onAbort?: (what: unknown) => void };

/** Emscripten's file system of Node has no fsync: without one, what PostgreSQL syncs reaches no disk. */
class SyncingFS extends NodeFS {
  override async init(pg: PGlite, options: Partial<Module>): Promise<{ emscriptenOpts: Partial<Module> }> {
    const { emscriptenOpts } = await super.init(pg, options);
    const addSync = (module: Module) => {
      const files = module.NODEFS as unknown as NodeFileSystem;
      files.stream_ops.fsync = (stream) => sync(stream.nfd, () => files.realPath(stream.node));
    };
    const onAbort = (what: unknown) => {
      broken ??= what;
    };
    return { emscriptenOpts: { ...emscriptenOpts, onAbort, preRun: [...(emscriptenOpts.preRun ?? []), addSync] } };
  }
}

/** A directory is open without a descriptor. After a failed sync nobody knows what is on the disk: the end. */
function sync(descriptor: number | undefined, pathOf: () => string): number {
  Atomics.add(counters, SYNCS, 1);
  try {
    if (descriptor !== undefined) fsyncSync(descriptor);
    else syncDirectory(pathOf());
    return 0;
  } catch (error) {
    broken ??= error;
    return EIO;
  }
}

function syncDirectory(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

async function open(): Promise<PGlite> {
  try {
    return await PGlite.create({
      fs: new SyncingFS(directory),
      startParams: [...START_PARAMETERS],
      initDbStartParams: ['--wal-segsize=4'],
      onStderr: (line) => {
        said = [...said.slice(-9), line];
        return true;
      },
    });
  } catch (error) {
    throw new Error([String(error instanceof Error ? error.message : error), ...said].join('\n'));
  }
}

function send(message: FromThread, transfer: ArrayBuffer[] = []): void {
  port?.postMessage(message, transfer);
}

async function answer(pg: PGlite, request: Uint8Array): Promise<void> {
  const chunks: Uint8Array[] = [];
  await pg.execProtocolRawStream(request, { syncToFs: false, onRawData: (bytes) => chunks.push(bytes.slice()) });
  const bytes = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
  if (broken === undefined && bytes.at(-READY_LENGTH) !== READY) broken = new Error('PostgreSQL gave no whole answer');
  if (broken !== undefined) throw new Error([String(broken), ...said].join('\n'));
  // Buffer.concat may take from the shared pool, which can not be handed over
  const whole = bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
  send({ kind: 'answer', bytes: whole }, [whole.buffer as ArrayBuffer]);
}

const pg = await open();
port.on('message', async (message: ToThread) => {
  if (message.kind === 'request') return answer(pg, message.bytes);
  await pg.close();
  send({ kind: 'closed' });
  port.close();
});
send({ kind: 'open' });
