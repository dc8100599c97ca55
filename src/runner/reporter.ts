/**
 * Everything a host, or the task of a cluster, has to say to the server, in one call at a time for all dispatches, so that
 * many jobs share a commit. What was not answered is said again: every part of a report may be repeated. Killed at any
 * point, the journal has what must still be said.
 */
import type { FinishReport, NextDispatch, WorkerAnswer, WorkerAnswers, WorkerReport } from '../contract/worker.js';
import { WORKER_REPORTS_PATH } from '../contract/worker-paths.js';
import { callServer, textOf } from './http-call.js';
import type { LogSpool } from './log-spool.js';

/** A call with lines waits this long for more, unless another call leaves. */
const LINES_WAIT_MS = 100;
/**
 * From the beginning of a call to that of the next: what happens meanwhile shares it. The more the last one carried, the
 * longer: a single job hardly waits, and of hundreds a second many share a commit.
 */
const GAP_MS_PER_REPORT = 4;
const LONGEST_GAP_MS = 100;
const HEARTBEAT_MS = 30_000;
const CALL_TIMEOUT_MS = 60_000;
const MOST_REPORTS = 500;
const MOST_BYTES = 2 * 1024 * 1024;
const LINES_OF_ONE = 256 * 1024;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

export interface ReporterOptions {
  /** Null while no server is there; nothing is said then, least of all to a stranger on the old server's port. */
  readonly url: () => string | null;
  readonly hostName: () => string;
  readonly log: (message: string, detail?: object) => void;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
}

/** One dispatch's way to the server. */
export interface Channel {
  /** Resolves with the server's answer, however long the server is away. */
  start(): Promise<WorkerAnswer>;
  /** There are new lines in the spool. */
  lines(): void;
  /** Sent after the lines that are in the spool by now. */
  finish(report: FinishReport): void;
  /** Resolves when the server knows that nothing of this dispatch is left. The channel is closed then. */
  gone(): Promise<void>;
  /** Calls at once, and resolves with the next answer. */
  ask(): Promise<WorkerAnswer>;
  /** Resolves when the server has the lines that are in the spool. The channel is closed then, and the dispatch is not. */
  leave(): Promise<void>;
}

export interface ChannelOptions {
  readonly token: string;
  /** Of this process, where a scheduler may start two for one dispatch. */
  readonly run?: string;
  readonly spool: LogSpool;
  /** The server has confirmed lines. */
  readonly onDrained: () => void;
  /** The job was cancelled, or this dispatch was given up: its processes are to end. */
  readonly onCanceled: () => void;
  readonly next?: AskNext;
}

/** How this process gets another dispatch when one is over. */
export interface AskNext {
  /** At each call that says that it is over; null: it wants none. */
  ask(): Omit<NonNullable<WorkerReport['next']>, 'host'> | null;
  /** Before `gone` resolves. */
  given(next: NextDispatch): void;
}

interface State extends ChannelOptions {
  start: ((answer: WorkerAnswer) => void) | null;
  finish: FinishReport | null;
  finished: boolean;
  gone: (() => void) | null;
  left: (() => void) | null;
  asked: ((answer: WorkerAnswer) => void) | null;
  /** When it must be said at the latest; infinity for nothing to say. */
  due: number;
  heartbeatAt: number;
}

interface Part {
  readonly state: State;
  readonly report: WorkerReport;
  readonly weight: number;
}

export class Reporter {
  readonly #channels = new Set<State>();
  #most = MOST_REPORTS;
  #calling = false;
  #lastCall = 0;
  #gap = 0;
  #pause = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #stopped = false;

  constructor(private readonly options: ReporterOptions) {}

  open(channel: ChannelOptions): Channel {
    const state: State = {
      ...channel,
      start: null,
      finish: null,
      finished: false,
      gone: null,
      left: null,
      asked: null,
      due: Number.POSITIVE_INFINITY,
      heartbeatAt: this.options.now() + HEARTBEAT_MS,
    };
    this.#channels.add(state);
    return {
      start: () =>
        new Promise((done) => {
          state.start = done;
          this.#say(state, 0);
        }),
      lines: () => this.#say(state, state.spool.bytes > LINES_OF_ONE ? 0 : LINES_WAIT_MS),
      finish: (report) => {
        state.finish = report;
        this.#say(state, 0);
      },
      gone: () =>
        new Promise((done) => {
          state.gone = done;
          this.#say(state, 0);
        }),
      ask: () =>
        new Promise((done) => {
          state.asked = done;
          this.#say(state, 0);
          this.retryNow();
        }),
      leave: () =>
        new Promise((done) => {
          state.left = done;
          if (state.spool.isEmpty) this.#close(state);
          else this.#say(state, 0);
        }),
    };
  }

  /** The server may be back, or elsewhere: does not wait for the end of a pause. */
  retryNow(): void {
    this.#pause = 0;
    this.#plan();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #say(state: State, withinMs: number): void {
    if (!this.#channels.has(state)) return;
    state.due = Math.min(state.due, this.options.now() + withinMs);
    if (this.#timerAt > Math.max(state.due, this.#lastCall + this.#gap)) this.#plan();
  }

  /** One timer for the earliest thing to say. */
  #plan(): void {
    if (this.#calling || this.#stopped || this.options.url() === null) return;
    let due = Number.POSITIVE_INFINITY;
    for (const state of this.#channels) due = Math.min(due, state.due, state.heartbeatAt);
    const at = Math.max(due, this.#lastCall + Math.max(this.#gap, this.#pause));
    if (at === this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    if (at === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => void this.#call(), Math.max(0, at - this.options.now()));
  }

  async #call(): Promise<void> {
    this.#timerAt = Number.POSITIVE_INFINITY;
    if (this.#calling || this.#stopped) return;
    this.#calling = true;
    this.#lastCall = this.options.now();
    const parts = this.#gather();
    this.#gap = Math.min(LONGEST_GAP_MS, parts.length * GAP_MS_PER_REPORT);
    try {
      if (parts.length > 0) await this.#send(parts);
    } finally {
      this.#calling = false;
      this.#plan();
    }
  }

  /** Those who have waited longest first: they were put back at the end when they were served. */
  #gather(): Part[] {
    const now = this.options.now();
    const parts: Part[] = [];
    let weight = 0;
    for (const state of this.#channels) {
      if (parts.length >= this.#most || weight > MOST_BYTES) break;
      if (state.due === Number.POSITIVE_INFINITY && state.heartbeatAt > now) continue;
      const part = partOf(state, this.options.hostName());
      parts.push(part);
      weight += part.weight;
    }
    for (const { state } of parts) {
      this.#channels.delete(state);
      this.#channels.add(state);
      state.due = Number.POSITIVE_INFINITY;
      state.heartbeatAt = now + HEARTBEAT_MS;
    }
    return parts;
  }

  async #send(parts: readonly Part[]): Promise<void> {
    try {
      const answers = await post(
        this.options.url() as string,
        parts.map((part) => part.report),
      );
      this.#pause = 0;
      this.#most = Math.min(MOST_REPORTS, this.#most * 2);
      for (const [at, part] of parts.entries()) this.#answered(part, answers[at] as WorkerAnswer);
    } catch (error) {
      for (const { state } of parts) state.due = 0;
      this.#failed(parts, error);
    }
  }

  /**
   * One report that the server cannot take must not hold up the others: calls get smaller until it stands alone, and
   * then what is wrong with it is left out.
   */
  #failed(parts: readonly Part[], error: unknown): void {
    const refused = error instanceof RefusedCall;
    if (refused && parts.length > 1) this.#most = Math.ceil(parts.length / 2);
    else this.#pause = Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, this.#pause * 2));
    if (refused && error.isFinal && parts.length === 1) withoutContent(parts[0] as Part, error.message);
    if (refused || this.#pause === FIRST_PAUSE_MS) {
      this.options.log('the server did not take reports; they are sent again', { error, reports: parts.length });
    }
  }

  #answered({ state, report }: Part, answer: WorkerAnswer): void {
    if (answer.error?.code === 'UNAUTHENTICATED') {
      this.#givenUp(state, answer);
      return;
    }
    if (report.start !== undefined) {
      state.start?.(answer);
      state.start = null;
    }
    if (report.logs !== undefined) {
      state.spool.confirm(answer.logs_received);
      state.onDrained();
    }
    if (report.finish !== undefined) state.finished = true;
    if (answer.next !== undefined) state.next?.given(answer.next);
    state.asked?.(answer);
    state.asked = null;
    if (report.gone === true || (state.left !== null && state.spool.isEmpty)) this.#close(state);
    else this.#goOn(state, answer);
  }

  #goOn(state: State, answer: WorkerAnswer): void {
    if (answer.canceled && !state.finished && state.finish === null) state.onCanceled();
    if (!state.spool.isEmpty)
      this.#say(state, state.spool.bytes > LINES_OF_ONE || state.finish || state.left ? 0 : LINES_WAIT_MS);
    else if ((state.finish !== null && !state.finished) || state.gone !== null || state.start !== null)
      this.#say(state, 0);
  }

  /** The server does not know this dispatch (another database?): nobody will ever want what it says. */
  #givenUp(state: State, answer: WorkerAnswer): void {
    state.start?.(answer);
    state.start = null;
    state.spool.confirm(Number.POSITIVE_INFINITY);
    state.onDrained();
    state.asked?.(answer);
    state.asked = null;
    if (state.gone !== null || state.left !== null) this.#close(state);
    else state.onCanceled();
  }

  #close(state: State): void {
    this.#channels.delete(state);
    state.gone?.();
    state.left?.();
  }
}

function partOf(state: State, host: string): Part {
  const logs = state.spool.peek(LINES_OF_ONE);
  const isAll = logs === null || logs.isAll;
  const finish = isAll && !state.finished ? state.finish : null;
  const gone = isAll && state.gone !== null;
  const next = gone ? (state.next?.ask() ?? null) : null;
  const report: WorkerReport = {
    token: state.token,
    ...(state.start !== null && { start: { host, ...(state.run !== undefined && { run: state.run }) } }),
    ...(logs !== null && { logs: { first: logs.first, lines: logs.lines } }),
    ...(finish !== null && { finish, sent_at: Date.now() }),
    ...(gone && { gone }),
    ...(next !== null && { next: { host, ...next } }),
  };
  const lineBytes = logs === null ? 0 : logs.lines.reduce((sum, line) => sum + line.line.length + 60, 0);
  return { state, report, weight: lineBytes + (finish?.output?.length ?? 0) };
}

/** The server will never take this report as it is; what it is about must still end. */
function withoutContent({ state, report }: Part, why: string): void {
  if (report.finish !== undefined) {
    const error_message = `the server refused the result: ${why}`;
    state.finish = { ...report.finish, failure_class: 'platform', error_message, output: null };
  } else if (report.logs !== undefined) state.spool.confirm(report.logs.first + report.logs.lines.length);
}

class RefusedCall extends Error {
  constructor(status: number, text: string) {
    super(`HTTP ${status}: ${text.slice(0, 300)}`);
    this.isFinal = status === 400 || status === 413;
  }
  readonly isFinal: boolean;
}

async function post(url: string, reports: readonly WorkerReport[]): Promise<readonly WorkerAnswer[]> {
  const answer = await callServer(url.replace(/\/+$/, '') + WORKER_REPORTS_PATH, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ reports }),
    silentMs: CALL_TIMEOUT_MS,
  });
  const text = await textOf(answer);
  const status = answer.statusCode ?? 0;
  if (status === 503 || status === 502 || status === 504) throw new Error(text.slice(0, 300));
  if (status !== 200) throw new RefusedCall(status, text);
  const { answers } = JSON.parse(text) as WorkerAnswers;
  if (answers?.length !== reports.length) throw new Error(`${url} does not answer as a Reprise server does`);
  return answers;
}
