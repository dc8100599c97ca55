/**
 * Carries out a dispatch on a node of a cluster, once: the scheduler there starts one such process for each job. One that has
 * done its own soon goes on with further ones, each as if it were the first. See `contract/task.ts` for how it is started and
 * how it ends, and `run.ts` for what it does.
 *
 * It is started thousands of times: what it imports is loaded each time, so that what few need is loaded when they do.
 */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { TASK_TERMINATED, type TaskOrder } from '../contract/task.js';
import type { NextDispatch } from '../contract/worker.js';
import { openAtFirstRun, openWithin } from './cgroups.js';
import { speakForDead } from './dead-tasks.js';
import { createDownloads } from './downloads.js';
import type { Entry } from './journal.js';
import type { Place } from './line.js';
import { uniqueName } from './process-identity.js';
import { type AskNext, Reporter } from './reporter.js';
import type { Machine } from './run.js';
import { type DispatchInHand, type DispatchRun, runDispatch } from './run-dispatch.js';
import { createSampledUsage } from './sampled-usage.js';
import { createTaskPlaces, type TaskPlace, type TaskPlaces } from './task-places.js';
import { createTermination, type Termination } from './termination.js';
import { createWorkDirectories, removeNow } from './work-directories.js';

/** What others left is told on the way; who comes next goes on with it. */
const FOR_OTHERS_MS = 10_000;
const FAILED_KEPT_MS = 7 * 24 * 3_600_000;
const CHECKOUT_KEPT_MS = 30 * 24 * 3_600_000;

/** The scheduler gave the slot already. */
const HERE: Place = { turn: Promise.resolve(), slot: () => Promise.resolve(), leave: () => {} };

const cgroupOf = (dispatchId: string) => `reprise-task-${dispatchId}`;

function log(message: string, detail: object = {}): void {
  const plain = (_: string, value: unknown) => (value instanceof Error ? value.message : value);
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), message, ...detail }, plain)}\n`);
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    log('this task can not go on', { error });
    process.exit(1);
  },
);

async function main(): Promise<number> {
  const order = readOrder(readFileSync(0, 'utf8'));
  const places = createTaskPlaces(order.directory);
  const reporter = new Reporter({
    url: () => order.url,
    hostName: () => order.name ?? hostname(),
    log,
    now: () => performance.now(),
  });
  const termination = createTermination();
  const task: Task = { order, places, reporter, termination };
  const first = begin(task, { id: order.dispatchId, token: order.token, run: uniqueName() });
  const forOthers = speakForDead({ places, reporter, cgroupOf, log }).catch((error: unknown) =>
    log('what dead tasks left could not be told', { error }),
  );
  for (let one: Begun | null = first; one !== null; ) {
    const code = await endOf(one, termination);
    one.machine.cgroups.close();
    if (code !== 0) return code;
    const next: DispatchInHand | null = one.next();
    one = next === null ? null : begin(task, next);
  }
  await sweepIfDue(first.machine, places);
  await within(FOR_OTHERS_MS, forOthers);
  return 0;
}

interface Task {
  readonly order: TaskOrder;
  readonly places: TaskPlaces;
  readonly reporter: Reporter;
  readonly termination: Termination;
}

interface Begun {
  readonly machine: Machine;
  readonly place: TaskPlace;
  readonly running: DispatchRun;
  /** When it is over: what this process was given to go on with. */
  next(): DispatchInHand | null;
}

function readOrder(text: string): TaskOrder {
  const order = JSON.parse(text) as TaskOrder;
  for (const member of ['url', 'dispatchId', 'token', 'directory'] as const) {
    if (typeof order[member] !== 'string' || order[member] === '') throw new Error(`the order lacks ${member}`);
  }
  if (!/^[0-9a-f]+$/.test(order.dispatchId)) throw new Error('dispatchId is not the id of a dispatch');
  if (!order.directory.startsWith('/')) throw new Error(`the directory ${order.directory} is not absolute`);
  return order;
}

function machineOf({ order, places }: Task, { id, token }: DispatchInHand): Machine {
  return {
    cgroups: openAtFirstRun(
      () => openWithin(cgroupOf(id)) ?? createSampledUsage('memory is limited by the scheduler, if at all'),
    ),
    checkouts: createDownloads({ directory: places.checkouts, url: order.url, token, log }),
    directories: {
      ...createWorkDirectories(places.work),
      // nobody goes on with it when this process has ended
      remove: (id) => removeNow(join(places.work, id)),
    },
    log,
  };
}

function begin(task: Task, one: DispatchInHand): Begun {
  const { reporter, termination } = task;
  const place = task.places.open(one.id);
  place.note({ is: 'submitted', id: one.id, job: '', token: one.token });
  const machine = machineOf(task, one);
  const cancel = new AbortController();
  const next = createNext(task);
  let hasSpawned = false;
  const running = runDispatch(one, {
    machine,
    reporter,
    spoolDirectory: place.directory,
    place: HERE,
    cancel,
    onSpawned: () => {
      hasSpawned = true;
    },
    note: (entry) => tryNote(place, entry),
    hasLastWord: termination.leavesLastWord,
    next,
  });
  termination.attach({
    channel: running.channel,
    cancel,
    get hasSpawned() {
      return hasSpawned;
    },
  });
  return { machine, place, running, next: next.taken };
}

/**
 * Asked once, it is asked for again at each repetition: the server may have given it. With a token of its own, that one is
 * carried out whatever time it is by then.
 */
function createNext({ order, termination }: Task): AskNext & { taken(): DispatchInHand | null } {
  let run: string | null = null;
  let given: NextDispatch | null = null;
  return {
    ask() {
      const isLate = termination.isOn || performance.now() >= (order.reuseSeconds ?? 0) * 1000;
      if (isLate && run === null) return null;
      run ??= uniqueName();
      return { run, ...(isLate && { only_given: true }) };
    },
    given(next) {
      given = next;
    },
    taken() {
      return (
        given && { id: given.dispatch_id, token: given.token, started: given.answer, ...(run !== null && { run }) }
      );
    },
  };
}

/** A full disk is no reason to leave a job to itself; killed now, less of it would be told. */
function tryNote(place: TaskPlace, entry: Entry): void {
  try {
    place.note(entry);
  } catch (error) {
    log('the notes of this task could not be written', { error });
  }
}

async function endOf({ running, place }: Begun, termination: Termination): Promise<number> {
  const how = await Promise.race([running.over, termination.deadline]);
  if (how !== 'late') {
    place.close();
    return how === 'left' && termination.isOn ? TASK_TERMINATED : 0;
  }
  // for the next task of this machine; a result that is noted already stays so
  if (place.notes()?.ended === null) {
    tryNote(place, { is: 'ended', id: place.dispatchId, finish: null, ...running.spool.unspilled() });
  }
  return TASK_TERMINATED;
}

async function sweepIfDue({ directories, checkouts }: Machine, places: TaskPlaces): Promise<void> {
  if (!places.isSweepDue()) return;
  try {
    await directories.sweep(FAILED_KEPT_MS, places.isOpen);
    await checkouts.sweep(CHECKOUT_KEPT_MS);
  } catch (error) {
    log('old directories could not be removed; it is tried again tomorrow', { error });
  }
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((next) => {
    timer = setTimeout(next, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
