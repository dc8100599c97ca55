/**
 * Which submissions go into one array: those that agree in everything that an array shares. An array is named after its
 * first dispatch, a task by that name and its index, so that every dispatch can be found without Slurm's ids.
 */
import type { Submission } from './scheduler.js';

/** A task of an array, as `dispatches.scheduler_name` has it: `reprise-<dispatch id>/<index>`. */
export interface TaskName {
  readonly array: string;
  readonly index: number;
}

const NAME = /^(reprise-[0-9a-f]{24})\/(\d{1,9})$/;

/** What the names of all tasks of an array begin with. */
export const keysOf = (array: string) => `${array}/`;
export const taskKey = ({ array, index }: TaskName) => `${keysOf(array)}${index}`;

export function parseTaskName(name: string | null): TaskName | null {
  const [, array, index] = NAME.exec(name ?? '') ?? [];
  return array === undefined ? null : { array, index: Number(index) };
}

/** Names in the order of the submissions. `shared`: what an array of this submission would be given. */
export function planNames(
  submissions: readonly Submission[],
  shared: (submission: Submission) => readonly string[],
  most: number,
): string[] {
  const open = new Map<string, { array: string; next: number }>();
  return submissions.map((submission) => {
    const key = JSON.stringify(shared(submission));
    const known = open.get(key);
    const group = known === undefined || known.next >= most ? { array: arrayOf(submission), next: 0 } : known;
    open.set(key, group);
    return taskKey({ array: group.array, index: group.next++ });
  });
}

const arrayOf = ({ dispatchId }: Submission) => `reprise-${dispatchId}`;

export interface NamedSubmission {
  readonly submission: Submission;
  readonly index: number;
}

/** By the array that their names say. One without a name of ours is a mistake of the caller. */
export function groupByArray(submissions: readonly Submission[]): Map<string, NamedSubmission[]> {
  const groups = new Map<string, NamedSubmission[]>();
  for (const submission of submissions) {
    const name = parseTaskName(submission.name);
    if (name === null) throw new RangeError(`dispatch ${submission.dispatchId} has no name for Slurm`);
    const group = groups.get(name.array) ?? [];
    groups.set(name.array, group);
    group.push({ submission, index: name.index });
  }
  return groups;
}

/** As `--array` and `scancel` take them: `0-4,7`. */
export function printRanges(indices: readonly number[]): string {
  const sorted = [...new Set(indices)].sort((a, b) => a - b);
  const ranges: [number, number][] = [];
  for (const index of sorted) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === index - 1) last[1] = index;
    else ranges.push([index, index]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}

/** The other way, as squeue prints those that have not begun: `0-4,7`, `1-9:2`, `0-99%5`. */
export function parseRanges(text: string): number[] {
  const list = text.replace(/%\d+$/, '');
  return list.split(',').flatMap((part) => {
    const [, from, to, step] = /^(\d+)(?:-(\d+)(?::(\d+))?)?$/.exec(part.trim()) ?? [];
    if (from === undefined) return [];
    const indices: number[] = [];
    for (let index = Number(from); index <= Number(to ?? from); index += Number(step ?? 1)) indices.push(index);
    return indices;
  });
}
