/**
 * A runner whose job was short goes on with another that waits at its scheduler as a task of the same array: to start a task,
 * and Node in it, takes a cluster longer than many a job. The dispatch moves to the runner's task: whoever asks the scheduler
 * about it hears of the process that carries it out. Its own task is taken back.
 *
 * It is given in the transaction that records the end of the one before. So no end is on record while its dispatch is open, and
 * nobody who looks for such ends cancels the task for the last job while it carries out the next. A runner whose job was
 * cancelled is given nothing: the cancel may still be on its way to its task. Nor is one whose job failed: the node may be why,
 * and would fail one after the other.
 *
 * Killed after the commit: the runner asks again and is given the same. Killed before a task is taken back: it begins, is
 * refused its start, and ends. A runner that is killed before it asks again leaves a started job, whose end the scheduler tells
 * as that of the task.
 */
import type { WorkerReport } from '../contract/worker.js';
import type { DispatchRef, Scheduler } from '../schedulers/scheduler.js';
import type { Queryable } from '../store/db.js';
import { findDispatchOfRun, type ReportedDispatchRow, takeQueuedDispatch } from '../store/dispatches.js';

export interface Asked {
  readonly row: ReportedDispatchRow;
  readonly next: NonNullable<WorkerReport['next']>;
  /** Its last dispatch was closed before: what was given then is given again. */
  readonly isRepeated: boolean;
}

export interface Given {
  readonly dispatchId: string;
  /** Where it waited; null if it was given before. */
  readonly from: DispatchRef | null;
}

/** Null: there is nothing that this process may carry out. Locks what it gives. */
export async function takeNext(
  tx: Queryable,
  scheduler: Scheduler | undefined,
  { row, next, isRepeated }: Asked,
): Promise<Given | null> {
  if (row.scheduler_name === null) return null;
  if (isRepeated) {
    const given = await findDispatchOfRun(tx, row.scheduler_name, next.run);
    return given === undefined ? null : { dispatchId: given.dispatch_id, from: null };
  }
  const among = next.only_given === true ? null : (scheduler?.goesOn?.(row.scheduler_name) ?? null);
  if (among === null) return null;
  const taken = await takeQueuedDispatch(tx, { scheduler: row.scheduler, ...among }, row);
  if (taken === undefined) return null;
  return {
    dispatchId: taken.dispatch_id,
    from: { dispatchId: taken.dispatch_id, name: taken.scheduler_name, schedulerId: taken.scheduler_id },
  };
}

/** Takes tasks back whose dispatches have moved: some at once, because asking a cluster takes longer than a short job. */
export interface Spared {
  add(scheduler: Scheduler | undefined, ref: DispatchRef): void;
}

const TOGETHER_MS = 500;

export function createSpared(log: (message: string, detail?: object) => void): Spared {
  const waiting = new Map<Scheduler, DispatchRef[]>();
  const takeBack = () => {
    for (const [scheduler, refs] of waiting) {
      waiting.delete(scheduler);
      scheduler.cancel(refs).catch((error: unknown) => {
        log('tasks could not be taken back; they will begin and find nothing to do', { tasks: refs.length, error });
      });
    }
  };
  return {
    add(scheduler, ref) {
      if (scheduler === undefined) return;
      // not worth staying alive for
      if (waiting.size === 0) setTimeout(takeBack, TOGETHER_MS).unref();
      waiting.set(scheduler, [...(waiting.get(scheduler) ?? []), ref]);
    },
  };
}
