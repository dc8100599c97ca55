/** How the demo's findings look in 80 columns. */
import type { WindowResult } from '../../examples/genome/merge.mjs';
import { gcContent, type Merged, totalLength } from '../../examples/genome/merge.mjs';
import type { BatchView, JobSummary, Receipt } from '../contract/schemas.js';
import type { StatusCounts } from '../contract/status.js';

const WIDTH = 80;

/** One window of the genome: the job it was submitted as, the newest job of that lineage, and what that one found. */
export interface WindowBooks {
  readonly number: number;
  readonly head: JobSummary;
  readonly result: WindowResult | null;
}

export const thousands = (value: number): string => value.toLocaleString('en-US');
export const shortCommit = (commit: string): string => commit.slice(0, 7);

/** Breaks at spaces; what is longer than a line stays whole, so that a path can be copied. */
export function wrapped(text: string, indent = ''): string {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(' ')) {
    const fits = line.length + word.length < WIDTH;
    if (!fits && line !== indent) {
      lines.push(line);
      line = indent;
    }
    line += line === indent ? word : ` ${word}`;
  }
  return [...lines, line].join('\n');
}

/** Every column as wide as its widest cell, right-aligned; the last one is text and left-aligned. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    cells.map((cell, column) => (column < cells.length - 1 ? cell.padStart(widths[column] ?? 0) : cell)).join('  ');
  return [header, ...rows].map((cells) => `  ${line(cells)}`).join('\n');
}

export function progress(counts: StatusCounts, items: number): string {
  const waiting = counts.created + counts.queued + counts.estimating;
  const parts = [`${counts.completed} of ${items} completed`, `${counts.running} running`, `${waiting} waiting`];
  if (counts.error > 0) parts.push(`${counts.error} failed`);
  if (counts.terminated > 0) parts.push(`${counts.terminated} cancelled`);
  return parts.join(', ');
}

/** Failed jobs by what they said, the commonest first. Paths below the current directory are shortened. */
export function failuresByReason(jobs: readonly JobSummary[], windowOf: (rootId: string) => number): string {
  const groups = new Map<string, JobSummary[]>();
  for (const job of jobs) {
    const reason = job.failure?.message ?? 'no reason was recorded';
    groups.set(reason, [...(groups.get(reason) ?? []), job]);
  }
  const bySize = [...groups].sort(([, a], [, b]) => b.length - a.length);
  return bySize.map(([reason, members]) => failureGroup(reason, members, windowOf)).join('\n');
}

function failureGroup(reason: string, jobs: readonly JobSummary[], windowOf: (rootId: string) => number): string {
  const failure = jobs[0]?.failure;
  const windows = jobs.map(({ root_id }) => windowOf(root_id)).sort((a, b) => a - b);
  const title = `${jobs.length} x class ${failure?.failure_class ?? 'unknown'}, exit code ${failure?.exit_code ?? 'none'}`;
  const shortened = reason.replaceAll(`${process.cwd()}/`, '');
  return [wrapped(`${title}, windows ${windows.join(', ')}:`, '  '), wrapped(shortened, '    ')].join('\n');
}

export function receiptTable(receipts: readonly Receipt[], windowOf: (rootId: string) => number): string {
  const rows = receipts.map((receipt) => [
    receipt.root_id === null ? '' : String(windowOf(receipt.root_id)),
    receipt.requested_id,
    receipt.accepted ? `retry ${receipt.retry_number} is ${receipt.retry_id}` : `refused: ${receipt.code}`,
  ]);
  return table(['window', 'asked for', 'verdict'], rows);
}

const percent = (share: number): string => (share * 100).toFixed(2);

export function windowTable(books: readonly WindowBooks[]): string {
  const rows = books.map(({ number, head, result }) => [
    String(number),
    result === null ? '-' : thousands(result.start),
    String(head.retry_number),
    shortCommit(head.commit),
    result === null ? '-' : thousands(result.orfs.length),
    result === null ? '-' : percent(result.gc),
    result === null ? '-' : result.skew.toFixed(4),
    String(head.status),
  ]);
  return table(['window', 'first base', 'retries', 'commit', 'ORFs', 'GC %', 'GC skew', 'state'], rows);
}

export function totals(batch: BatchView, merged: Merged): string {
  const { G, C } = merged.bases;
  return [
    `  ${batch.items} windows, ${batch.retries} retries, ${batch.items + batch.retries} jobs; the batch is ${batch.state}`,
    `  ${thousands(merged.orfs.length)} open reading frames (ORFs), ${thousands(totalLength(merged.orfs))} bases in them`,
    `  GC ${percent(gcContent(merged.bases))} %, GC skew ${((G - C) / (G + C)).toFixed(4)}`,
  ].join('\n');
}
