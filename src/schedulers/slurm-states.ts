/**
 * From Slurm's states (JOB STATE CODES in squeue(1), 22.05) to ours. An end counts only where the runner did not speak.
 *
 * | Slurm says                                    | what it is                                              | code, class   |
 * | --------------------------------------------- | ------------------------------------------------------- | ------------- |
 * | COMPLETED                                     | the runner ended well and left no result                | 2, platform   |
 * | FAILED, signal 53                             | launch failure: output or directory could not be opened | 2, platform   |
 * | FAILED, 0:9                                   | killed; without task/cgroup also for want of memory     | 2, platform   |
 * | FAILED                                        | the runner or its script broke                          | 2, platform   |
 * | OUT_OF_MEMORY                                 | with task/cgroup                                        | 1, memory     |
 * | TIMEOUT, DEADLINE                             | Slurm's limit, the job's own and the margin             | 3, time       |
 * | NODE_FAIL, BOOT_FAIL                          | the node died or did not come up                        | 2, platform   |
 * | PREEMPTED                                     | another job took its place                              | 2, platform   |
 * | REVOKED                                       | a sibling cluster took it                               | 2, platform   |
 * | CANCELLED                                     | scancel by somebody else                                | terminated, 1 |
 *
 * Exit codes other than our runner's are from facts about 22.05 on a real cluster: test/slurm reproduces them.
 */
import { constants } from 'node:os';
import type { FailureClass } from '../contract/status.js';
import { type DispatchEnd, type DispatchState, plainState } from './scheduler.js';

/** A task of an array as Slurm tells it. */
export interface SlurmTask {
  readonly arrayJobId: string;
  readonly index: number;
  /** The long form, such as RUNNING. */
  readonly state: string;
  readonly reason: string;
  readonly exitCode: number;
  readonly exitSignal: number;
}

const WAITING = ['PENDING', 'CONFIGURING', 'REQUEUED', 'REQUEUE_FED', 'REQUEUE_HOLD', 'RESV_DEL_HOLD', 'SPECIAL_EXIT'];
const ENDS: Readonly<Record<string, readonly [FailureClass, string]>> = {
  COMPLETED: ['platform', 'the runner ended and left no result'],
  FAILED: ['platform', 'the runner broke off and left no result'],
  OUT_OF_MEMORY: ['memory', 'the job used more memory than it had asked for'],
  TIMEOUT: ['time', 'the job used more time than it had been given'],
  DEADLINE: ['time', 'the job could not end before its deadline'],
  NODE_FAIL: ['platform', 'the node that ran the job died'],
  BOOT_FAIL: ['platform', 'the node that was to run the job did not come up'],
  PREEMPTED: ['platform', 'the job had to make room for another'],
  REVOKED: ['platform', 'another cluster took the job'],
};
/** What Slurm itself would have begun again. */
const REQUEUED_BY_SLURM = ['NODE_FAIL', 'PREEMPTED'];
/** By signal; 53 is none: `ESLURMD_…`, the files of a batch script could not be made. */
const FAILED_BY: Readonly<Record<number, string>> = {
  9: 'the runner was killed, perhaps for want of memory',
  53: 'the runner could not be launched on its node',
};

export const isOver = ({ state }: SlurmTask) => state in ENDS || state === 'CANCELLED';

export function dispatchStateOf(task: SlurmTask, requeue: boolean): DispatchState {
  if (isOver(task)) return { state: 'gone', end: endOf(task, requeue) };
  if (!WAITING.includes(task.state)) return plainState('running');
  return { state: 'pending', reason: waitReason(task) };
}

const asReason = (word: string) => `Slurm: ${word}`;

function waitReason({ reason, state }: SlurmTask): string | null {
  if (reason === '' || reason === 'None') return state === 'PENDING' ? null : asReason(state);
  return asReason(reason);
}

/** Nobody wants it to wait: there is no room for one more at once, but there is in the place of another (squeue(1), 22.05). */
export const TURN_REASONS = [
  'Priority',
  'Resources',
  'JobArrayTaskLimit',
  'AssocMaxJobsLimit',
  'AssocGrpJobsLimit',
  'AssocGrpCpuLimit',
  'AssocGrpMemLimit',
  'QOSMaxJobsPerUserLimit',
  'QOSMaxCpuPerUserLimit',
  'QOSMaxMemoryPerUser',
  'QOSGrpJobsLimit',
  'QOSGrpCpuLimit',
  'QOSGrpMemLimit',
].map(asReason);

function endOf(task: SlurmTask, requeue: boolean): DispatchEnd {
  const told = toldOf(task);
  if (task.state === 'CANCELLED') {
    const message = `the job was cancelled in Slurm, not here (${told})`;
    return { status: 'terminated', failureClass: 'user', message, ...exitOf(task) };
  }
  const [failureClass, what] = ENDS[task.state] as readonly [FailureClass, string];
  const sentence = (task.state === 'FAILED' && FAILED_BY[task.exitSignal]) || what;
  return {
    status: 'error',
    failureClass,
    message: `${sentence} (${told})`,
    ...exitOf(task),
    ...(requeue && REQUEUED_BY_SLURM.includes(task.state) && { again: true }),
  };
}

function toldOf({ arrayJobId, index, state, reason, exitCode, exitSignal }: SlurmTask): string {
  const why = reason === '' || reason === 'None' ? '' : `, ${reason}`;
  return `Slurm job ${arrayJobId}_${index}: ${state} ${exitCode}:${exitSignal}${why}`;
}

function exitOf({ exitCode, exitSignal }: SlurmTask): Pick<DispatchEnd, 'exitCode' | 'exitSignal'> {
  if (exitSignal === 0) return { exitCode, exitSignal: null };
  const name = Object.entries(constants.signals).find(([, number]) => number === exitSignal)?.[0];
  return { exitCode: null, exitSignal: name ?? null };
}
