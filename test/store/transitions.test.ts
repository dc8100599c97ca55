/** The guards in the statements are the state machine of the contract: every pair of statuses is tried. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { STATUSES, type Status, TRANSITIONS } from '../../src/contract/status.js';
import { type Db, type Queryable, statement } from '../../src/store/db.js';
import { markQueued } from '../../src/store/dispatches.js';
import { finishJobs, requeueJobs, startJobs, terminateJobs } from '../../src/store/lifecycle.js';
import { openTestDb } from '../support/databases.js';
import { alice, idsOf, openEngine, submitJobs } from '../support/engine.js';

let db: Db;
beforeAll(async () => {
  db = await openTestDb();
});
afterAll(() => db.close());

const forceStatus = statement(
  'test_force_status',
  `
  update jobs
  set status = $2::text, finished_at = case when $2::text in ('completed', 'error', 'terminated') then now() end
  where job_id = $1::text`,
);
const readStatus = statement<{ status: Status }>('test_read_status', 'select status from jobs where job_id = $1::text');

const finish = {
  error_code: null,
  failure_class: null,
  errormsg: null,
  error: null,
  exit_code: null,
  exit_signal: null,
  job_output: null,
  actor: null,
};

/** Each way to change a status, with the status it leads to. */
const MOVES: Record<string, (tx: Queryable, jobId: string, dispatchId: string) => Promise<unknown>> = {
  created: (tx, id) => requeueJobs(tx, [id], { started: true }),
  queued: (tx, _, dispatch) => markQueued(tx, [{ dispatch_id: dispatch, scheduler_id: 's' }]),
  estimating: (tx, id) => startJobs(tx, [{ job_id: id, host: null, estimating: true, actor: null }]),
  running: (tx, id) => startJobs(tx, [{ job_id: id, host: null, estimating: false, actor: null }]),
  completed: (tx, id) => finishJobs(tx, [{ job_id: id, status: 'completed', ...finish }]),
  error: (tx, id) => finishJobs(tx, [{ job_id: id, status: 'error', ...finish }]),
  terminated: (tx, id) => terminateJobs(tx, [id], 0, 'user', null),
};

it.each(STATUSES.flatMap((from) => STATUSES.filter((to) => to !== from).map((to) => [from, to] as const)))(
  'from %s to %s exactly as the state machine says',
  async (from, to) => {
    const h = openEngine(db);
    const [id] = idsOf(await submitJobs(h, 1, { actor: alice }));
    await h.dispatcher.runOnce();
    const dispatchId = [...h.scheduler.given.values()].find((s) => s.jobId === id)!.dispatchId;
    await db.query(forceStatus, [id!, from]);
    await db.transaction((tx) => MOVES[to]!(tx, id!, dispatchId));
    // a start of an estimating job runs it, whatever was asked
    const meant = from === 'estimating' && to === 'estimating' ? 'running' : to;
    const [row] = await db.query(readStatus, [id!]);
    expect(row!.status).toBe(TRANSITIONS[from].includes(to) ? meant : from);
  },
);
