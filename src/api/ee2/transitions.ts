/** start_job, finish_job, cancel_job. */
import { type ErrorCode, RepriseError } from '../../contract/errors.js';
import type { RawJson } from '../../contract/raw-json.js';
import { TERMINATED_CODES } from '../../contract/status.js';
import type { Actor } from '../../engine/engine.js';
import type { ApiDeps } from '../deps.js';
import { idOf, integerOf, type P, textOf, truthy } from './params.js';

export async function startOne(deps: ApiDeps, actor: Actor, params: P): Promise<null> {
  const skip = params.skip_estimation;
  await deps.engine.start(actor, idOf(params), skip === undefined ? true : truthy(skip));
  return null;
}

export async function finishOne(deps: ApiDeps, actor: Actor, params: P): Promise<null> {
  const jobId = idOf(params);
  await deps.engine.finish(actor, jobId, {
    errorMessage: textOf(params, 'error_message') || null,
    errorCode: integerOf(params, 'error_code') ?? null,
    error: givenOf(params, 'error'),
    output: givenOf(params, 'job_output'),
  });
  return null;
}

/** null is the same as absent. */
function givenOf(params: P, member: string): RawJson | null {
  const value = params[member] as RawJson | undefined;
  return value === undefined || value.isNull ? null : value;
}

/** Silent for a job that has ended: the exit path of job runners relies on it. */
export async function cancelOne(deps: ApiDeps, actor: Actor, params: P): Promise<null> {
  const code = integerOf(params, 'terminated_code') ?? TERMINATED_CODES.user;
  const { items } = await deps.engine.cancel(actor, [idOf(params)], code);
  const error = items[0]?.error ?? null;
  if (error !== null) throw new RepriseError(error.code as ErrorCode, error.message);
  return null;
}
