/**
 * What Slurm has, from one squeue for all: formats, because its JSON ignores every filter, and found by name and index,
 * because ids are given again after a crash. Where there is accounting, sacct knows what squeue has forgotten.
 */
import { complaint, hasFailed, type RunSlurm } from './slurm-commands.js';
import { parseRanges, type TaskName, taskKey } from './slurm-groups.js';
import { isOver, type SlurmTask } from './slurm-states.js';

const SQUEUE_MS = 60_000;
/** More names than this, and everything is read. */
const MOST_NAMES = 50;
const FIELDS = ['ArrayJobID', 'ArrayTaskID', 'State', 'exit_code', 'Name', 'Reason'] as const;
const FORMAT = FIELDS.map((field) => `${field}:|`).join(',');

/** By `taskKey`. */
export type SlurmTasks = ReadonlyMap<string, SlurmTask>;

/** Throws if Slurm does not answer. */
export async function askSqueue(run: RunSlurm, names: readonly TaskName[]): Promise<SlurmTasks> {
  const arrays = [...new Set(names.map(({ array }) => array))];
  const filter = arrays.length > MOST_NAMES ? [] : [`--name=${arrays.join(',')}`];
  const ran = await run('squeue', ['--noheader', '--states=all', ...filter, `--Format=${FORMAT}`], {
    timeoutMs: SQUEUE_MS,
  });
  if (hasFailed(ran)) throw new Error(`Slurm can not be asked about its jobs (squeue): ${complaint(ran)}`);
  return parseSqueue(ran.stdout, new Set(arrays));
}

export function parseSqueue(text: string, arrays: ReadonlySet<string>): SlurmTasks {
  const tasks = new Map<string, SlurmTask>();
  for (const line of text.split('\n')) {
    const [arrayJobId = '', indices = '', state = '', status = '', array = '', reason = ''] = line.split('|');
    if (!arrays.has(array)) continue;
    const exit = { exitCode: (Number(status) >> 8) & 0xff, exitSignal: Number(status) & 0x7f };
    for (const index of parseRanges(indices)) {
      keep(tasks, taskKey({ array, index }), { arrayJobId, index, state, reason, ...exit });
    }
  }
  return tasks;
}

/** A submission that was repeated has two tasks of one name: the one that can still run counts. */
function keep(tasks: Map<string, SlurmTask>, key: string, task: SlurmTask): void {
  const known = tasks.get(key);
  if (known === undefined || isOver(known)) tasks.set(key, task);
}

const SACCT_MS = 60_000;
const DAY_SECONDS = 86_400;

/**
 * Null if the accounting does not answer. Only ends: it hears nothing of a crash, after which it says for ever that what was
 * forgotten runs. `nowSeconds` since the epoch.
 */
export async function askSacct(
  run: RunSlurm,
  names: readonly TaskName[],
  nowSeconds: number,
): Promise<SlurmTasks | null> {
  const arrays = [...new Set(names.map(({ array }) => array))];
  const oldest = Math.min(...arrays.map(secondsOf));
  const days = Math.max(1, Math.ceil((nowSeconds - oldest) / DAY_SECONDS) + 1);
  const filter = arrays.length > MOST_NAMES ? [] : [`--name=${arrays.join(',')}`];
  const args = ['--noheader', '--allocations', '--parsable2', `--starttime=now-${days}days`, ...filter];
  const ran = await run('sacct', [...args, '--format=JobID,State,ExitCode,JobName'], { timeoutMs: SACCT_MS });
  return hasFailed(ran) ? null : parseSacct(ran.stdout, new Set(arrays));
}

/** Ids begin with the time when they were made. */
const secondsOf = (array: string) => Number.parseInt(array.slice('reprise-'.length, 'reprise-'.length + 8), 16);

export function parseSacct(text: string, arrays: ReadonlySet<string>): SlurmTasks {
  const tasks = new Map<string, SlurmTask>();
  for (const line of text.split('\n')) {
    const [id = '', state = '', exit = '', array = ''] = line.split('|');
    const [, arrayJobId, index] = /^(\d+)_(\d+)$/.exec(id) ?? [];
    if (!arrays.has(array) || arrayJobId === undefined) continue;
    const [exitCode = 0, exitSignal = 0] = exit.split(':').map(Number);
    // "CANCELLED by 0"
    const [word = '', ...reason] = state.split(' ');
    const task = { arrayJobId, index: Number(index), state: word, reason: reason.join(' '), exitCode, exitSignal };
    if (!isOver(task)) continue;
    keep(tasks, taskKey({ array, index: Number(index) }), task);
  }
  return tasks;
}
