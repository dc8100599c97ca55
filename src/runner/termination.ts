/**
 * SIGTERM: the scheduler ends this task (its time is up, it was preempted or cancelled there), and knows better than we how
 * the job ended. The server is asked once whether it was a cancel of its own: then it wants to hear that nothing is left.
 */
import type { WorkerAnswer } from '../contract/worker.js';
import type { Channel } from './reporter.js';
import type { End } from './run.js';

export interface Termination {
  readonly isOn: boolean;
  /** See `Dispatch.hasLastWord`. */
  leavesLastWord(end: End): Promise<boolean>;
  /** When it is time to go, whatever is still to be done. */
  readonly deadline: Promise<'late'>;
}

interface RunSoFar {
  readonly channel: Channel;
  readonly hasSpawned: boolean;
}

/** Schedulers signal all processes of a job: the app may have died of it before we hear. */
const SETTLE_MS = 100;
const ASK_MS = 3_000;
/** Less than the time between SIGTERM and SIGKILL (Slurm's KillWait: 30 s), and more than the grace of the app. */
const DEADLINE_MS = 10_000;
const WHY = "the cluster's scheduler ended it";

export function createTermination(cancel: AbortController, run: () => RunSoFar): Termination {
  let isOn = false;
  let isCanceled: Promise<boolean> = Promise.resolve(false);
  let onSignal = () => {};
  const signalled = new Promise<void>((done) => {
    onSignal = done;
  });
  const begin = () => {
    if (isOn) return;
    isOn = true;
    isCanceled = Promise.race([run().channel.ask().then(isOver), after(ASK_MS, false)]);
    cancel.abort(WHY);
    onSignal();
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, begin);
  return {
    get isOn() {
      return isOn;
    },
    async leavesLastWord(end) {
      if (end === 'refused') return false;
      if (end === 'failed' && !isOn) await Promise.race([signalled, after(SETTLE_MS, undefined)]);
      return !isOn || end === 'good' || isCanceled;
    },
    deadline: signalled.then(() => after(run().hasSpawned ? DEADLINE_MS : ASK_MS, 'late' as const)),
  };
}

const isOver = (answer: WorkerAnswer) => answer.canceled;

function after<T>(ms: number, value: T): Promise<T> {
  return new Promise((done) => setTimeout(() => done(value), ms));
}
