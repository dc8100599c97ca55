/** retry_job and retry_jobs: verdicts are the engine's; the shapes, and what refuses a whole call, are EE2's. */
import { type ErrorCode, RepriseError } from '../../contract/errors.js';
import { stringifyKeepingText } from '../../contract/raw-json.js';
import type { Receipt } from '../../contract/schemas.js';
import { usesAdmin } from '../../engine/authorize.js';
import type { Actor } from '../../engine/engine.js';
import type { ApiDeps } from '../deps.js';
import { idOf, type P, pythonList, textOf } from './params.js';

export async function retryOne(deps: ApiDeps, actor: Actor, params: P) {
  const [receipt] = await retry(deps, actor, 'retry_job', [idOf(params)], params);
  if (!receipt!.accepted) throw new RepriseError(receipt!.code as ErrorCode, receipt!.message as string);
  return acceptedPair(receipt!);
}

/** Never fails as a whole for one bad id. `job_id` is the root of what was accepted, and the id as given of what was not. */
export async function retrySeveral(deps: ApiDeps, actor: Actor, params: P) {
  const asked = params.job_ids;
  if (asked === undefined || asked === null || (Array.isArray(asked) && asked.length === 0)) {
    throw new RepriseError('INVALID_INPUT', 'No job_ids provided to retry');
  }
  if (!Array.isArray(asked)) throw new RepriseError('INVALID_INPUT', 'job_ids must be a list of job ids');
  const ids = asked.map((id) => (typeof id === 'string' ? id : JSON.stringify(id)));
  refuseDoubles(ids);
  const denied = powerDenied(actor);
  if (denied !== null) return ids.map((id) => ({ job_id: id, error: denied }));
  const receipts = await retry(deps, actor, 'retry_jobs', ids, params);
  return receipts.map((receipt) =>
    receipt.accepted ? acceptedPair(receipt) : { job_id: receipt.requested_id, error: receipt.message as string },
  );
}

function acceptedPair(receipt: Receipt) {
  return { job_id: receipt.root_id as string, retry_id: receipt.retry_id as string };
}

/** A wish for power without the role is refused item by item here. */
function powerDenied(actor: Actor): string | null {
  try {
    usesAdmin(actor, 'write');
    return null;
  } catch (error) {
    if (error instanceof RepriseError) return error.message;
    throw error;
  }
}

function refuseDoubles(ids: readonly string[]): void {
  const seen = new Set<string>();
  const doubles = new Set(ids.filter((id) => seen.size === seen.add(id).size));
  if (doubles.size === 0) return;
  const sentence = `Retry of the same id in the same request is not supported. Offending ids: ${pythonList([...doubles])} `;
  throw new RepriseError('DUPLICATE_IN_REQUEST', sentence);
}

async function retry(deps: ApiDeps, actor: Actor, operation: string, ids: readonly string[], params: P) {
  const { request_id: _, ...body } = params;
  const requestId = textOf(params, 'request_id');
  const result = await deps.engine.retry(actor, {
    what: { ids },
    reason: textOf(params, 'reason') ?? null,
    dryRun: false,
    repeat: { operation, requestId, body: requestId === undefined ? '' : stringifyKeepingText(body) },
  });
  return result.receipts;
}
