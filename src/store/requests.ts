/** Requests that can be repeated, and the receipts of retry requests. */
import { type Queryable, statement } from './db.js';
import { chunksOf } from './inputs.js';

export interface RequestRow {
  readonly request_key: string;
  readonly operation: string;
  readonly request_id: string | null;
  readonly body_hash: string;
  readonly answer: string;
  readonly remembered: boolean;
  readonly reason: string | null;
}

const insertRequestIfNew = statement<{ request_key: string }>(
  'insert_request_if_new',
  `
  insert into requests (request_key, caller, operation, request_id, body_hash, reason)
  values ($1::text, $2::text, $3::text, $4::text, $5::text, $6::text)
  on conflict on constraint requests_once do nothing
  returning request_key`,
);

const deleteUnrememberedRequest = statement(
  'delete_unremembered_request',
  `
  delete from requests
  where caller = $1::text and operation = $2::text and request_id = $3::text and not remembered`,
);

const forgetRequest = statement(
  'forget_request',
  `
  update requests
  set remembered = false
  where request_key = $1::text`,
);

/** Nothing came of it: its receipts stay readable until the same request is asked again. */
export async function forgetAnswer(tx: Queryable, requestKey: string): Promise<void> {
  await tx.query(forgetRequest, [requestKey]);
}

/** False when the same caller used this request id for this operation before; a concurrent first one is waited for. */
export async function claimRequest(
  tx: Queryable,
  r: {
    requestKey: string;
    caller: string;
    operation: string;
    requestId: string | null;
    bodyHash: string;
    reason: string | null;
  },
): Promise<boolean> {
  if (r.requestId !== null) await tx.query(deleteUnrememberedRequest, [r.caller, r.operation, r.requestId]);
  const params = [r.requestKey, r.caller, r.operation, r.requestId, r.bodyHash, r.reason];
  return (await tx.query(insertRequestIfNew, params)).length > 0;
}

const selectRequest = statement<RequestRow>(
  'select_request',
  `
  select request_key, operation, request_id, body_hash, answer, remembered, reason
  from requests
  where caller = $1::text and operation = $2::text and request_id = $3::text`,
);

export async function findRequest(
  db: Queryable,
  caller: string,
  operation: string,
  requestId: string,
): Promise<RequestRow | undefined> {
  return (await db.query(selectRequest, [caller, operation, requestId]))[0];
}

const selectRequestOfReceipts = statement<RequestRow & { caller: string }>(
  'select_request_of_receipts',
  `
  select request_key, caller, operation, request_id, body_hash, answer, remembered, reason
  from requests
  where (request_key = $2::text or request_id = $2::text)
    and ($1::text is null or caller = $1)
    and exists (select from receipts r where r.request_key = requests.request_key)
  order by created_at desc
  limit 1`,
);

/** By the client's request id or the key that the answer named. A caller of null looks at everyone's. */
export async function findRetryRequest(
  db: Queryable,
  caller: string | null,
  requestId: string,
): Promise<RequestRow | undefined> {
  return (await db.query(selectRequestOfReceipts, [caller, requestId]))[0];
}

const updateAnswer = statement(
  'update_request_answer',
  `
  update requests
  set answer = $2::text
  where request_key = $1::text`,
);

export async function keepAnswer(tx: Queryable, requestKey: string, answer: string): Promise<void> {
  await tx.query(updateAnswer, [requestKey, answer]);
}

export interface ReceiptRow {
  readonly item: number;
  readonly requested_id: string;
  readonly root_id: string | null;
  readonly retry_id: string | null;
  readonly retry_number: number | null;
  readonly refusal_code: string | null;
  readonly sentence: string | null;
  readonly blocking_id: string | null;
}

const insertReceipts = statement(
  'insert_receipts',
  `
  insert into receipts (
    request_key, item, requested_id, root_id, retry_id, retry_number, refusal_code, sentence, blocking_id
  )
  select $2::text, item, requested_id, root_id, retry_id, retry_number, refusal_code, sentence, blocking_id
  from json_to_recordset($1::json) as t (
    item integer, requested_id text, root_id text, retry_id text, retry_number integer, refusal_code text,
    sentence text, blocking_id text
  )`,
);

export async function keepReceipts(tx: Queryable, requestKey: string, rows: readonly ReceiptRow[]): Promise<void> {
  for (const chunk of chunksOf(rows)) await tx.query(insertReceipts, [JSON.stringify(chunk), requestKey]);
}

const selectReceipts = statement<ReceiptRow>(
  'select_receipts',
  `
  select item, requested_id, root_id, retry_id, retry_number, refusal_code, sentence, blocking_id
  from receipts
  where request_key = $1::text
  order by item`,
);

export function findReceipts(db: Queryable, requestKey: string): Promise<ReceiptRow[]> {
  return db.query(selectReceipts, [requestKey]);
}
