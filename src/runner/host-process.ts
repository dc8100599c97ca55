/** The host at work: greets servers, takes what they submit, looks around now and then, and ends when there is no reason to be. */
import { statSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { type Hello, type HelloAnswer, HOST_PROTOCOL, HOST_SOCKET, type HostSettings } from '../contract/host.js';
import type { Cgroups } from './cgroups.js';
import { createCheckouts } from './checkout.js';
import { Dispatches } from './dispatches.js';
import { type HostSocket, listenOnSocket } from './host-socket.js';
import type { Journal } from './journal.js';
import { Reporter } from './reporter.js';
import type { Machine } from './run.js';
import { createWorkDirectories } from './work-directories.js';

const LOOK_MS = 2_000;
const IDLE_MS = 30_000;
/** With results that no server fetches; the journal keeps them. */
const UNHEARD_MS = 3_600_000;
/** Longer than the grace that jobs get. */
const END_MS = 10_000;
const SWEEP_MS = 3_600_000;
const FAILED_KEPT_MS = 7 * 24 * 3_600_000;
const CHECKOUT_KEPT_MS = 30 * 24 * 3_600_000;

export interface HostOptions {
  /** The state directory, which is the current directory too. */
  readonly place: string;
  readonly release: string;
  readonly cgroups: Cgroups;
  readonly journal: Journal;
  readonly log: (message: string, detail?: object) => void;
}

export class HostProcess {
  #settings: HostSettings | null = null;
  /** The server whose word counts; while it is away nothing is reported. */
  #server: Socket | null = null;
  #socket: HostSocket | undefined;
  #socketInode = 0;
  #aloneSince = performance.now();
  #sweptAt = Number.NEGATIVE_INFINITY;
  #changed = false;
  #isOutdated = false;
  readonly #reporter: Reporter;
  readonly #machine: Machine;
  readonly #dispatches: Dispatches;

  constructor(private readonly options: HostOptions) {
    const { place, cgroups, journal, log } = options;
    this.#reporter = new Reporter({
      // least of all to a stranger who listens where the last server did
      url: () => (this.#server === null ? null : (this.#settings?.url ?? null)),
      hostName: () => this.#settings?.hostName ?? '',
      log,
      now: () => performance.now(),
    });
    this.#machine = {
      cgroups,
      checkouts: createCheckouts(join(place, 'checkouts')),
      directories: createWorkDirectories(join(place, 'work')),
      log,
    };
    this.#dispatches = new Dispatches({
      machine: this.#machine,
      journal,
      reporter: this.#reporter,
      spoolDirectory: join(place, 'spool'),
      size: { cpus: 0, memoryMb: 0 },
      onChange: () => this.#change(),
    });
  }

  async open(): Promise<void> {
    this.#dispatches.takeOver(this.options.journal.open);
    this.#socket = await listenOnSocket(
      {
        hello: (hello, from) => this.#hello(hello, from),
        capacity: (ask) => this.#dispatches.capacity(ask?.isShared === true),
        submit: (submissions) => this.#dispatches.submit(submissions),
        poll: (ids) => this.#dispatches.poll(ids),
        cancel: (ids) => {
          this.#dispatches.cancel(ids);
          return null;
        },
      },
      (socket) => this.#lost(socket),
    );
    this.#socketInode = statSync(HOST_SOCKET).ino;
    setInterval(() => void this.#look(), LOOK_MS);
    process.on('SIGTERM', () => void this.#end('it was told to'));
    // a terminal that goes away, or Ctrl-C there, is meant for the server
    for (const signal of ['SIGHUP', 'SIGINT'] as const) process.on(signal, () => undefined);
  }

  #hello({ protocol, release, settings }: Hello, from: Socket): HelloAnswer {
    this.#server = from;
    this.#settings = settings;
    this.#isOutdated = release !== this.options.release;
    if (protocol !== HOST_PROTOCOL) this.#dispatches.drain();
    this.#dispatches.resize({ cpus: settings.cpus, memoryMb: settings.memoryMb });
    this.#reporter.retryNow();
    this.#change();
    this.options.log('a server is there', { url: settings.url, release, protocol });
    return {
      protocol: HOST_PROTOCOL,
      release: this.options.release,
      pid: process.pid,
      limits: this.options.cgroups.says,
      draining: this.#dispatches.isDraining,
    };
  }

  #lost(socket: Socket): void {
    if (this.#server === socket) this.#server = null;
    this.#aloneSince = performance.now();
  }

  /** Once for all that changes in a turn. */
  #change(): void {
    if (this.#changed) return;
    this.#changed = true;
    setImmediate(() => {
      this.#changed = false;
      this.#socket?.say({ change: true });
      const makesRoom = this.#isOutdated || this.#dispatches.isDraining;
      if (makesRoom && this.#dispatches.size === 0) this.#exit('it makes room for a host of another release');
    });
  }

  async #look(): Promise<void> {
    if (!this.#isMine()) return this.#end('its directory is gone');
    const isAlone = this.#socket?.connections.size === 0;
    const alone = isAlone ? performance.now() - this.#aloneSince : 0;
    if (this.#dispatches.size === 0 && alone > IDLE_MS) return this.#exit('it has nothing to do');
    if (this.#dispatches.running === 0 && alone > UNHEARD_MS) return this.#exit('no server comes for its results');
    if (performance.now() - this.#sweptAt < SWEEP_MS) return;
    this.#sweptAt = performance.now();
    await this.#sweep();
  }

  #isMine(): boolean {
    try {
      return statSync(HOST_SOCKET).ino === this.#socketInode;
    } catch {
      return false;
    }
  }

  async #sweep(): Promise<void> {
    try {
      await this.#machine.directories.sweep(FAILED_KEPT_MS, (id) => this.#dispatches.has(id));
      await this.#machine.checkouts.sweep(CHECKOUT_KEPT_MS);
    } catch (error) {
      this.options.log('old directories could not be removed; it is tried again in an hour', { error });
    }
  }

  /** Ends every job first; what they were is told by the next host. */
  async #end(why: string): Promise<void> {
    this.#dispatches.drain();
    this.#dispatches.endAll(`the runner host of this machine was ended: ${why}`);
    const deadline = performance.now() + END_MS;
    while (this.#dispatches.running > 0 && performance.now() < deadline) {
      await new Promise((next) => setTimeout(next, 20));
    }
    await this.options.journal.close();
    this.#exit(why);
  }

  #exit(why: string): never {
    this.options.log('the runner host ends', { why });
    this.options.cgroups.close();
    process.exit(0);
  }
}
