/** Log lines of a job: whoever may write the job may add, at any time, also after its end. */

import type { LogPage } from '../contract/schemas.js';
import { isTerminal } from '../contract/status.js';
import { noteReports } from '../store/dispatches.js';
import type { JobPulseRow } from '../store/jobs.js';
import { appendLogs, type NumberedLine, readLines, type StoredLine } from '../store/logs.js';
import type { Context } from './context.js';
import type { Actor, LineToAdd, LogSearch, LogsRead } from './engine.js';
import { pulseOf, workerPulseOf } from './pulse.js';
import { findBatch, notForBatches } from './subjects.js';

/** Returns the number of stored lines afterwards. No lines: the log exists from then on, and nothing else is written. */
export async function addLogs(ctx: Context, actor: Actor, jobId: string, lines: readonly LineToAdd[]): Promise<number> {
  const job = await workerPulseOf(ctx, actor, 'write', jobId, 'logged to');
  if (lines.length === 0 && job.line_count !== null) return job.line_count;
  const late = job.dispatch_closed;
  const stored = lines.map(({ line, isError, ts }): StoredLine => {
    return { line, is_error: isError, ts, ...(late && { late: true as const }) };
  });
  return ctx.db.transaction(async (tx) => {
    const totals = await appendLogs(tx, [{ jobId, lines: stored }]);
    if (late) await noteReports(tx, [lateLines(actor.dispatchId as string, lines.length)]);
    return totals.get(jobId) as number;
  });
}

/** For a call whose lines are not lines: who may add is told how many there are, or null if nothing was ever logged. */
export async function countLog(ctx: Context, actor: Actor, jobId: string): Promise<number | null> {
  return (await workerPulseOf(ctx, actor, 'write', jobId, 'logged to')).line_count;
}

function lateLines(dispatchId: string, lines: number) {
  return {
    dispatch_id: dispatchId,
    started: false,
    run_id: null,
    lines: 0,
    late_lines: lines,
    peak_memory_mb: null,
    cpu_seconds: null,
    close_reason: null,
  };
}

/** As much as EE2 could keep of a log at all. Who wants more reads on from where the answer ends. */
const MOST_CHARACTERS = 16_000_000;

export async function logs(
  ctx: Context,
  actor: Actor,
  jobId: string,
  skip: number,
  limit: number | null,
): Promise<LogsRead> {
  const { status, line_count: total } = await readableLog(ctx, actor, jobId);
  const to = limit === null ? (total ?? 0) : Math.min(skip + limit, total ?? 0);
  const lines = skip < to ? await readLines(ctx.db, jobId, skip, to, MOST_CHARACTERS) : [];
  const page = {
    job_id: jobId,
    lines: lines.map(shownLine),
    // of pruned lines there are none to count: reading goes on behind the last that is there
    next: (lines.at(-1)?.position ?? Math.max(skip, to) - 1) + 1,
    total: total ?? 0,
    finished: isTerminal(status),
  };
  return { page, everLogged: total !== null };
}

async function readableLog(ctx: Context, actor: Actor, jobId: string): Promise<JobPulseRow> {
  const job = await pulseOf(ctx, actor, 'read', jobId);
  if (job !== undefined) return job;
  await findBatch(ctx, actor, 'read', jobId);
  throw notForBatches(jobId, 'read as a log');
}

const shownLine = ({ position, line, is_error, ts, late }: NumberedLine) => {
  return { position, line, is_error, ts, late: late ?? false };
};

/** A step of a search, and how many lines one call looks at: a huge log is searched in several calls. */
const SEARCH_STEP = 5_000;
const SEARCH_AT_MOST = 200_000;

export async function searchLogs(ctx: Context, actor: Actor, jobId: string, s: LogSearch): Promise<LogPage> {
  const job = await readableLog(ctx, actor, jobId);
  const total = job.line_count ?? 0;
  const end = Math.min(total, s.skip + SEARCH_AT_MOST);
  const wanted = s.contains?.toLowerCase() ?? null;
  const matches = (line: NumberedLine) =>
    (!s.errorsOnly || line.is_error) && (wanted === null || line.line.toLowerCase().includes(wanted));
  const lines: NumberedLine[] = [];
  let next = s.skip;
  while (next < end && lines.length < s.limit) {
    const step = await readLines(ctx.db, jobId, next, Math.min(next + SEARCH_STEP, end));
    lines.push(...step.filter(matches));
    next = Math.min(next + SEARCH_STEP, end);
  }
  const shown = lines.slice(0, s.limit);
  if (lines.length > s.limit) next = (shown.at(-1) as NumberedLine).position + 1;
  return { job_id: jobId, lines: shown.map(shownLine), next, total, finished: isTerminal(job.status) };
}
