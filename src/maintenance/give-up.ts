/**
 * Closes dispatches whose processes are gone, or can not be asked any more:
 *
 * | job         | the scheduler knows its end        | job becomes                             | dispatch closed as |
 * | ----------- | ---------------------------------- | --------------------------------------- | ------------------ |
 * | not started | no (it forgot it, it never had it) | waits again                             | lost               |
 * | not started | an error                           | waits again; the third time that error  | lost               |
 * | started     | no, and its runner speaks          | –                                       | –                  |
 * | started     | no                                 | error: platform                         | lost               |
 * | started     | an error                           | that error                              | lost               |
 * | any of them | an error, `again`                  | waits again                             | lost               |
 * | any of them | cancelled there                    | terminated                              | canceled           |
 * | terminated  | –                                  | –                                       | canceled           |
 * | ended       | –                                  | –                                       | finished           |
 *
 * Locked and read again first: a report may have come in since somebody looked.
 */
import { ERROR_CODE_OF, isTerminal, TERMINATED_CODES } from '../contract/status.js';
import { lostFinish } from '../engine/worker-reports.js';
import type { DispatchEnd } from '../schedulers/scheduler.js';
import type { Queryable } from '../store/db.js';
import {
  type CloseReason,
  closeDispatches,
  countLost,
  lockDispatches,
  type ReportedDispatchRow,
} from '../store/dispatches.js';
import { type Finish, finishJobs, requeueJobs, terminateJobs } from '../store/lifecycle.js';
import { appendLogs } from '../store/logs.js';

/** Handed over so often without ever beginning, a job is told why. */
const MOST_LOST = 3;

export interface Ends {
  /** What the scheduler knows of a dispatch, by its id. */
  readonly known?: ReadonlyMap<string, DispatchEnd>;
  /** For a job that had started and of whose end nothing is known. */
  readonly message?: string;
  /** What its scheduler was asked for, by its id: one that has moved since is another process's, of which nothing was said. */
  readonly names?: ReadonlyMap<string, string | null>;
  /** Seconds. Where nothing is known of its end, a runner of ours that spoke more recently is alive, and its dispatch is kept. */
  readonly silence?: number;
}

/** Returns the rows that were closed. */
export async function giveUpDispatches(
  tx: Queryable,
  dispatchIds: readonly string[],
  { known = new Map(), message, names, silence = 0 }: Ends,
): Promise<ReportedDispatchRow[]> {
  const isMeant = (row: ReportedDispatchRow) =>
    names === undefined || names.get(row.dispatch_id) === row.scheduler_name;
  const speaks = (row: ReportedDispatchRow) =>
    row.own_runner && row.started_at !== null && row.silent_for < silence && !known.has(row.dispatch_id);
  const rows = (await lockDispatches(tx, dispatchIds)).filter(
    (row) => row.closed_at === null && isMeant(row) && !speaks(row),
  );
  const lost = rows.filter((row) => !isTerminal(row.status));
  const countOf = await countLost(tx, unstartedWithEnd(lost, known));
  const of = (verdict: Verdict) =>
    lost.filter((row) => verdictOn(row, known.get(row.dispatch_id), countOf.get(row.job_id) ?? 0) === verdict);
  const canceled = of('terminate');
  await terminate(tx, canceled, known);
  await finishJobs(
    tx,
    of('end').map((row) => finishOf(row.job_id, known.get(row.dispatch_id), message)),
  );
  await requeueJobs(tx, jobsOf(of('again')), { started: true });
  await closeDispatches(
    tx,
    rows.map((row) => ({
      dispatch_id: row.dispatch_id,
      close_reason: canceled.includes(row) ? 'canceled' : closeReason(row.status),
    })),
  );
  return rows;
}

type Verdict = 'again' | 'end' | 'terminate';

function verdictOn(row: ReportedDispatchRow, end: DispatchEnd | undefined, lostBefore: number): Verdict {
  if (end?.status === 'terminated') return 'terminate';
  if (end?.again === true) return 'again';
  if (hasStarted(row)) return 'end';
  return end !== undefined && lostBefore + 1 >= MOST_LOST ? 'end' : 'again';
}

const jobsOf = (rows: readonly ReportedDispatchRow[]) => rows.map((row) => row.job_id);

function unstartedWithEnd(rows: readonly ReportedDispatchRow[], known: ReadonlyMap<string, DispatchEnd>): string[] {
  return jobsOf(rows.filter((row) => !hasStarted(row) && known.has(row.dispatch_id)));
}

/** Somebody who is not a user of ours: the log says what is known of it. */
async function terminate(
  tx: Queryable,
  rows: readonly ReportedDispatchRow[],
  known: ReadonlyMap<string, DispatchEnd>,
): Promise<void> {
  const won = new Set(await terminateJobs(tx, jobsOf(rows), TERMINATED_CODES.admin, 'user', null));
  const ts = Date.now();
  await appendLogs(
    tx,
    rows
      .filter((row) => won.has(row.job_id))
      .map((row) => ({
        jobId: row.job_id,
        lines: [{ line: known.get(row.dispatch_id)?.message ?? '', is_error: true, ts }],
      })),
  );
}

function finishOf(jobId: string, end: DispatchEnd | undefined, message: string | undefined): Finish {
  if (end === undefined) return lostFinish(jobId, message);
  const code = ERROR_CODE_OF[end.failureClass];
  return {
    ...lostFinish(jobId, end.message),
    error_code: code,
    failure_class: end.failureClass,
    error: JSON.stringify({ code, name: 'Job ended by its scheduler', message: end.message, error: end.message }),
    exit_code: end.exitCode,
    exit_signal: end.exitSignal,
  };
}

/** Or by somebody else's worker, which starts the job and knows nothing of dispatches. */
function hasStarted({ started_at, status }: ReportedDispatchRow): boolean {
  return started_at !== null || status === 'running' || status === 'estimating';
}

function closeReason(status: ReportedDispatchRow['status']): CloseReason {
  if (status === 'terminated') return 'canceled';
  return isTerminal(status) ? 'finished' : 'lost';
}
