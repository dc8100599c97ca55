/** Numbers for the charts. */
import type { BatchItem } from '../../../src/contract/schemas.js';
import { durationText } from '../parts/durations.js';

export interface Bin {
  /** Upper edge, e.g. "4 s". */
  readonly label: string;
  readonly completed: number;
  readonly failed: number;
}

const MOST_BINS = 12;

/** Bins double in width: a batch has jobs of seconds and of days. */
export function durationBins(attempts: readonly BatchItem[]): Bin[] {
  const timed = attempts.flatMap((one) =>
    one.running_at === null || one.finished_at === null
      ? []
      : [{ ms: Math.max(1, Date.parse(one.finished_at) - Date.parse(one.running_at)), failed: one.status === 'error' }],
  );
  if (timed.length === 0) return [];
  const exponent = (ms: number) => Math.ceil(Math.log2(ms));
  // spreading a hundred thousand arguments into Math.max is more than a stack takes
  const most = timed.reduce((edge, { ms }) => Math.max(edge, exponent(ms)), 0);
  const shortest = timed.reduce((edge, { ms }) => Math.min(edge, exponent(ms)), most);
  const least = Math.max(shortest, most - MOST_BINS + 1);
  const bins = Array.from({ length: most - least + 1 }, (_, index) => ({
    label: `≤ ${durationText(2 ** (least + index))}`,
    completed: 0,
    failed: 0,
  }));
  for (const { ms, failed } of timed) {
    const bin = bins[Math.max(0, exponent(ms) - least)] as { completed: number; failed: number };
    if (failed) bin.failed += 1;
    else bin.completed += 1;
  }
  return bins;
}

const POINTS = 240;

/** How many had completed and failed at each of a few hundred moments; seconds since the epoch. */
export function endings(attempts: readonly BatchItem[]): { at: number[]; completed: number[]; failed: number[] } {
  const ended = attempts
    .flatMap((one) =>
      one.finished_at === null ? [] : [{ at: Date.parse(one.finished_at) / 1000, failed: one.status === 'error' }],
    )
    .sort((a, b) => a.at - b.at);
  const at: number[] = [];
  const completed: number[] = [];
  const failed: number[] = [];
  const step = Math.max(1, Math.floor(ended.length / POINTS));
  let [done, broken] = [0, 0];
  ended.forEach((one, index) => {
    if (one.failed) broken += 1;
    else done += 1;
    if (index % step !== 0 && index !== ended.length - 1) return;
    at.push(one.at);
    completed.push(done);
    failed.push(broken);
  });
  return { at, completed, failed };
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
}
