/** The program that a cluster's scheduler starts on a node, as a real process, with an order on its standard input. */
import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { TASK_PROGRAM, type TaskOrder } from '../../src/contract/task.js';

export interface TaskProcess {
  readonly child: ChildProcess;
  /** The exit code, or the signal. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  /** Standard error so far. */
  readonly said: string;
}

const program = resolve(import.meta.dirname, '../..', TASK_PROGRAM);

export function startTask(order: TaskOrder, env: NodeJS.ProcessEnv = process.env): TaskProcess {
  const child = spawn(process.execPath, [program], { env, stdio: ['pipe', 'ignore', 'pipe'] });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  child.stdin?.end(`${JSON.stringify(order)}\n`);
  const ended = new Promise<number | NodeJS.Signals | null>((done) => {
    child.once('close', (code, signal) => done(code ?? signal));
  });
  return {
    child,
    ended,
    get said() {
      return said;
    },
  };
}
