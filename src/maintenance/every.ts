/** A loop is `start`, `stop`, `runOnce`: tests call `runOnce`. */

export interface Loop {
  start(): void;
  /** Resolves when the run under way has ended. */
  stop(): Promise<void>;
  /** Runs now, or again right after the run under way. */
  nudge(): void;
  runOnce(): Promise<void>;
}

export interface LoopOptions {
  readonly name: string;
  readonly intervalMs: number;
  readonly run: () => Promise<unknown>;
  readonly log: (message: string, detail?: object) => void;
}

export function every({ name, intervalMs, run, log }: LoopOptions): Loop {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let again = false;
  let on = false;

  const runOnce = async () => {
    try {
      await run();
    } catch (error) {
      // the next turn starts from the record again; a loop never ends by a failed turn
      if (on) log(`the ${name} loop failed; it tries again in ${intervalMs} ms`, { error });
    }
  };
  const turn = () => {
    clearTimeout(timer);
    again = false;
    running = runOnce().then(() => {
      running = undefined;
      if (!on) return;
      if (again) turn();
      else timer = setTimeout(turn, intervalMs);
    });
  };
  return {
    start() {
      on = true;
      turn();
    },
    async stop() {
      on = false;
      clearTimeout(timer);
      await running;
    },
    nudge() {
      again = true;
      if (on && running === undefined) turn();
    },
    runOnce: () => run().then(() => undefined),
  };
}
