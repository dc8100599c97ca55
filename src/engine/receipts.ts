/** Receipts: the durable answer for each item of a retry request, and the way to read them again. */
import { type RefusalCode, RepriseError } from '../contract/errors.js';
import type { Receipt, RetryResult } from '../contract/schemas.js';
import type { Queryable } from '../store/db.js';
import { findReceipts, findRetryRequest, type ReceiptRow, type RequestRow } from '../store/requests.js';
import { usesAdmin } from './authorize.js';
import type { Context } from './context.js';
import type { Actor } from './engine.js';

export async function receipts(ctx: Context, actor: Actor, requestId: string): Promise<RetryResult> {
  const caller = usesAdmin(actor, 'read') ? null : actor.user;
  const request = await findRetryRequest(ctx.db, caller, requestId);
  if (request === undefined) {
    throw new RepriseError(
      'NOT_FOUND',
      `there is no retry request '${requestId}' of yours; requests are kept for 7 days`,
    );
  }
  return readReceipts(ctx.db, request);
}

/** The first answer again, from its receipts. */
export async function readReceipts(db: Queryable, request: RequestRow): Promise<RetryResult> {
  return retryResult({
    requestId: request.request_id ?? request.request_key,
    dryRun: false,
    reason: request.reason,
    receipts: (await findReceipts(db, request.request_key)).map(fromReceiptRow),
  });
}

export function retryResult(r: {
  requestId: string | null;
  dryRun: boolean;
  reason: string | null;
  receipts: Receipt[];
}): RetryResult {
  const accepted = r.receipts.filter((receipt) => receipt.accepted).length;
  return {
    request_id: r.requestId,
    dry_run: r.dryRun,
    reason: r.reason,
    accepted,
    refused: r.receipts.length - accepted,
    receipts: r.receipts,
  };
}

export function toReceiptRow(receipt: Receipt): ReceiptRow {
  return {
    item: receipt.index,
    requested_id: receipt.requested_id,
    root_id: receipt.root_id,
    retry_id: receipt.retry_id,
    retry_number: receipt.retry_number,
    refusal_code: receipt.code as RefusalCode | null,
    sentence: receipt.message,
    blocking_id: receipt.blocking_id,
  };
}

function fromReceiptRow(row: ReceiptRow): Receipt {
  return {
    index: row.item,
    requested_id: row.requested_id,
    accepted: row.refusal_code === null,
    root_id: row.root_id,
    retry_id: row.retry_id,
    retry_number: row.retry_number,
    code: row.refusal_code as RefusalCode | null,
    message: row.sentence,
    blocking_id: row.blocking_id,
  };
}
