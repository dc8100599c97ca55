/**
 * Jobs on this machine. They are children of the runner host, one process per data directory, which is found again or
 * started here and outlives the server. All this keeps of them is the host's word.
 *
 * A host of an older release goes on, and makes room for a new one at its first idle moment. If it speaks another protocol
 * it takes nothing new, and jobs wait until its last one has ended.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { HelloAnswer } from '../contract/host.js';
import { HOST_PROTOCOL } from '../contract/host.js';
import { connectToHost, type HostConnection, LostConnection } from './local-connection.js';
import { readRelease, startHost } from './local-start.js';
import {
  type Capacity,
  type DispatchRef,
  type DispatchState,
  plainState,
  type Scheduler,
  type Submission,
  type SubmissionOutcome,
} from './scheduler.js';

export interface LocalSchedulerOptions {
  /** The host's: its socket, journal, log, checkouts and working directories. */
  readonly stateDir: string;
  /** Where the host reports to; asked when a host is greeted. */
  readonly url: () => string;
  readonly cpus: number;
  readonly memoryMb: number;
  readonly hostName: string;
  readonly log: (message: string, detail?: object) => void;
}

const START_MS = 15_000;
const START_TRIES = 3;
const LOOK_MS = 20;
const AGAIN_MS = 1_000;
/** Bounds the transaction and the message to the host. */
const MOST_AT_ONCE = 1000;
const NONE: Omit<Capacity, 'reason'> = { cpus: 0, memoryMb: 0, jobs: 0 };
const AWAY = 'the runner host of this machine is not up; it is being started';
const DRAINING = 'the runner host of an older release has to end its jobs first';

export function createLocalScheduler(options: LocalSchedulerOptions): Scheduler {
  return new LocalScheduler(options);
}

class LocalScheduler implements Scheduler {
  readonly name = 'local';
  readonly host: string;
  #connection: HostConnection | null = null;
  #draining = false;
  #stopped = false;
  #listeners: (() => void)[] = [];

  constructor(private readonly options: LocalSchedulerOptions) {
    this.host = options.hostName;
  }

  limits() {
    const { cpus, memoryMb } = this.options;
    return { cpus, memoryMb };
  }

  async start(): Promise<void> {
    this.#stopped = false;
    await this.#connect();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#connection?.close();
    await this.#connection?.closed;
  }

  async capacity(isShared = false): Promise<Capacity> {
    if (this.#connection === null) return { ...NONE, reason: AWAY };
    if (this.#draining) return { ...NONE, reason: DRAINING };
    try {
      const free = await this.#connection.ask('capacity', { isShared });
      return { ...free, jobs: Math.min(free.jobs, MOST_AT_ONCE), reason: null };
    } catch {
      return { ...NONE, reason: AWAY };
    }
  }

  async submitMany(submissions: readonly Submission[]): Promise<SubmissionOutcome[]> {
    const connection = this.#connection;
    if (connection === null) return submissions.map(({ dispatchId }) => outcome(dispatchId, 'full', AWAY));
    try {
      const verdicts = await connection.ask(
        'submit',
        submissions.map(({ dispatchId, jobId, token, cpus, memoryMb }) => ({
          dispatchId,
          jobId,
          token,
          cpus,
          memoryMb,
        })),
      );
      return submissions.map(({ dispatchId }, at) => {
        const why = verdicts[at] ?? null;
        return outcome(dispatchId, why === null ? 'accepted' : 'full', why);
      });
    } catch (error) {
      // it may have heard; the reconciler looks
      return submissions.map(({ dispatchId }) => outcome(dispatchId, 'unknown', (error as Error).message));
    }
  }

  async find(refs: readonly DispatchRef[]): Promise<Map<string, string>> {
    const states = await this.poll(refs);
    return new Map([...states].filter(([, { state }]) => state !== 'gone').map(([id]) => [id, id]));
  }

  async poll(refs: readonly DispatchRef[]): Promise<Map<string, DispatchState>> {
    const states = await this.#host().ask('poll', idsOf(refs));
    return new Map(refs.map(({ dispatchId }, at) => [dispatchId, plainState(states[at] ?? 'gone')]));
  }

  async cancel(refs: readonly DispatchRef[]): Promise<void> {
    await this.#host().ask('cancel', idsOf(refs));
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  #host(): HostConnection {
    if (this.#connection === null) throw new LostConnection(AWAY);
    return this.#connection;
  }

  #change(): void {
    for (const listener of this.#listeners) listener();
  }

  /** To the host that runs, or to a new one. Rejects with a sentence if there is none in the end. */
  async #connect(): Promise<void> {
    const { stateDir, url, hostName, cpus, memoryMb, log } = this.options;
    const connection = await this.#reach(stateDir);
    if (this.#stopped) return connection.close();
    const settings = { url: url(), hostName, cpus, memoryMb };
    const hello = await connection.ask('hello', { protocol: HOST_PROTOCOL, release: readRelease(), settings });
    this.#draining = hello.draining || hello.protocol !== HOST_PROTOCOL;
    this.#connection = connection;
    log('the runner host is up', this.#describe(hello));
    void connection.closed.then(() => this.#lost());
    this.#change();
  }

  #describe({ pid, release, limits }: HelloAnswer) {
    return { pid, release, limits, ...(this.#draining && { waits: DRAINING }) };
  }

  async #reach(stateDir: string): Promise<HostConnection> {
    const connect = () => connectToHost(stateDir, () => this.#change());
    const there = await connect().catch(() => null);
    if (there !== null) return there;
    let why = 'it says nothing';
    for (let tries = 0; tries < START_TRIES; tries += 1) {
      const started = startHost(stateDir);
      for (const deadline = Date.now() + START_MS; Date.now() < deadline; ) {
        const ended = await Promise.race([started, sleep(LOOK_MS, null)]);
        const connection = await connect().catch(() => null);
        if (connection !== null) return connection;
        if (ended === null) continue;
        why = ended;
        break;
      }
      // it may have ended because another one holds the directory, which is just coming up or going down
      await sleep(AGAIN_MS / 2);
    }
    throw new Error(`the runner host of ${stateDir} is not up: ${why}`);
  }

  /** It was killed, or made room: another takes over what it left. */
  async #lost(): Promise<void> {
    this.#connection = null;
    while (!this.#stopped && this.#connection === null) {
      try {
        await this.#connect();
      } catch (error) {
        this.options.log('the runner host is away; it is tried again', { error });
        await sleep(AGAIN_MS, undefined, { ref: false });
      }
    }
  }
}

const idsOf = (refs: readonly DispatchRef[]) => refs.map(({ dispatchId }) => dispatchId);

function outcome(dispatchId: string, kind: SubmissionOutcome['outcome'], reason: string | null): SubmissionOutcome {
  return { dispatchId, outcome: kind, schedulerId: kind === 'accepted' ? dispatchId : null, reason };
}
