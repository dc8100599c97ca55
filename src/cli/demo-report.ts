/** How the demo's findings look in 80 columns. */
import type { WindowResult } from '../../examples/genome/merge.mjs';
import { gcContent, type Merged, totalLength } from '../../examples/genome/merge.mjs';
import type { BatchView, DispatchView, JobSummary, Receipt } from '../contract/schemas.js';
import { groupAlike, messageOf } from './failures.js';
import { shortCommit, table, thousands, wrapped } from './text.js';

/** One window of the genome: the newest job of its lineage, how that one was handed over, and what it found. */
export interface WindowBooks {
  readonly number: number;
  readonly head: JobSummary;
  readonly dispatches: readonly DispatchView[];
  readonly result: WindowResult | null;
}

/** Failed jobs by what they said, the commonest first. Paths below the current directory are shortened. */
export function failuresByReason(jobs: readonly JobSummary[], windowOf: (rootId: string) => number): string {
  return groupAlike(jobs, messageOf)
    .map(({ message, members }) => failureGroup(message, members, windowOf))
    .join('\n');
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
  return table(['window', 'asked for', 'verdict'], rows, { indent: '  ' });
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
  return table(['window', 'first base', 'retries', 'commit', 'ORFs', 'GC %', 'GC skew', 'state'], rows, {
    indent: '  ',
  });
}

export function totals(batch: BatchView, merged: Merged): string {
  const { G, C } = merged.bases;
  return [
    `  ${batch.items} windows, ${batch.retries} retries, ${batch.items + batch.retries} jobs; the batch is ${batch.state}`,
    `  ${thousands(merged.orfs.length)} open reading frames (ORFs), ${thousands(totalLength(merged.orfs))} bases in them`,
    `  GC ${percent(gcContent(merged.bases))} %, GC skew ${((G - C) / (G + C)).toFixed(4)}`,
  ].join('\n');
}
