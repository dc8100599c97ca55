/** One dispatch with all it needs in this process: its spool, its way to the server, and its notes for a successor. */
import type { WorkerAnswer } from '../contract/worker.js';
import { fault } from '../faults.js';
import type { Entry } from './journal.js';
import type { Place } from './line.js';
import { LogSpool } from './log-spool.js';
import type { AskNext, Channel, Reporter } from './reporter.js';
import { type Dispatch, type Machine, run } from './run.js';
import { startTimeOf } from './tree.js';

export interface Surroundings {
  readonly machine: Machine;
  readonly reporter: Reporter;
  readonly spoolDirectory: string;
  /** Where and when it may run. */
  readonly place: Place;
  readonly cancel: AbortController;
  readonly onSpawned: () => void;
  /** For a successor. Not waited for: what is lost with it is said again, or ends as lost. */
  readonly note: (entry: Entry) => void;
  readonly hasLastWord: Dispatch['hasLastWord'];
  readonly next?: AskNext;
}

export interface DispatchInHand {
  readonly id: string;
  readonly token: string;
  /** See `WorkerReport.start`. */
  readonly run?: string;
  /** It is started already: the answer to that. */
  readonly started?: WorkerAnswer;
}

export interface DispatchRun {
  readonly spool: LogSpool;
  readonly channel: Channel;
  readonly over: Promise<'gone' | 'left'>;
}

export function runDispatch(one: DispatchInHand, around: Surroundings): DispatchRun {
  const { machine, reporter, place, cancel, note } = around;
  const { id, started } = one;
  const spool = new LogSpool(around.spoolDirectory, id);
  const drained = new Drained(spool);
  const opened = reporter.open({
    token: one.token,
    ...(one.run !== undefined && { run: one.run }),
    spool,
    onDrained: () => drained.check(),
    onCanceled: () => cancel.abort(),
    ...(around.next !== undefined && { next: around.next }),
  });
  const channel = started === undefined ? opened : { ...opened, start: async () => started };
  const over = run(machine, {
    id,
    channel,
    spool,
    canceled: cancel.signal,
    whenDrained: (then) => drained.wait(then),
    turn: place.turn,
    slot: () => place.slot(),
    freeSlot: () => place.leave(),
    hasLastWord: around.hasLastWord,
    onStarted: (pid) => {
      fault('host.spawned');
      around.onSpawned();
      note({ is: 'started', id, pid, startTime: startTimeOf(pid) });
    },
    onEnded: (finish) => note({ is: 'ended', id, finish, ...spool.unspilled() }),
  });
  return { spool, channel, over };
}

/** Wakes readers of pipes when half of what was too much has gone. */
class Drained {
  #waiting: (() => void)[] = [];
  constructor(private readonly spool: LogSpool) {}

  wait(then: () => void): void {
    this.#waiting.push(then);
    this.check();
  }

  check(): void {
    if (this.spool.isFull) return;
    for (const then of this.#waiting.splice(0)) then();
  }
}
