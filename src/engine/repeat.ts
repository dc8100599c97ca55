/** Same request id and same body: the first answer again. Same id and another body: a conflict. */
import { createHash } from 'node:crypto';
import { RepriseError } from '../contract/errors.js';
import type { Queryable } from '../store/db.js';
import { claimRequest, findRequest, type RequestRow } from '../store/requests.js';
import type { Context } from './context.js';
import type { Actor, Repeatable } from './engine.js';

export type Claim =
  | { readonly kind: 'first'; readonly requestKey: string }
  | { readonly kind: 'repeat'; readonly request: RequestRow };

/** The first statement of the transaction: a concurrent duplicate waits here until the first has committed. */
export async function claimOnce(
  ctx: Context,
  tx: Queryable,
  actor: Actor,
  repeat: Repeatable,
  reason: string | null,
): Promise<Claim> {
  const requestKey = ctx.ids.next();
  const requestId = repeat.requestId ?? null;
  const bodyHash = hashOf(repeat);
  const { operation } = repeat;
  const first = await claimRequest(tx, { requestKey, caller: actor.user, operation, requestId, bodyHash, reason });
  if (first) return { kind: 'first', requestKey };
  const request = await findRequest(tx, actor.user, operation, requestId as string);
  if (request === undefined) throw new RepriseError('UNAVAILABLE', 'the request is being forgotten; send it again');
  refuseOtherBody(request, bodyHash);
  return { kind: 'repeat', request };
}

/** Before any verdict: what was answered once is answered again, even if today's verdict would be another. */
export async function findRepeated(ctx: Context, actor: Actor, repeat: Repeatable): Promise<RequestRow | undefined> {
  if (repeat.requestId === undefined) return undefined;
  const request = await findRequest(ctx.db, actor.user, repeat.operation, repeat.requestId);
  if (request === undefined || !request.remembered) return undefined;
  refuseOtherBody(request, hashOf(repeat));
  return request;
}

function hashOf(repeat: Repeatable): string {
  return createHash('sha256').update(repeat.body).digest('hex');
}

function refuseOtherBody(request: RequestRow, bodyHash: string): void {
  if (request.body_hash === bodyHash) return;
  throw new RepriseError(
    'REQUEST_ID_REUSED',
    `request id '${request.request_id}' was used before with another body; use a new id for a new request`,
  );
}
