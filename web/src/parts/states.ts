/** States as people say them, in groups, with their counts. */
import type { Counts } from '../../../src/contract/schemas.js';
import type { Status } from '../../../src/contract/status.js';

export type Group = 'failed' | 'cancelled' | 'running' | 'waiting' | 'completed';

/** In the order of attention: what failed comes first. */
export const GROUPS: readonly Group[] = ['failed', 'cancelled', 'running', 'waiting', 'completed'];

export const STATES_OF: Readonly<Record<Group, readonly Status[]>> = {
  failed: ['error'],
  cancelled: ['terminated'],
  running: ['running'],
  waiting: ['created', 'estimating', 'queued'],
  completed: ['completed'],
};

const GROUP_OF: Readonly<Record<Status, Group>> = {
  created: 'waiting',
  estimating: 'waiting',
  queued: 'waiting',
  running: 'running',
  completed: 'completed',
  error: 'failed',
  terminated: 'cancelled',
};

const WORDS: Readonly<Record<Status, string>> = {
  created: 'waiting',
  estimating: 'estimating',
  queued: 'queued',
  running: 'running',
  completed: 'completed',
  error: 'failed',
  terminated: 'cancelled',
};

export const groupOf = (status: Status): Group => GROUP_OF[status];
export const wordOf = (status: Status): string => WORDS[status];

/** Failures first; within a group the caller decides. */
export const rankOf = (status: Status): number => GROUPS.indexOf(GROUP_OF[status]);

export function countGroups(counts: Counts): Readonly<Record<Group, number>> {
  const sum = (group: Group) => STATES_OF[group].reduce((total, status) => total + counts[status], 0);
  return {
    failed: sum('failed'),
    cancelled: sum('cancelled'),
    running: sum('running'),
    waiting: sum('waiting'),
    completed: sum('completed'),
  };
}

/** "37 failed, 2 running, 961 completed" */
export function countsSentence(groups: Readonly<Record<Group, number>>): string {
  const parts = GROUPS.filter((group) => groups[group] > 0).map((group) => `${number(groups[group])} ${group}`);
  return parts.length === 0 ? 'no items' : parts.join(', ');
}

const format = new Intl.NumberFormat('en');
export const number = (value: number): string => format.format(value);
