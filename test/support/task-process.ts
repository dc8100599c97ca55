/** The program that a cluster's scheduler starts on a node, as a real process, with an order on its standard input. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { TASK_PROGRAM, type TaskOrder } from '../../src/contract/task.js';
import type { JobSpec } from '../../src/contract/worker.js';
import type { BareMirror } from './bare-mirror.js';
import type { Recorded, ReportServer } from './report-server.js';

export interface TaskProcess {
  readonly child: ChildProcess;
  /** The exit code, or the signal. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  /** Standard error so far. */
  readonly said: string;
}

const program = resolve(import.meta.dirname, '../..', TASK_PROGRAM);

/** `as`: who, and which copies of Node and of the program that one may read. */
export function startTask(
  order: TaskOrder,
  env: NodeJS.ProcessEnv = process.env,
  as: { node?: string; program?: string; uid?: number } = {},
): TaskProcess {
  const who = as.uid === undefined ? {} : { uid: as.uid, gid: as.uid };
  const options: SpawnOptions = { env, stdio: ['pipe', 'ignore', 'pipe'], ...who };
  const child = spawn(as.node ?? process.execPath, [as.program ?? program], options);
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  child.stdin?.end(`${JSON.stringify(order)}\n`);
  const ended = new Promise<number | NodeJS.Signals | null>((done, fail) => {
    child.once('error', fail).once('close', (code, signal) => done(code ?? signal));
  });
  return {
    child,
    ended,
    get said() {
      return said;
    },
  };
}

/** A dispatch that the server knows, of a job that runs this in the shell; returns its id. */
export function recordDispatch(server: ReportServer, app: BareMirror, script: string): string {
  const id = randomBytes(12).toString('hex');
  const job: JobSpec = {
    job_id: id,
    module: 'demo',
    method: 'demo.run',
    commit: app.commit,
    repository: app.path,
    command: ['sh', '-c', script],
    env: {},
    input: '{"a":1.0}',
    timeout_ms: 60_000,
    cpus: 1,
    memory_mb: 200,
  };
  const row: Recorded = {
    job,
    status: 'queued',
    starts: 0,
    startsAllowed: 0,
    lines: [],
    repeated: 0,
    finish: null,
    closed: false,
  };
  server.recorded.set(id, row);
  return id;
}
