/**
 * Closes dispatches whose processes are gone, or can not be asked any more:
 *
 * | job         | job becomes     | dispatch closed as |
 * | ----------- | --------------- | ------------------ |
 * | not started | waits again     | lost               |
 * | started     | error: platform | lost               |
 * | terminated  | –               | canceled           |
 * | ended       | –               | finished           |
 *
 * Locked and read again first: a report may have come in since somebody looked.
 */
import { isTerminal } from '../contract/status.js';
import type { Queryable } from '../store/db.js';
import { type CloseReason, closeDispatches, lockDispatches, type ReportedDispatchRow } from '../store/dispatches.js';
import { type Finish, finishJobs, requeueJobs } from '../store/lifecycle.js';

/** `finish` says what a job that had started is told. Returns the rows that were closed. */
export async function giveUpDispatches(
  tx: Queryable,
  dispatchIds: readonly string[],
  finish: (jobId: string) => Finish,
): Promise<ReportedDispatchRow[]> {
  const rows = (await lockDispatches(tx, dispatchIds)).filter((row) => row.closed_at === null);
  const lost = rows.filter((row) => !isTerminal(row.status));
  const started = lost.filter(hasStarted);
  const unstarted = lost.filter((row) => !hasStarted(row));
  await finishJobs(
    tx,
    started.map((row) => finish(row.job_id)),
  );
  await requeueJobs(
    tx,
    unstarted.map((row) => row.job_id),
  );
  await closeDispatches(
    tx,
    rows.map((row) => ({ dispatch_id: row.dispatch_id, close_reason: closeReason(row.status) })),
  );
  return rows;
}

/** Or by somebody else's worker, which starts the job and knows nothing of dispatches. */
function hasStarted({ started_at, status }: ReportedDispatchRow): boolean {
  return started_at !== null || status === 'running' || status === 'estimating';
}

function closeReason(status: ReportedDispatchRow['status']): CloseReason {
  if (status === 'terminated') return 'canceled';
  return isTerminal(status) ? 'finished' : 'lost';
}
