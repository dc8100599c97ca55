/**
 * One dispatch, from its start to the moment when nothing of it is left:
 *
 *   start → fetch → prepare → execute → collect → finish → gone
 *
 * Where it waits for its turn, how it speaks to the server and what it notes for a successor is given by the shell around
 * it (`host.ts` on this machine). Killed between any two steps, the shell's journal and the server's record say how far
 * it came; it is never begun a second time.
 */
import type { FinishReport, JobSpec, LogLine } from '../contract/worker.js';
import { fault } from '../faults.js';
import type { Cgroup, Cgroups } from './cgroups.js';
import type { Checkouts } from './checkout.js';
import { environmentOf, findProgram, inCheckout } from './environment.js';
import { LastWords } from './last-words.js';
import type { LogSpool } from './log-spool.js';
import { isOther, outcomeOfOther, runnerLog } from './other-runner.js';
import { notRun, outcomeOf } from './outcome.js';
import { type Exit, runToEnd } from './process.js';
import type { Channel } from './reporter.js';
import type { WorkDirectories } from './work-directories.js';

export interface Machine {
  readonly checkouts: Checkouts;
  readonly cgroups: Cgroups;
  readonly directories: WorkDirectories;
  readonly log: (message: string, detail?: object) => void;
}

export interface Dispatch {
  readonly id: string;
  readonly channel: Channel;
  readonly spool: LogSpool;
  readonly canceled: AbortSignal;
  /** Calls back when the server has taken lines. */
  whenDrained(then: () => void): void;
  /** Resolves when the start may be asked for; `slot` when it may spawn. */
  readonly turn: Promise<void>;
  slot(): Promise<void>;
  /** Nothing of it runs any more: another may have its slot. */
  freeSlot(): void;
  /**
   * Whether what is known here counts. False: the scheduler knows how this ended, or another process carries the dispatch
   * out; then nothing but lines is said.
   */
  hasLastWord(end: End, finish: FinishReport | null): Promise<boolean>;
  /** Noted for a successor. */
  onStarted(pid: number): void;
  onEnded(finish: FinishReport): void;
}

/** Resolves when the server knows that it is gone, or has its lines where somebody else has the last word. */
export async function run(machine: Machine, dispatch: Dispatch): Promise<'gone' | 'left'> {
  const { end, finish } = await carryOut(machine, dispatch);
  dispatch.freeSlot();
  if (!(await dispatch.hasLastWord(end, finish))) {
    await dispatch.channel.leave();
    return 'left';
  }
  if (finish !== null) {
    fault('host.ended');
    dispatch.onEnded(finish);
    dispatch.channel.finish(finish);
  }
  await dispatch.channel.gone();
  // not before: until then the output is nowhere else for sure
  if (end === 'good') machine.directories.remove(dispatch.id);
  return 'gone';
}

/** `good`: nobody will want to look into its working directory. `stopped`: before anything was spawned. */
export type End = 'good' | 'failed' | 'stopped' | 'refused';

interface Carried {
  /** Null: it never began, and there is nothing to tell but that. */
  readonly finish: FinishReport | null;
  readonly end: End;
}
const STOPPED: Carried = { finish: null, end: 'stopped' };
const REFUSED: Carried = { finish: null, end: 'refused' };
const failed = (finish: FinishReport): Carried => ({ finish, end: 'failed' });

async function carryOut(machine: Machine, dispatch: Dispatch): Promise<Carried> {
  const job = await start(dispatch);
  if ('end' in job) return job;
  fault('host.started');
  const checkout = await fetch(machine, job);
  if (typeof checkout !== 'string') return failed(checkout);
  await orCanceled(dispatch.canceled, dispatch.slot());
  if (dispatch.canceled.aborted) return STOPPED;
  return execute(machine, dispatch, job, checkout);
}

async function start({ canceled, channel, turn }: Dispatch): Promise<JobSpec | Carried> {
  await orCanceled(canceled, turn);
  if (canceled.aborted) return STOPPED;
  const { ok, job, canceled: isOver } = await channel.start();
  if (!ok || job === undefined) return REFUSED;
  return isOver ? STOPPED : job;
}

async function orCanceled(canceled: AbortSignal, waited: Promise<void>): Promise<void> {
  if (canceled.aborted) return;
  let stop = () => {};
  const aborted = new Promise<void>((done) => {
    stop = done;
    canceled.addEventListener('abort', stop);
  });
  await Promise.race([waited, aborted]);
  canceled.removeEventListener('abort', stop);
}

async function fetch({ checkouts }: Machine, job: JobSpec): Promise<string | FinishReport> {
  if (job.repository === null) return '';
  try {
    return await checkouts.get(job.repository, job.commit);
  } catch (error) {
    return notRun('platform', `no checkout of commit ${job.commit} of ${job.module}: ${(error as Error).message}`);
  }
}

async function execute(machine: Machine, dispatch: Dispatch, job: JobSpec, checkout: string): Promise<Carried> {
  let cgroup: Cgroup | undefined;
  try {
    const directory = machine.directories.prepare(dispatch.id, job.input);
    const command = job.command.map((word) => inCheckout(word, checkout));
    const env = environmentOf(job, dispatch.id, directory, checkout);
    const wrong = findProgram(command[0] ?? '', directory, env.PATH ?? '');
    if (wrong !== null) return failed(notRun(isOther(job) ? 'platform' : 'app', wrong));
    cgroup = machine.cgroups.take(dispatch.id, job.memory_mb);
    const words = new LastWords();
    const exit = await runToEnd({
      dispatchId: dispatch.id,
      command,
      cwd: directory,
      env,
      cgroup,
      timeoutMs: job.timeout_ms,
      canceled: dispatch.canceled,
      onStarted: dispatch.onStarted,
      sink: isOther(job) ? runnerLog(directory, words) : sinkOf(machine, dispatch, words),
    });
    return collect(machine, job, { exit, cgroup, directory, words });
  } catch (error) {
    return failed(notSpawned(error as NodeJS.ErrnoException));
  } finally {
    cgroup?.release();
  }
}

interface Over {
  readonly exit: Exit;
  readonly cgroup: Cgroup;
  readonly directory: string;
  readonly words: LastWords;
}

function collect(machine: Machine, job: JobSpec, over: Over): Carried {
  const ran = { ...over, usage: over.cgroup.usage(), timeoutMs: job.timeout_ms, memoryMb: job.memory_mb };
  const finish = isOther(job) ? outcomeOfOther(ran) : outcomeOf(ran);
  const isGood = isOther(job) ? over.exit.code === 0 : (finish.failure_class ?? null) === null;
  if (!isGood) machine.log('a job failed', { job: job.job_id, why: finish.error_message, directory: over.directory });
  return { finish, end: isGood ? 'good' : 'failed' };
}

/** What the app asks for is its own fault; what the machine lacks is not. */
function notSpawned(error: NodeJS.ErrnoException): FinishReport {
  const isApp = error.code === 'E2BIG' || error.code === 'ERR_INVALID_ARG_VALUE' || error.code === 'EACCES';
  return notRun(isApp ? 'app' : 'platform', `the command could not be run: ${error.message}`);
}

function sinkOf({ log }: Machine, dispatch: Dispatch, words: LastWords) {
  let isTold = false;
  return {
    push(lines: readonly LogLine[]) {
      words.hear(lines);
      dispatch.spool.push(lines);
      dispatch.channel.lines();
      if (!dispatch.spool.isStuck || isTold) return;
      isTold = true;
      log('the disk is full; the app waits until the server has taken its lines', { dispatch: dispatch.id });
    },
    get isFull() {
      return dispatch.spool.isFull;
    },
    whenDrained: dispatch.whenDrained,
  };
}
