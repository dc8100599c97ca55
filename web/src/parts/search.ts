/**
 * What is typed in a search box: `state:failed user:me app:phix ws:3 words`. The text itself stands in the address, so
 * a link holds every filter.
 */
import { STATUSES, type Status } from '../../../src/contract/status.js';
import { GROUPS, STATES_OF } from './states.js';

export interface Search {
  readonly states: readonly Status[];
  readonly user: string | null;
  readonly app: string | null;
  readonly workspace: number | null;
  readonly inputs: string | null;
  readonly text: string;
  /** Sentences on what was not understood. */
  readonly problems: readonly string[];
}

export const KEYS = ['state', 'user', 'app', 'ws', 'inputs'] as const;
type Key = (typeof KEYS)[number];

const TERM = /(?:^|\s)(\w+):("[^"]*"|\S*)/g;

export function parseSearch(typed: string): Search {
  const values = new Map<Key, string>();
  const problems: string[] = [];
  const text = typed
    .replace(TERM, (term, key: string, value: string) => {
      if (!(KEYS as readonly string[]).includes(key)) return term;
      values.set(key as Key, value.replaceAll('"', ''));
      return ' ';
    })
    .replace(/\s+/g, ' ')
    .trim();
  return {
    states: statesOf(values.get('state'), problems),
    user: values.get('user') || null,
    app: values.get('app') || null,
    workspace: workspaceOf(values.get('ws'), problems),
    inputs: values.get('inputs') || null,
    text,
    problems,
  };
}

/** The terms that every list knows, as members of its request. */
export function filterOf(search: Search, me: string | undefined) {
  const user = search.user === 'me' ? me : search.user;
  return {
    ...(search.states.length > 0 && { state: [...search.states] }),
    ...(user != null && { user }),
    ...(search.app !== null && { app: search.app }),
    ...(search.workspace !== null && { wsid: search.workspace }),
  };
}

function statesOf(value: string | undefined, problems: string[]): readonly Status[] {
  if (!value) return [];
  const known = (word: string): readonly Status[] | undefined => {
    const group = GROUPS.find((one) => one === word);
    if (group !== undefined) return STATES_OF[group];
    return (STATUSES as readonly string[]).includes(word) ? [word as Status] : undefined;
  };
  const words = value.split(',').filter((word) => word !== '');
  const unknown = words.filter((word) => known(word) === undefined);
  if (unknown.length > 0) problems.push(`state:${unknown.join(',')} is none of ${[...GROUPS, ...STATUSES].join(', ')}`);
  return [...new Set(words.flatMap((word) => known(word) ?? []))];
}

function workspaceOf(value: string | undefined, problems: string[]): number | null {
  if (!value) return null;
  if (/^[1-9]\d{0,8}$/.test(value)) return Number(value);
  problems.push(`ws:${value} is not the number of a workspace`);
  return null;
}

/** The typed text with one term set, or taken away with null. */
export function withTerm(typed: string, key: Key, value: string | null): string {
  const others = typed
    .replace(TERM, (term, found: string) => (found === key ? ' ' : term))
    .replace(/\s+/g, ' ')
    .trim();
  const quoted = value !== null && /\s/.test(value) ? `"${value}"` : value;
  return value === null ? others : `${key}:${quoted} ${others}`.trim();
}
