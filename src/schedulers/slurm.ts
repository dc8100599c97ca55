/**
 * Jobs on a cluster of Slurm's, by its own programs. Submissions that agree in what an array shares go into one array, named
 * before it is handed over; everything afterwards is found by that name and the index, never by an id alone: Slurm loses
 * jobs that it has acknowledged, and gives their ids again.
 */
import type { SchedulerOptions } from '../contract/settings.js';
import {
  type Capacity,
  type DispatchRef,
  type DispatchState,
  type GoesOn,
  type Limits,
  plainState,
  type Scheduler,
  type Submission,
  type SubmissionOutcome,
} from './scheduler.js';
import { askReign, type Cluster, describeCluster, NO_REIGN, whyDown } from './slurm-cluster.js';
import { complaint, type RunSlurm, type SlurmPrograms, slurmCommands } from './slurm-commands.js';
import {
  groupByArray,
  keysOf,
  type NamedSubmission,
  parseTaskName,
  planNames,
  printRanges,
  type TaskName,
  taskKey,
} from './slurm-groups.js';
import { askedOptions, RUNNER_MB, refusedOption, type SlurmNeeds, sbatchOptions } from './slurm-options.js';
import { createPressure, type Pressure } from './slurm-pressure.js';
import { batchScript, type TaskProgram } from './slurm-script.js';
import { createSightings, type Reign, type Sightings } from './slurm-sightings.js';
import { askSacct, askSqueue, type SlurmTasks } from './slurm-squeue.js';
import { dispatchStateOf, isOver, type SlurmTask, TURN_REASONS } from './slurm-states.js';
import { type Submitted, submitArray } from './slurm-submit.js';

export interface SlurmSchedulerOptions {
  readonly programs: SlurmPrograms;
  readonly needs: SlurmNeeds;
  /** Asked at each submission: the server's own address is known when it listens. */
  readonly task: () => TaskProgram;
  /** Whether jobs that a node's death or preemption ended are dispatched anew. */
  readonly requeue: boolean;
  readonly log: (message: string, detail?: object) => void;
  /** Milliseconds of a clock that never goes back; the process's own unless told. */
  readonly now?: () => number;
  /** After which a sbatch that does not answer is killed; longer than Slurm's own MessageTimeout of 10 s. */
  readonly patienceMs?: number;
}

const ANY = Number.MAX_SAFE_INTEGER;
const NONE: Omit<Capacity, 'reason'> = { cpus: 0, memoryMb: 0, jobs: 0 };
/** A script of 150 kB; Slurm's limit is 4 MB. */
const MOST_IN_ARRAY = 1000;
const DESCRIBE_MS = 60_000;
const SCANCEL_MS = 30_000;
const PATIENCE_MS = 20_000;
const NO_SACCT = 'Slurm has forgotten it, and its accounting (sacct) does not answer';
/** Arguments of one scancel, each with the indices of one array. */
const ARRAYS_AT_ONCE = 50;

export function createSlurmScheduler(options: SlurmSchedulerOptions): Scheduler {
  return new SlurmScheduler(options);
}

class SlurmScheduler implements Scheduler {
  readonly name = 'slurm';
  readonly host = null;
  readonly #run: RunSlurm;
  readonly #now: () => number;
  readonly #pressure: Pressure;
  #cluster: Cluster = { arraySize: MOST_IN_ARRAY, limits: null };
  readonly #sightings: Sightings;
  #describedAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: SlurmSchedulerOptions) {
    this.#run = slurmCommands(options.programs);
    this.#now = options.now ?? (() => performance.now());
    this.#pressure = createPressure(this.#now);
    this.#sightings = createSightings(this.#now);
  }

  limits(): Limits {
    const { limits } = this.#cluster;
    if (limits === null) return { cpus: ANY, memoryMb: ANY };
    return { cpus: limits.cpus, memoryMb: this.options.needs.memory ? Math.max(1, limits.memoryMb - RUNNER_MB) : ANY };
  }

  /** A cluster that is down now is no reason not to start. */
  async start(): Promise<void> {
    const down = await whyDown(this.#run);
    if (down === null) await this.#describe();
    else this.options.log('jobs of the slurm scheduler wait', { reason: down });
  }

  async stop(): Promise<void> {}

  async capacity(): Promise<Capacity> {
    const pause = this.#pressure.reason();
    if (pause !== null) return { ...NONE, reason: pause };
    const down = await whyDown(this.#run);
    if (down !== null) {
      this.#pressure.refused(down, 0);
      return { ...NONE, reason: down };
    }
    if (this.#now() - this.#describedAt > DESCRIBE_MS) await this.#describe();
    return { cpus: ANY, memoryMb: ANY, jobs: this.#pressure.allowance, reason: null };
  }

  refusal(asked: SchedulerOptions): string | null {
    return refusedOption(this.options.needs, asked);
  }

  plan(submissions: readonly Submission[]): string[] {
    const most = Math.min(MOST_IN_ARRAY, this.#cluster.arraySize);
    return planNames(submissions, (one) => sbatchOptions(this.options.needs, one), most);
  }

  async submitMany(submissions: readonly Submission[]): Promise<SubmissionOutcome[]> {
    const outcomes = new Map<Submission, SubmissionOutcome>();
    let silence: string | null = null;
    const reign = await askReign(this.#run);
    for (const [array, group] of groupByArray(submissions)) {
      // who did not answer is not asked again at once, with more that would be unsure
      const told: Submitted =
        silence === null ? await this.#submitArray(array, group, reign) : { outcome: 'full', reason: silence };
      if (told.outcome === 'unknown') silence = told.reason;
      for (const { submission, index } of group) outcomes.set(submission, outcomeFor(submission, index, told));
    }
    this.#adjust(submissions.map((one) => outcomes.get(one) as SubmissionOutcome));
    return submissions.map((one) => outcomes.get(one) as SubmissionOutcome);
  }

  async find(refs: readonly DispatchRef[]): Promise<Map<string, string>> {
    await this.#mustBeUp();
    const tasks = await this.#look(refs);
    return new Map(
      refs.flatMap((ref) => {
        const task = taskOf(ref, tasks);
        return task === undefined || isOver(task)
          ? []
          : [[ref.dispatchId, `${task.arrayJobId}_${task.index}`] as const];
      }),
    );
  }

  async poll(refs: readonly DispatchRef[]): Promise<Map<string, DispatchState>> {
    if (refs.length === 0) return new Map();
    await this.#mustBeUp();
    // a slurmctld may be killed at any of these lines: what is seen was seen by the one before the look or its successor, what
    // is missed was missed by the one after it or its predecessor (#lookBack)
    const before = await askReign(this.#run);
    const at = this.#now();
    const tasks = await this.#look(refs);
    this.#sightings.look(namesOf(refs).map(taskKey), tasks, before, at);
    const missed = refs.filter((ref) => taskOf(ref, tasks) === undefined);
    const lookBack = await this.#lookBack(missed);
    return new Map(
      refs.map((ref) => {
        const task = taskOf(ref, tasks);
        return [ref.dispatchId, task === undefined ? lookBack(ref) : dispatchStateOf(task, this.options.requeue)];
      }),
    );
  }

  async cancel(refs: readonly DispatchRef[]): Promise<void> {
    await this.#mustBeUp();
    const before = await askReign(this.#run);
    const tasks = await this.#look(refs);
    const indices = new Map<string, number[]>();
    for (const ref of refs) {
      const task = taskOf(ref, tasks);
      if (task === undefined || isOver(task)) continue;
      indices.set(task.arrayJobId, [...(indices.get(task.arrayJobId) ?? []), task.index]);
    }
    const words = [...indices].map(([arrayJobId, of]) => `${arrayJobId}_[${printRanges(of)}]`);
    if (words.length === 0) return;
    // scancel knows ids only, and a slurmctld that has just been started may have given them to others
    const { bootTime } = await askReign(this.#run);
    if (bootTime !== before.bootTime) return this.options.log('slurmctld was started anew; the reconciler asks again');
    for (let at = 0; at < words.length; at += ARRAYS_AT_ONCE) {
      const ran = await this.#run('scancel', words.slice(at, at + ARRAYS_AT_ONCE), { timeoutMs: SCANCEL_MS });
      if (ran.code !== 0) this.options.log('scancel complains; the reconciler asks again', { why: complaint(ran) });
    }
  }

  /** Jobs of one array agree in everything that Slurm was asked for. */
  goesOn(name: string): GoesOn | null {
    const parsed = parseTaskName(name);
    return parsed === null ? null : { names: keysOf(parsed.array), reasons: TURN_REASONS };
  }

  /** Slurm does not call; the dispatcher looks by itself. */
  onChange(): void {}

  #cancelled({ name, schedulerId }: DispatchRef, reign: Reign): SlurmTask | undefined {
    const parsed = parseTaskName(name);
    if (parsed === null || !this.#sightings.wasCancelled(taskKey(parsed), reign)) return undefined;
    const arrayJobId = schedulerId?.split('_')[0] ?? '?';
    return {
      arrayJobId,
      index: parsed.index,
      state: 'CANCELLED',
      reason: 'before it began',
      exitCode: 0,
      exitSignal: 0,
    };
  }

  async #describe(): Promise<void> {
    const told = await describeCluster(this.#run);
    if (told === null) return;
    this.#cluster = told;
    this.#describedAt = this.#now();
  }

  async #submitArray(array: string, group: readonly NamedSubmission[], reign: Reign): Promise<Submitted> {
    const { needs, task } = this.options;
    const first = (group[0] as NamedSubmission).submission;
    const refused = refusedOption(needs, first.options ?? {});
    if (refused !== null) return { outcome: 'rejected', reason: refused };
    const indices = group.map(({ index }) => index);
    const options = [...sbatchOptions(needs, first), `--job-name=${array}`, `--array=${printRanges(indices)}`];
    const tasks = group.map(({ submission, index }) => {
      return { index, dispatchId: submission.dispatchId, token: submission.token };
    });
    const script = batchScript(task(), tasks);
    const told = await submitArray(this.#run, options, script, this.options.patienceMs ?? PATIENCE_MS);
    const keys = indices.map((index) => taskKey({ array, index }));
    if (told.outcome === 'accepted') this.#sightings.add(keys, reign);
    // Slurm says that a partition is invalid, not which
    if (told.outcome === 'rejected')
      return { ...told, reason: `${told.reason} (${askedOptions(needs, first).join(' ')})` };
    return told;
  }

  #adjust(outcomes: readonly SubmissionOutcome[]): void {
    const refused = outcomes.filter(({ outcome }) => outcome === 'full' || outcome === 'unknown');
    const isTaken = refused.length === 0 || outcomes.some(({ outcome }) => outcome === 'accepted');
    if (isTaken) this.#pressure.taken();
    else this.#pressure.refused(refused[0]?.reason ?? 'Slurm takes nothing', refused.length);
  }

  /** Throws if it can not be asked; told by a ping, because everything else would wait for a connection. */
  async #mustBeUp(): Promise<void> {
    const down = await whyDown(this.#run);
    if (down !== null) throw new Error(down);
  }

  async #look(refs: readonly DispatchRef[]): Promise<SlurmTasks> {
    const names = namesOf(refs);
    return names.length === 0 ? new Map() : askSqueue(this.#run, names);
  }

  /** What became of those that squeue does not have. Throws if it can not be known which slurmctld that was. */
  async #lookBack(refs: readonly DispatchRef[]): Promise<(ref: DispatchRef) => DispatchState> {
    const names = namesOf(refs);
    if (names.length === 0) return () => plainState('gone');
    const reign = await askReign(this.#run);
    if (reign === NO_REIGN) throw new Error('Slurm can not be asked about itself (scontrol show config)');
    const older = reign.hasAccounting ? await askSacct(this.#run, names, Date.now() / 1000) : new Map();
    return (ref) => {
      const task = (older === null ? undefined : taskOf(ref, older)) ?? this.#cancelled(ref, reign);
      if (task !== undefined) return dispatchStateOf(task, this.options.requeue);
      return older === null ? { state: 'pending', reason: NO_SACCT } : plainState('gone');
    };
  }
}

function namesOf(refs: readonly DispatchRef[]): TaskName[] {
  return refs.map(({ name }) => parseTaskName(name)).filter((name) => name !== null);
}

function taskOf({ name }: DispatchRef, tasks: SlurmTasks): SlurmTask | undefined {
  const parsed = parseTaskName(name);
  return parsed === null ? undefined : tasks.get(taskKey(parsed));
}

function outcomeFor({ dispatchId }: Submission, index: number, told: Submitted): SubmissionOutcome {
  if (told.outcome === 'accepted') {
    return { dispatchId, outcome: 'accepted', schedulerId: `${told.arrayJobId}_${index}`, reason: null };
  }
  return { dispatchId, outcome: told.outcome, schedulerId: null, reason: told.reason };
}
