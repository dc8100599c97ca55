/** Runs one command to its end: its own session, its output as log lines, its end within its time. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { LogLine } from '../contract/worker.js';
import type { Cgroup } from './cgroups.js';
import { createLineSplitter } from './lines.js';
import { endTree, type Tree, treeOf } from './tree.js';

export interface Command {
  readonly dispatchId: string;
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly cgroup: Cgroup;
  readonly timeoutMs: number;
  readonly canceled: AbortSignal;
  readonly onStarted: (pid: number) => void;
  readonly sink: LineSink;
}

/** Where lines go. `isFull`: the pipes are not read until `whenDrained` calls back. */
export interface LineSink {
  push(lines: readonly LogLine[]): void;
  readonly isFull: boolean;
  whenDrained(then: () => void): void;
}

/** The first reason wins: a process that was cancelled while its time ran out was cancelled. */
export type EndReason = 'exit' | 'timeout' | 'canceled';

export interface Exit {
  readonly reason: EndReason;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Who ended it, where that was not the job's owner. */
  readonly endedBy: string | null;
}

const GRACE_MS = 5_000;
/** After the whole tree has ended its pipes hold only what is buffered. */
const PIPES_MS = 2_000;
/** 24 days: what a timer can wait at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Resolves when no process of the tree is left and all output was read. Rejects if the command cannot be spawned. */
export async function runToEnd(what: Command): Promise<Exit> {
  const child = spawnIn(what);
  const pipes = [pipeLines(child.stdout, false, what.sink), pipeLines(child.stderr, true, what.sink)];
  const exited = exitOf(child);
  const pid = await pidOf(child);
  what.onStarted(pid);
  const tree = treeOf(what.dispatchId, what.cgroup, pid);
  const ending = endEarly(what, tree, exited);
  const { code, signal } = await exited;
  const reason = await ending.stop();
  await endTree(tree);
  await readToEnd(pipes, what.sink);
  child.stdout?.destroy();
  child.stderr?.destroy();
  const endedBy = reason === 'canceled' && typeof what.canceled.reason === 'string' ? what.canceled.reason : null;
  return { reason, code, signal, endedBy };
}

function spawnIn({ command, cwd, env, cgroup }: Command): ChildProcess {
  return cgroup.enter(command, ([program = '', ...args]) =>
    spawn(program, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] }),
  );
}

/** Node tells a failed spawn by an event, with no pid. */
function pidOf(child: ChildProcess): Promise<number> {
  if (child.pid !== undefined) return Promise.resolve(child.pid);
  return new Promise((_, failed) => child.once('error', failed));
}

function exitOf(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((done) => child.once('exit', (code, signal) => done({ code, signal })));
}

/** TERM to the whole tree when it is cancelled or its time is up, KILL after the grace. */
function endEarly({ timeoutMs, canceled }: Command, tree: Tree, exited: Promise<unknown>) {
  let reason: EndReason = 'exit';
  let ended: Promise<void> | undefined;
  const end = (why: EndReason) => {
    if (ended !== undefined) return;
    reason = why;
    ended = endWithGrace(tree, exited);
  };
  const onCancel = () => end('canceled');
  let timer: NodeJS.Timeout | undefined;
  const wait = (ms: number) => {
    const step = Math.min(ms, LONGEST_TIMER_MS);
    timer = setTimeout(() => (step < ms ? wait(ms - step) : end('timeout')), step);
  };
  wait(timeoutMs);
  if (canceled.aborted) onCancel();
  canceled.addEventListener('abort', onCancel);
  return {
    /** After the command itself has ended: the rest of its tree gets what is left of the grace. */
    async stop(): Promise<EndReason> {
      clearTimeout(timer);
      canceled.removeEventListener('abort', onCancel);
      await ended;
      return reason;
    },
  };
}

async function endWithGrace(tree: Tree, exited: Promise<unknown>): Promise<void> {
  await tree.signal('SIGTERM');
  const deadline = performance.now() + GRACE_MS;
  for (let pause = 5; performance.now() < deadline && !(await tree.isEmpty()); pause = Math.min(100, pause * 2)) {
    await new Promise((next) => setTimeout(next, pause));
  }
  await endTree(tree);
  await exited;
}

interface Pipe {
  /** Resolves at the end of the stream. */
  readonly ended: Promise<void>;
  /** Bytes so far. */
  read(): number;
}

/** Order is kept; while the sink is full the pipe is not read, and the app waits. */
function pipeLines(stream: Readable | null, isError: boolean, sink: LineSink): Pipe {
  if (stream === null) return { ended: Promise.resolve(), read: () => 0 };
  const splitter = createLineSplitter();
  let bytes = 0;
  const pass = (lines: readonly string[]) => {
    if (lines.length === 0) return;
    const ts = Date.now();
    sink.push(lines.map((line) => ({ line, is_error: isError, ts })));
  };
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    pass(splitter.push(chunk));
    if (!sink.isFull) return;
    stream.pause();
    sink.whenDrained(() => stream.resume());
  });
  const ended = new Promise<void>((done) => {
    stream.once('close', () => {
      pass(splitter.end());
      done();
    });
    // a broken pipe closes too
    stream.on('error', () => undefined);
  });
  return { ended, read: () => bytes };
}

/** Until their ends, or until nothing comes any more: somebody outside of the tree may hold them open. */
async function readToEnd(pipes: readonly Pipe[], sink: LineSink): Promise<void> {
  let isOver = false;
  const ended = Promise.all(pipes.map((pipe) => pipe.ended)).then(() => {
    isOver = true;
  });
  const total = () => pipes.reduce((sum, pipe) => sum + pipe.read(), 0);
  for (let before = -1; !isOver && (sink.isFull || total() > before); ) {
    before = total();
    await withinTime(ended, PIPES_MS);
  }
}

async function withinTime(what: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((next) => {
    timer = setTimeout(next, ms);
  });
  await Promise.race([what, late]);
  clearTimeout(timer);
}
