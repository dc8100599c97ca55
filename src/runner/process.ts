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
}

const GRACE_MS = 5_000;
/** After the whole tree has ended its pipes hold only what is buffered. */
const PIPES_MS = 2_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Resolves when no process of the tree is left and all output was read. Rejects if the command cannot be spawned. */
export async function runToEnd(what: Command): Promise<Exit> {
  const child = spawnIn(what);
  const pipes = Promise.all([pipeLines(child.stdout, false, what.sink), pipeLines(child.stderr, true, what.sink)]);
  const exited = exitOf(child);
  const pid = await pidOf(child);
  what.onStarted(pid);
  const tree = treeOf(what.dispatchId, what.cgroup, pid);
  const ending = endEarly(what, tree, exited);
  const { code, signal } = await exited;
  const reason = await ending.stop();
  await endTree(tree);
  await withinTime(pipes, PIPES_MS, what.sink);
  child.stdout?.destroy();
  child.stderr?.destroy();
  return { reason, code, signal };
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
  // a longer time than a timer can wait (24 days) is no limit
  const timer = timeoutMs > LONGEST_TIMER_MS ? undefined : setTimeout(() => end('timeout'), timeoutMs);
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

/** Resolves at the end of the stream. Order is kept; while the sink is full the pipe is not read, and the app waits. */
function pipeLines(stream: Readable | null, isError: boolean, sink: LineSink): Promise<void> {
  if (stream === null) return Promise.resolve();
  const splitter = createLineSplitter();
  const pass = (lines: readonly string[]) => {
    if (lines.length === 0) return;
    const ts = Date.now();
    sink.push(lines.map((line) => ({ line, is_error: isError, ts })));
  };
  stream.on('data', (chunk: Buffer) => {
    pass(splitter.push(chunk));
    if (!sink.isFull) return;
    stream.pause();
    sink.whenDrained(() => stream.resume());
  });
  return new Promise((done) => {
    stream.once('close', () => {
      pass(splitter.end());
      done();
    });
    // a broken pipe closes too
    stream.on('error', () => undefined);
  });
}

/** A pipe that somebody outside of the tree still holds is not waited for; one that waits for the sink is. */
async function withinTime(pipes: Promise<unknown>, ms: number, sink: LineSink): Promise<void> {
  let done = false;
  const all = pipes.then(() => {
    done = true;
  });
  while (!done) {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((next) => {
      timer = setTimeout(next, ms);
    });
    await Promise.race([all, late]);
    clearTimeout(timer);
    if (!sink.isFull) return;
  }
}
