/**
 * Who may run next, first come first served, with slots of cpus and memory. A start must be recorded by the server
 * before anything is spawned; so that a slot of short jobs never waits for that, a few starts are asked for ahead, as
 * many as short jobs left a slot lately. For long jobs that is none: what is recorded as running runs.
 */

export interface Size {
  readonly cpus: number;
  readonly memoryMb: number;
}

export interface Place {
  /** Resolves when the start may be asked for. */
  readonly turn: Promise<void>;
  /** Resolves when it holds its cpus and memory. */
  slot(): Promise<void>;
  /** Gives back what it holds, or its place in the line. */
  leave(): void;
}

interface Waiting {
  readonly size: Size;
  state: 'waiting' | 'starting' | 'ready';
  readonly onTurn: () => void;
  onSlot: (() => void) | null;
}

/** Short jobs that left their slots within this time tell how many starts to ask for ahead. */
const WINDOW_MS = 500;
const SHORT_MS = 1000;
/** How much of a second of work to have ready: a server's round trip, many jobs sharing it, takes a part of that. */
const START_AHEAD = { seconds: 0.25, most: 128 };
const SUBMIT_AHEAD = { seconds: 0.6, most: 512 };

export class Line {
  readonly #waiting = new Set<Waiting>();
  #free: Size;
  #total: Size;
  #holders = 0;
  #frees: number[] = [];
  #last: Size = { cpus: 1, memoryMb: 0 };

  constructor(
    total: Size,
    private readonly now: () => number,
    private readonly onFree: () => void,
  ) {
    this.#total = total;
    this.#free = total;
  }

  /** Another server may give this machine another size; who holds a slot keeps it. */
  resize(total: Size): void {
    this.#free = {
      cpus: this.#free.cpus + total.cpus - this.#total.cpus,
      memoryMb: this.#free.memoryMb + total.memoryMb - this.#total.memoryMb,
    };
    this.#total = total;
    this.#pump();
  }

  join(size: Size): Place {
    let onTurn = () => {};
    const turn = new Promise<void>((done) => {
      onTurn = done;
    });
    const one: Waiting = { size, state: 'waiting', onTurn, onSlot: null };
    let since: number | null = null;
    this.#last = size;
    this.#waiting.add(one);
    this.#pump();
    return {
      turn,
      slot: () =>
        new Promise((done) => {
          one.state = 'ready';
          one.onSlot = () => {
            since = this.now();
            done();
          };
          this.#pump();
        }),
      leave: () => {
        if (since !== null) this.#release(size, since);
        else this.#waiting.delete(one);
        since = null;
        this.#pump();
        this.onFree();
      },
    };
  }

  /**
   * What could be handed over now: what is free, less what waits, and some to have ready. While more than half of that is
   * ready it is nothing: to hand over many at once costs the server hardly more than one. Of long jobs one is ready, unless
   * another machine could begin it while it waits here.
   */
  capacity(isShared = false): Size & { readonly jobs: number } {
    const ahead = (isShared ? 0 : 1) + this.#ahead(SUBMIT_AHEAD);
    const room = ahead + Math.max(0, this.#free.cpus) - this.#waiting.size;
    if (room * 2 < ahead) return { cpus: 0, memoryMb: 0, jobs: 0 };
    let { cpus, memoryMb } = this.#free;
    for (const { size } of this.#waiting) {
      cpus -= size.cpus;
      memoryMb -= size.memoryMb;
    }
    return { cpus: cpus + ahead * this.#last.cpus, memoryMb: memoryMb + ahead * this.#last.memoryMb, jobs: room };
  }

  get holders(): number {
    return this.#holders;
  }

  /** In order, nobody passed by: a large one at the front is not starved by small ones behind it. */
  #pump(): void {
    let { cpus, memoryMb } = this.#free;
    let ahead = this.#ahead(START_AHEAD);
    let blocked = false;
    for (const one of this.#waiting) {
      const fits = !blocked && one.size.cpus <= cpus && one.size.memoryMb <= memoryMb;
      if (fits) {
        cpus -= one.size.cpus;
        memoryMb -= one.size.memoryMb;
        if (one.state === 'ready') this.#take(one);
      } else {
        blocked = true;
        if (ahead === 0) return;
        ahead -= 1;
      }
      if (one.state === 'waiting') {
        one.state = 'starting';
        one.onTurn();
      }
    }
  }

  #take(one: Waiting): void {
    this.#waiting.delete(one);
    this.#free = { cpus: this.#free.cpus - one.size.cpus, memoryMb: this.#free.memoryMb - one.size.memoryMb };
    this.#holders += 1;
    one.onSlot?.();
  }

  #release(size: Size, since: number): void {
    this.#free = { cpus: this.#free.cpus + size.cpus, memoryMb: this.#free.memoryMb + size.memoryMb };
    this.#holders -= 1;
    if (this.now() - since < SHORT_MS) this.#frees.push(this.now());
  }

  #ahead({ seconds, most }: typeof START_AHEAD): number {
    const since = this.now() - WINDOW_MS;
    const firstRecent = this.#frees.findIndex((at) => at >= since);
    this.#frees = firstRecent === -1 ? [] : this.#frees.slice(firstRecent);
    return Math.min(most, Math.floor((this.#frees.length * seconds * 1000) / WINDOW_MS));
  }
}
