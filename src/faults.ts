/**
 * Places between two durable steps where a test has a process die as by kill -9. Off unless REPRISE_FAULT names one of
 * them: `retry.linked`, or `retry.linked:3` for the third time it is passed. A process that dies there leaves the file
 * REPRISE_FAULT_MARK, if that is set, and whoever finds that file is armed no more: the successor goes on.
 */
import { existsSync, writeFileSync } from 'node:fs';

export const FAULT_POINTS = [
  // submit and retry; all but the last of each lie within the transaction
  'submit.claimed',
  'submit.inputs',
  'submit.jobs',
  'submit.recorded',
  'retry.claimed',
  'retry.linked',
  'retry.receipts',
  'retry.recorded',
  // dispatch
  'dispatch.opened',
  'dispatch.submitted',
  'dispatch.recorded',
  // reports of runners: each part within the transaction, and after its commit
  'report.started',
  'report.logged',
  'report.finished',
  'report.gone',
  'report.recorded-start',
  'report.recorded-logs',
  'report.recorded-finish',
  'report.recorded-gone',
  // calls of users
  'cancel.terminated',
  'cancel.recorded',
  'cancel.asked',
  'finish.recorded',
  // the runner host
  'host.submitted',
  'host.started',
  'host.spawned',
  'host.ended',
  'host.noted',
  'host.gone',
] as const;
export type FaultPoint = (typeof FAULT_POINTS)[number];

interface Armed {
  readonly point: FaultPoint;
  readonly mark: string | undefined;
  /** How many more times it is passed. */
  left: number;
}

const armed = arm(process.env.REPRISE_FAULT, process.env.REPRISE_FAULT_MARK);

function arm(text: string | undefined, mark: string | undefined): Armed | null {
  if (!text || (mark !== undefined && existsSync(mark))) return null;
  const [name, times = '1'] = text.split(':');
  const point = FAULT_POINTS.find((known) => known === name);
  if (point === undefined || !/^[1-9]\d*$/.test(times)) {
    throw new Error(`REPRISE_FAULT=${text} is not one of ${FAULT_POINTS.join(', ')}, or one of them and :n`);
  }
  return { point, mark, left: Number(times) };
}

export function fault(point: FaultPoint): void {
  if (armed === null || armed.point !== point) return;
  armed.left -= 1;
  if (armed.left > 0) return;
  if (armed.mark !== undefined) writeFileSync(armed.mark, point);
  process.kill(process.pid, 'SIGKILL');
}
