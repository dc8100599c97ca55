/**
 * SIGTERM: the scheduler ends this task (its time is up, it was preempted or cancelled there), and knows better than we how
 * the job ended. The server is asked once whether it was a cancel of its own: then it wants to hear that nothing is left.
 * It may come at any time: what is begun after it is ended at once.
 */
import { TASK_TERMINATED } from '../contract/task.js';
import type { FinishReport, WorkerAnswer } from '../contract/worker.js';
import type { Channel } from './reporter.js';
import type { End } from './run.js';

export interface Termination {
  readonly isOn: boolean;
  /** From now on this is what is ended. */
  attach(run: RunSoFar): void;
  /** See `Dispatch.hasLastWord`. */
  leavesLastWord(end: End, finish: FinishReport | null): Promise<boolean>;
  /** When it is time to go, whatever is still to be done. */
  readonly deadline: Promise<'late'>;
}

export interface RunSoFar {
  readonly channel: Channel;
  readonly cancel: AbortController;
  readonly hasSpawned: boolean;
}

/** Schedulers signal all processes of a job: the app may have died of it before we hear. */
const SETTLE_MS = 100;
/** One that was ended by SIGTERM: a busy node may come to us late. */
const SETTLE_ENDED_MS = 1_000;
const ASK_MS = 3_000;
/** Less than the time between SIGTERM and SIGKILL (Slurm's KillWait: 30 s), and more than the grace of the app. */
const DEADLINE_MS = 10_000;
const WHY = "the cluster's scheduler ended it";

export function createTermination(): Termination {
  let isOn = false;
  let run: RunSoFar | null = null;
  let isCanceled: Promise<boolean> = Promise.resolve(false);
  let onSignal = () => {};
  const signalled = new Promise<void>((done) => {
    onSignal = done;
  });
  const end = ({ channel, cancel }: RunSoFar) => {
    isCanceled = Promise.race([channel.ask().then(isOver), after(ASK_MS, false)]);
    cancel.abort(WHY);
  };
  const begin = () => {
    if (isOn) return;
    isOn = true;
    if (run !== null) end(run);
    onSignal();
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, begin);
  return {
    get isOn() {
      return isOn;
    },
    attach(next) {
      run = next;
      if (isOn) end(next);
    },
    async leavesLastWord(how, finish) {
      if (how === 'refused') return false;
      const settle = isByTerm(finish) ? SETTLE_ENDED_MS : SETTLE_MS;
      if (how === 'failed' && !isOn) await Promise.race([signalled, after(settle, undefined)]);
      return !isOn || how === 'good' || isCanceled;
    },
    deadline: signalled.then(() => after(run?.hasSpawned ? DEADLINE_MS : ASK_MS, 'late' as const)),
  };
}

/** Also of a shell whose program was. */
const isByTerm = (finish: FinishReport | null): boolean =>
  finish?.exit_signal === 'SIGTERM' || finish?.exit_code === TASK_TERMINATED;

const isOver = (answer: WorkerAnswer) => answer.canceled;

function after<T>(ms: number, value: T): Promise<T> {
  return new Promise((done) => setTimeout(() => done(value), ms));
}
