/** Refusals as lines: a sentence is told once, with all that it was said of, the commonest first. */
import { groupAlike } from './failures.js';
import { reportRefusal, say } from './output.js';
import { counted, thousands } from './text.js';

export interface Refused<S> {
  readonly subject: S;
  readonly sentence: string;
  readonly code: string;
  /** The job that stands in the way; named by the sentence. */
  readonly blockingId?: string | null;
}

export interface Told {
  readonly told: readonly Refused<string>[];
  /** How many are not told, and for how many other reasons; null = all are. */
  readonly rest: string | null;
}

const MOST_TOLD = 20;
const RANGES_SHOWN = 10;
const IDS_SHOWN = 3;

export function reportRows(refused: readonly Refused<number>[]): void {
  report(rowsTold(refused));
}

export function reportJobs(refused: readonly Refused<string>[]): void {
  report(jobsTold(refused));
}

function report({ told, rest }: Told): void {
  for (const { subject, sentence, code } of told) reportRefusal(subject, sentence, code);
  if (rest !== null) say(rest);
}

export function rowsTold(refused: readonly Refused<number>[]): Told {
  return gathered(refused, ({ sentence }) => sentence, linesText);
}

/** Of several jobs the sentence has `<id>` where each has its own. */
export function jobsTold(refused: readonly Refused<string>[]): Told {
  return gathered(refused, withoutIds, jobsText);
}

function gathered<S>(
  refused: readonly Refused<S>[],
  sentenceOf: (one: Refused<S>) => string,
  subjectOf: (subjects: readonly [S, ...S[]]) => string,
): Told {
  const groups = groupAlike(refused, (one) => `${one.code} ${sentenceOf(one)}`);
  const told = groups.slice(0, MOST_TOLD).map(({ members: [first, ...others] }) => ({
    subject: subjectOf([first.subject, ...others.map(({ subject }) => subject)]),
    sentence: others.length === 0 ? first.sentence : sentenceOf(first),
    code: first.code,
  }));
  const left = groups.slice(MOST_TOLD);
  const count = left.reduce((sum, { members }) => sum + members.length, 0);
  const reasons = counted(left.length, 'other reason');
  return { told, rest: count === 0 ? null : `… and ${thousands(count)} more, for ${reasons}: --json has all` };
}

/** `line 4`, `lines 2-5, 9 (5)`; ascending. */
export function linesText(lines: readonly [number, ...number[]]): string {
  if (lines.length === 1) return `line ${lines[0]}`;
  const ranges: [number, number][] = [];
  for (const line of lines) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] + 1 === line) last[1] = line;
    else ranges.push([line, line]);
  }
  const shown = ranges.slice(0, RANGES_SHOWN).map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`));
  return `lines ${listed(shown, ranges.length)} (${thousands(lines.length)})`;
}

function jobsText(ids: readonly [string, ...string[]]): string {
  if (ids.length === 1) return ids[0];
  return `jobs ${listed(ids.slice(0, IDS_SHOWN), ids.length)} (${thousands(ids.length)})`;
}

const listed = (shown: readonly string[], all: number) => [...shown, ...(shown.length < all ? ['…'] : [])].join(', ');

function withoutIds({ subject, sentence, blockingId }: Refused<string>): string {
  const own = new Set([subject, blockingId]);
  return sentence.replace(/\w+/g, (word) => (own.has(word) ? '<id>' : word));
}
