/** start_job, finish_job, update_job_status, cancel_job, abandon_children. */
import { type ErrorCode, RepriseError } from '../../contract/errors.js';
import type { RawJson } from '../../contract/raw-json.js';
import { STATUSES, TERMINATED_CODES } from '../../contract/status.js';
import type { Actor } from '../../engine/engine.js';
import type { ApiDeps } from '../deps.js';
import { idOf, integerOf, type P, shown, truthy } from './params.js';

export async function startOne(deps: ApiDeps, actor: Actor, params: P): Promise<null> {
  const skip = params.skip_estimation;
  await deps.engine.start(actor, idOf(params), skip === undefined ? true : truthy(skip));
  return null;
}

export async function finishOne(deps: ApiDeps, actor: Actor, params: P): Promise<null> {
  const jobId = idOf(params);
  await deps.engine.finish(actor, jobId, {
    errorMessage: messageOf(params.error_message),
    errorCode: integerOf(params, 'error_code') ?? null,
    error: givenOf(params, 'error'),
    output: givenOf(params, 'job_output'),
  });
  return null;
}

/** Whatever a worker calls its failure, the failure counts: a job whose end is refused for its form would run for ever. */
function messageOf(value: unknown): string | null {
  return truthy(value) ? shown(value) : null;
}

/** null is the same as absent. */
function givenOf(params: P, member: string): RawJson | null {
  const value = params[member] as RawJson | undefined;
  return value === undefined || value.isNull ? null : value;
}

export async function updateStatus(deps: ApiDeps, actor: Actor, params: P): Promise<string> {
  if (!truthy(params.job_id) || !truthy(params.status)) {
    throw new RepriseError('INVALID_INPUT', 'Please provide both job_id and status');
  }
  const jobId = idOf(params);
  const status = STATUSES.find((one) => one === params.status);
  if (status === undefined) {
    const sentence = `'${shown(params.status)}' is not a valid Status; it is one of ${STATUSES.join(', ')}`;
    throw new RepriseError('INVALID_INPUT', sentence);
  }
  await deps.engine.forceStatus(actor, jobId, status);
  return jobId;
}

export async function abandonChildren(deps: ApiDeps, actor: Actor, params: P) {
  const { batch_id: batchId, child_job_ids: children } = params;
  if (!truthy(batchId)) throw new RepriseError('INVALID_INPUT', 'Please provide valid batch_id');
  if (!Array.isArray(children) || children.length === 0) {
    throw new RepriseError('INVALID_INPUT', 'Please provide job_ids of children to abandon');
  }
  const left = await deps.engine.abandon(actor, shown(batchId), children.map(shown));
  return { batch_id: shown(batchId), child_job_ids: [...left] };
}

/** Silent for a job that has ended: the exit path of job runners relies on it. */
export async function cancelOne(deps: ApiDeps, actor: Actor, params: P): Promise<null> {
  const code = integerOf(params, 'terminated_code') ?? TERMINATED_CODES.user;
  const { items } = await deps.engine.cancel(actor, [idOf(params)], code);
  const error = items[0]?.error ?? null;
  if (error !== null) throw new RepriseError(error.code as ErrorCode, error.message);
  return null;
}
