/** A job that its scheduler holds will never run: it is ended, and its user is told what to do. */
import { RepriseError } from '../contract/errors.js';
import { ERROR_CODES } from '../contract/status.js';
import { findJobBySchedulerId, findJobs } from '../store/jobs.js';
import { type Finish, finishJobs } from '../store/lifecycle.js';
import { appendLogs } from '../store/logs.js';
import { usesAdmin } from './authorize.js';
import { cancelDispatchesOf } from './cancel.js';
import type { Context } from './context.js';
import type { Actor, JobRecord } from './engine.js';
import { jobRecord } from './present.js';

const HELD = 'Job was held';

/** One that has ended is left as it is. */
export async function endHeldJob(ctx: Context, actor: Actor, schedulerId: string): Promise<JobRecord> {
  usesAdmin({ ...actor, asAdmin: true }, 'write');
  const jobId = await findJobBySchedulerId(ctx.db, schedulerId);
  if (jobId === undefined) throw new RepriseError('NOT_FOUND', `Cluster id of ${schedulerId}`);
  const end = heldEnd(jobId, actor.user);
  const line = { line: end.message, is_error: true, ts: Date.now() };
  const ended = await ctx.db.transaction(async (tx) => {
    const won = (await finishJobs(tx, [end.finish])).has(jobId);
    if (won) await appendLogs(tx, [{ jobId, lines: [line] }]);
    return won;
  });
  if (ended) {
    ctx.wake('events');
    await cancelDispatchesOf(ctx, [jobId]);
  }
  return jobRecord((await findJobs(ctx.db, [jobId]))[0]!);
}

function heldEnd(jobId: string, actor: string): { finish: Finish; message: string } {
  const code = ERROR_CODES.platform;
  const message = `Job ${jobId} was held by its scheduler and has been ended, mostly because it ran out of memory, disk or time. Please resubmit it; if it is held again, ask the operators.`;
  const finish: Finish = {
    job_id: jobId,
    status: 'error',
    error_code: code,
    failure_class: 'platform',
    errormsg: HELD,
    error: JSON.stringify({ name: HELD, code, message, error: message }),
    exit_code: null,
    exit_signal: null,
    job_output: null,
    actor,
  };
  return { finish, message };
}
