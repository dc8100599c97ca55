/** Start and finish as EE2's workers call them, one job a call. Our runners report many at once: worker-reports.ts. */
import { RepriseError } from '../contract/errors.js';
import { RawJson } from '../contract/raw-json.js';
import { ERROR_CODES, type FailureClass, isTerminal, type Status } from '../contract/status.js';
import { toStorable } from '../contract/storable.js';
import { fault } from '../faults.js';
import type { Queryable } from '../store/db.js';
import {
  closeDispatches,
  findOpenDispatchesOfJobs,
  lockDispatches,
  type OpenDispatchOfJobRow,
} from '../store/dispatches.js';
import { findJobAccess, type JobAccessRow } from '../store/jobs.js';
import { type Finish, finishJobs, forceStatus as forceStatusOf, startJobs } from '../store/lifecycle.js';
import { cancelAtSchedulers, cancelDispatchesOf } from './cancel.js';
import type { Context } from './context.js';
import type { Actor, FinishByCall } from './engine.js';
import { workerPulseOf } from './pulse.js';
import { findOneJob } from './subjects.js';
import { reportOfDispatch } from './worker-reports.js';

export async function start(ctx: Context, actor: Actor, jobId: string, skipEstimation: boolean): Promise<void> {
  const job = await workerPulseOf(ctx, actor, 'write', jobId, 'started');
  if (actor.dispatchId !== undefined) return startOfDispatch(ctx, actor.dispatchId);
  const superseded = await ctx.db.transaction(async (tx) => {
    const started = await startJobs(tx, [
      { job_id: jobId, host: null, estimating: !skipEstimation, actor: actor.user },
    ]);
    return started.has(jobId) ? closeOwnDispatches(tx, jobId) : null;
  });
  if (superseded === null) throw notStartable(jobId, await statusNow(ctx, job));
  ctx.wake('events');
  await cancelAtSchedulers(ctx, superseded);
}

async function startOfDispatch(ctx: Context, dispatchId: string): Promise<void> {
  const answer = await reportOfDispatch(ctx, dispatchId, { start: { host: 'external' } });
  if (!answer.ok) throw new RepriseError('CONFLICT', answer.error?.message ?? 'the job can not be started');
}

/** Somebody else runs the job now. Killed before the scheduler is told, our runner's own start is refused. */
async function closeOwnDispatches(tx: Queryable, jobId: string): Promise<OpenDispatchOfJobRow[]> {
  const own = (await findOpenDispatchesOfJobs(tx, [jobId])).filter((row) => row.own_runner);
  await closeDispatches(
    tx,
    own.map((row) => ({ dispatch_id: row.dispatch_id, close_reason: 'superseded' })),
  );
  return own;
}

function notStartable(jobId: string, status: Status): RepriseError {
  return new RepriseError(
    'CONFLICT',
    `Unexpected job status for ${jobId}: ${status}.  You cannot start a job that is not in ['created', 'queued', 'estimating']`,
  );
}

async function statusNow(ctx: Context, job: JobAccessRow): Promise<Status> {
  const [now] = await findJobAccess(ctx.db, [job.job_id]);
  return now?.status ?? job.status;
}

/** From any status that is not final to any other. What ran for a job that has ended by it has no purpose any more. */
export async function forceStatus(ctx: Context, actor: Actor, jobId: string, status: Status): Promise<void> {
  const job = await findOneJob(ctx, actor, 'write', jobId, 'given a status');
  const previous = await ctx.db.transaction((tx) => forceStatusOf(tx, jobId, status, actor.user));
  if (previous === undefined) {
    const final = await statusNow(ctx, job);
    if (final === status) return;
    throw new RepriseError('CONFLICT', `Cannot change the status of job ${jobId}: ${final} is final`);
  }
  if (isTerminal(status)) await cancelDispatchesOf(ctx, [jobId]);
  if (status === 'created') ctx.wake('dispatch');
  ctx.wake('events');
}

/** The first end wins; a second one is refused. An end that is itself faulty ends the job as an error AND is refused. */
export async function finish(ctx: Context, actor: Actor, jobId: string, how: FinishByCall): Promise<void> {
  const job = await workerPulseOf(ctx, actor, 'write', jobId, 'finished');
  const outcome = actor.dispatchId === undefined ? outcomeOfCall(how) : outcomeOfDispatch(how);
  const write = { job_id: jobId, exit_code: null, exit_signal: null, actor: actor.user || null, ...outcome.end };
  const finished = await ctx.db.transaction(async (tx) => {
    if (actor.dispatchId !== undefined) await requireOpenDispatch(tx, actor.dispatchId, jobId);
    return finishJobs(tx, [write]);
  });
  fault('finish.recorded');
  if (!finished.has(jobId)) {
    throw new RepriseError('CONFLICT', `Cannot finish job with a status of ${await statusNow(ctx, job)}`);
  }
  ctx.wake('events');
  // Somebody else said how the job ended: what we started for it has no purpose any more. Killed here, the reconciler
  // finds an ended job with a live dispatch and does the same.
  if (actor.dispatchId === undefined) await cancelDispatchesOf(ctx, [jobId]);
  if (outcome.refusal !== null) throw new RepriseError('INVALID_INPUT', outcome.refusal);
}

/** A worker that was given up for dead can change nothing. */
async function requireOpenDispatch(tx: Queryable, dispatchId: string, jobId: string): Promise<void> {
  const [row] = await lockDispatches(tx, [dispatchId]);
  if (row !== undefined && row.closed_at === null) return;
  throw new RepriseError('CONFLICT', `this dispatch of job ${jobId} was given up; it changes nothing`);
}

type End = Pick<Finish, 'status' | 'error_code' | 'failure_class' | 'errormsg' | 'error' | 'job_output'>;
interface Outcome {
  readonly end: End;
  /** Why the call fails although the job has ended by it. */
  readonly refusal: string | null;
}

const MISSING_OUTPUT = 'Missing job output required in order to successfully finish job. Something went wrong';

function outcomeOfCall(how: FinishByCall): Outcome {
  const early = outcomeWithoutOutput(how);
  if (early !== null) return early;
  const output = how.output as RawJson;
  const reason = outputFault(output.parse());
  if (reason === null) return completed(output);
  const error = errorObject(-1, 'Output object is invalid', reason);
  const end = failed(ERROR_CODES.output, 'Something was wrong with the output object', error);
  return { end, refusal: `Something was wrong with the output object: ${reason}` };
}

/** Our runner may deliver any JSON but null. */
function outcomeOfDispatch(how: FinishByCall): Outcome {
  return outcomeWithoutOutput(how) ?? completed(how.output as RawJson);
}

function outcomeWithoutOutput({ errorMessage, errorCode, error, output }: FinishByCall): Outcome | null {
  if (errorMessage) return { end: failed(errorCode ?? ERROR_CODES.crashed, errorMessage, error), refusal: null };
  if (output !== null && !output.isNull) return null;
  const code = errorCode ?? ERROR_CODES.output;
  const told = error ?? errorObject(code, MISSING_OUTPUT, MISSING_OUTPUT);
  return { end: failed(code, MISSING_OUTPUT, told), refusal: null };
}

function completed(output: RawJson): Outcome {
  const end: End = {
    status: 'completed',
    error_code: null,
    failure_class: null,
    errormsg: null,
    error: null,
    job_output: output.text,
  };
  return { end, refusal: null };
}

const CLASS_OF_CODE: Readonly<Record<number, FailureClass>> = {
  [ERROR_CODES.unknown]: 'app',
  [ERROR_CODES.crashed]: 'app',
  [ERROR_CODES.platform]: 'platform',
  [ERROR_CODES.time]: 'time',
  [ERROR_CODES.output]: 'output',
  [ERROR_CODES.token]: 'user',
  [ERROR_CODES.submission]: 'submission',
};

function failed(code: number, message: string, error: RawJson | null): End {
  const failureClass = CLASS_OF_CODE[code];
  if (failureClass === undefined) {
    throw new RepriseError('INVALID_INPUT', `error_code ${code} is not one of 0, 1, 2, 3, 4, 5, 6`);
  }
  return {
    status: 'error',
    error_code: code,
    failure_class: failureClass,
    errormsg: toStorable(message),
    error: error === null || error.isNull ? null : error.text,
    job_output: null,
  };
}

function errorObject(code: number, name: string, message: string): RawJson {
  return new RawJson(JSON.stringify({ code, name, message, error: message }));
}

/** EE2's shape of an output: `{}`, or version and result, and an id if it is one. */
function outputFault(output: unknown): string | null {
  if (output === null || typeof output !== 'object' || Array.isArray(output)) return 'it is not an object';
  if (Object.keys(output).length === 0) return null;
  const { version, result, id } = output as Record<string, unknown>;
  if (typeof version !== 'string') return "its member 'version' must be a string";
  if (result === undefined || result === null) return "its member 'result' is missing";
  if (id !== undefined && id !== null && !(typeof id === 'string' && /^[0-9a-f]{24}$/i.test(id))) {
    return "its member 'id' must be a job id";
  }
  return null;
}
