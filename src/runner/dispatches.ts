/** The dispatches of this host, from their submission until the server knows that they are gone. */
import type { HostCapacity, HostSubmission, HostVerdict } from '../contract/host.js';
import { fault } from '../faults.js';
import type { Journal, OpenEntry } from './journal.js';
import { Line, type Size } from './line.js';
import type { LogSpool } from './log-spool.js';
import { openFor, removeSpoolsExcept, spoolOfOrphan } from './orphans.js';
import type { Reporter } from './reporter.js';
import type { Machine } from './run.js';
import { runDispatch } from './run-dispatch.js';

export interface DispatchesOptions {
  readonly machine: Machine;
  readonly journal: Journal;
  readonly reporter: Reporter;
  readonly spoolDirectory: string;
  readonly size: Size;
  /** Capacity was freed, or a dispatch was closed. */
  readonly onChange: () => void;
}

interface Known {
  readonly cancel: AbortController;
  state: 'pending' | 'running';
}

export class Dispatches {
  readonly #known = new Map<string, Known>();
  readonly #line: Line;
  #draining = false;

  constructor(private readonly options: DispatchesOptions) {
    this.#line = new Line(options.size, () => performance.now(), options.onChange);
  }

  get size(): number {
    return this.#known.size;
  }

  /** Those with processes; the others wait, or have something to tell that the journal has too. */
  get running(): number {
    return this.#line.holders;
  }

  resize(size: Size): void {
    this.#line.resize(size);
  }

  /** Takes nothing new from now on. */
  drain(): void {
    this.#draining = true;
  }

  get isDraining(): boolean {
    return this.#draining;
  }

  capacity(isShared: boolean): HostCapacity {
    return this.#draining ? { cpus: 0, memoryMb: 0, jobs: 0 } : this.#line.capacity(isShared);
  }

  has(id: string): boolean {
    return this.#known.has(id);
  }

  /** Repeating a submission is answered again and changes nothing. */
  async submit(submissions: readonly HostSubmission[]): Promise<HostVerdict[]> {
    if (this.#draining) return submissions.map(() => 'the runner host of an older release ends after its last job');
    const fresh = submissions.filter((one) => !this.#known.has(one.dispatchId));
    const known = fresh.map(() => ({ cancel: new AbortController(), state: 'pending' as const }));
    fresh.forEach((one, at) => {
      this.#known.set(one.dispatchId, known[at] as Known);
    });
    try {
      await this.options.journal.appendAll(
        fresh.map((one) => ({ is: 'submitted', id: one.dispatchId, job: one.jobId, token: one.token })),
      );
    } catch (error) {
      for (const one of fresh) this.#known.delete(one.dispatchId);
      const why = `the runner host cannot write its journal: ${(error as Error).message}`;
      return submissions.map((one) => (fresh.includes(one) ? why : null));
    }
    fault('host.submitted');
    fresh.forEach((one, at) => {
      void this.#run(one, known[at] as Known);
    });
    return submissions.map(() => null);
  }

  poll(ids: readonly string[]): ('pending' | 'running' | 'gone')[] {
    return ids.map((id) => this.#known.get(id)?.state ?? 'gone');
  }

  cancel(ids: readonly string[]): void {
    for (const id of ids) this.#known.get(id)?.cancel.abort();
  }

  /** Not by their owners: `why` becomes the reason of their failure. */
  endAll(why: string): void {
    for (const { cancel } of this.#known.values()) cancel.abort(why);
  }

  /** Says what a host that died had still to say. Its processes are ended by now. */
  takeOver(open: ReadonlyMap<string, OpenEntry>): void {
    removeSpoolsExcept(this.options.spoolDirectory, open);
    for (const entry of open.values()) {
      const { id, token } = entry.submitted;
      const known: Known = { cancel: new AbortController(), state: 'running' };
      this.#known.set(id, known);
      const spool = spoolOfOrphan(this.options.spoolDirectory, entry);
      const channel = openFor(this.options.reporter, token, spool);
      if (entry.ended?.finish) channel.finish(entry.ended.finish);
      void this.#close(id, spool, channel.gone());
    }
  }

  async #run(one: HostSubmission, known: Known): Promise<void> {
    const { spool, over } = runDispatch(
      { id: one.dispatchId, token: one.token },
      {
        ...this.options,
        place: this.#line.join(one),
        cancel: known.cancel,
        onSpawned: () => {
          known.state = 'running';
        },
        note: (entry) => this.#note(entry),
        // the journal sees to it that no dispatch runs twice here
        hasLastWord: async () => true,
      },
    );
    await this.#close(one.dispatchId, spool, over);
  }

  async #close(id: string, spool: LogSpool, gone: Promise<unknown>): Promise<void> {
    try {
      await gone;
    } catch (error) {
      // a defect: without a word the dispatch would stay open for ever; the next host says that it is gone
      this.options.machine.log('a dispatch was not carried out to its end', { dispatch: id, error });
      return;
    }
    fault('host.gone');
    spool.remove();
    this.#known.delete(id);
    this.#note({ is: 'closed', id });
    this.options.onChange();
  }

  /** Not waited for: what is lost with it is said again, or ends as lost. */
  #note(entry: Parameters<Journal['append']>[0]): void {
    this.options.journal.append(entry).then(
      () => entry.is === 'ended' && fault('host.noted'),
      (error: unknown) => {
        this.options.machine.log('the journal could not be written', { entry: entry.is, dispatch: entry.id, error });
      },
    );
  }
}
