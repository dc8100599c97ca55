/**
 * Retry: authorize → preflight → record → wake, for one id or ten thousand. A retry enters the pipeline with what its
 * predecessor recorded: inputs, commit and requirements are copied row to row (store/lineages.ts).
 *
 * Everything that needs other services is looked up first; then one transaction judges, links, adds and writes the
 * receipts. Killed before its commit, nothing happened; killed after it, the receipts are there to be read again.
 */
import { isJobId } from '../contract/ids.js';
import type { Receipt, RetryResult } from '../contract/schemas.js';
import { fault } from '../faults.js';
import { findBatches, findHeads, noteBatchRetried } from '../store/batches.js';
import type { Queryable } from '../store/db.js';
import { findRetryFacts, type LinkedRetry, linkRetries, type RetryFactsRow } from '../store/lineages.js';
import { forgetAnswer, keepReceipts } from '../store/requests.js';
import { requireOnJob, usesAdmin } from './authorize.js';
import type { Context } from './context.js';
import type { Actor, RetryOptions } from './engine.js';
import { keepTokens } from './other-runner.js';
import { readReceipts, retryResult, toReceiptRow } from './receipts.js';
import { claimOnce, findRepeated } from './repeat.js';
import { type Checks, checkRetries } from './retry-checks.js';
import { noSuchBatch } from './submit.js';
import { judge, type Refusal, wouldBeInFlight } from './verdict.js';

/** One id of the request on its way to its receipt. */
interface Item {
  readonly index: number;
  readonly id: string;
  readonly receipt: Receipt | null;
}

export async function retry(ctx: Context, actor: Actor, options: RetryOptions): Promise<RetryResult> {
  usesAdmin(actor, 'write');
  const repeated = options.dryRun ? undefined : await findRepeated(ctx, actor, options.repeat);
  if (repeated !== undefined) return readReceipts(ctx.db, repeated);
  const ids = await askedIds(ctx, actor, options);
  const checks = await checkRetries(ctx, actor, ids);
  if (options.dryRun) return planRetries(ctx, options, ids, checks);
  const result = await recordRetries(ctx, actor, options, ids, checks);
  fault('retry.recorded');
  if (result.accepted > 0) ctx.wake('dispatch');
  ctx.wake('events');
  return result;
}

async function askedIds(ctx: Context, actor: Actor, { what }: RetryOptions): Promise<readonly string[]> {
  if ('ids' in what) return what.ids;
  const [batch] = isJobId(what.batchId) ? await findBatches(ctx.db, [what.batchId]) : [];
  if (batch === undefined) throw noSuchBatch(what.batchId);
  await requireOnJob(ctx, actor, 'write', batch.batch_id, batch);
  return findHeads(ctx.db, batch.batch_id, what.states);
}

async function planRetries(ctx: Context, options: RetryOptions, ids: readonly string[], checks: Checks) {
  const facts = byId(await findRetryFacts(ctx.db, ids.filter(isJobId)));
  const planned = new Map<string, string>();
  const receipts = ids.map((id, index) => {
    const known = facts.get(id);
    const refusal = refusalOf(checks, id, index, known);
    if (refusal !== null || known === undefined) return refused(index, id, refusal, known);
    const first = planned.get(known.root_id);
    if (first !== undefined) return refused(index, id, wouldBeInFlight(id, first), known);
    planned.set(known.root_id, id);
    return accepted(index, id, known.root_id, null, known.head_number + 1);
  });
  return retryResult({ requestId: options.repeat.requestId ?? null, dryRun: true, reason: options.reason, receipts });
}

async function recordRetries(
  ctx: Context,
  actor: Actor,
  options: RetryOptions,
  ids: readonly string[],
  checks: Checks,
): Promise<RetryResult> {
  return ctx.db.transaction(async (tx) => {
    const claim = await claimOnce(ctx, tx, actor, options.repeat, options.reason);
    if (claim.kind === 'repeat') return readReceipts(tx, claim.request);
    fault('retry.claimed');
    const receipts = await linkAll(ctx, tx, actor, options.reason, ids, checks);
    fault('retry.linked');
    await keepReceipts(tx, claim.requestKey, receipts.map(toReceiptRow));
    fault('retry.receipts');
    const requestId = options.repeat.requestId ?? claim.requestKey;
    const result = retryResult({ requestId, dryRun: false, reason: options.reason, receipts });
    if (result.accepted === 0) await forgetAnswer(tx, claim.requestKey);
    if ('batchId' in options.what) {
      const { accepted: yes, refused: no } = result;
      const payload = { request_id: requestId, accepted: yes, refused: no, reason: options.reason };
      await noteBatchRetried(tx, options.what.batchId, actor.user, payload);
    }
    return result;
  });
}

/** Enough for any honest race: each round some other call linked a retry of ours AND that retry has ended already. */
const MAX_ROUNDS = 20;

/**
 * Judge all, link the acceptable, judge those again who lost a race, until every item has its receipt. An item is
 * linked only once a round per lineage; the second id of a lineage is judged next round and meets the job just made.
 */
async function linkAll(
  ctx: Context,
  tx: Queryable,
  actor: Actor,
  reason: string | null,
  ids: readonly string[],
  checks: Checks,
): Promise<Receipt[]> {
  let items: Item[] = ids.map((id, index) => ({ index, id, receipt: null }));
  for (let round = 0; items.some((item) => item.receipt === null); round += 1) {
    if (round === MAX_ROUNDS) throw new Error(`retries were still losing races after ${MAX_ROUNDS} rounds`);
    items = await linkRound(ctx, tx, actor, reason, items, checks);
  }
  return items.map((item) => item.receipt as Receipt);
}

async function linkRound(
  ctx: Context,
  tx: Queryable,
  actor: Actor,
  reason: string | null,
  items: readonly Item[],
  checks: Checks,
): Promise<Item[]> {
  const open = items.filter((item) => item.receipt === null);
  const facts = byId(await findRetryFacts(tx, [...new Set(open.map((item) => item.id).filter(isJobId))]));
  const firsts = new Map<string, Item>();
  const judged = items.map((item) => {
    if (item.receipt !== null) return item;
    const known = facts.get(item.id);
    const refusal = refusalOf(checks, item.id, item.index, known);
    if (refusal !== null || known === undefined) {
      return { ...item, receipt: refused(item.index, item.id, refusal, known) };
    }
    if (!firsts.has(known.root_id)) firsts.set(known.root_id, item);
    return item;
  });
  const linked = await linkHeads(ctx, tx, actor, reason, [...firsts.values()], facts);
  return judged.map((item) => {
    const mine = firsts.get(facts.get(item.id)?.root_id ?? '') === item ? linked.get(item.id) : undefined;
    if (item.receipt !== null || mine === undefined) return item;
    return { ...item, receipt: accepted(item.index, item.id, mine.root_id, mine.job_id, mine.retry_number) };
  });
}

/** The retries that were made, by the id that asked for them. Locked in order of heads: two bulk calls cannot deadlock. */
async function linkHeads(
  ctx: Context,
  tx: Queryable,
  actor: Actor,
  reason: string | null,
  items: readonly Item[],
  facts: ReadonlyMap<string, RetryFactsRow>,
): Promise<Map<string, LinkedRetry>> {
  const heads = items
    .map((item) => ({ id: item.id, headId: (facts.get(item.id) as RetryFactsRow).head_id }))
    .sort((a, b) => (a.headId < b.headId ? -1 : 1));
  const wanted = heads.map(({ headId }) => ({ head_id: headId, new_id: ctx.ids.next(headId) }));
  // another account pays only if an admin asked for it, now as then
  const linked = await linkRetries(tx, wanted, { owner: actor.user, reason, asAdmin: actor.asAdmin });
  await keepTokens(
    ctx,
    tx,
    actor,
    linked.map((row) => row.job_id),
  );
  const byHead = new Map(linked.map((row) => [row.head_id, row]));
  return new Map(heads.flatMap(({ id, headId }) => (byHead.has(headId) ? [[id, byHead.get(headId)!] as const] : [])));
}

/** Who may not ask is told so before anything about the job; a withdrawn version matters only where a retry could be. */
function refusalOf(checks: Checks, id: string, index: number, known: RetryFactsRow | undefined): Refusal | null {
  const before = checks.before(id, index);
  if (before !== null || known === undefined) return before ?? checks.unknown(id);
  return judge(known) ?? checks.after(id);
}

function refused(index: number, id: string, refusal: Refusal | null, known: RetryFactsRow | undefined): Receipt {
  if (refusal === null) throw new Error(`item ${index} (${id}) has neither facts nor a refusal`);
  return {
    index,
    requested_id: id,
    accepted: false,
    // a caller without rights learns nothing of the lineage
    root_id: refusal.code === 'FORBIDDEN' ? null : (known?.root_id ?? null),
    retry_id: null,
    retry_number: null,
    code: refusal.code,
    message: refusal.sentence,
    blocking_id: refusal.blockingId,
  };
}

function accepted(index: number, id: string, root: string, retryId: string | null, number: number): Receipt {
  return {
    index,
    requested_id: id,
    accepted: true,
    root_id: root,
    retry_id: retryId,
    retry_number: number,
    code: null,
    message: null,
    blocking_id: null,
  };
}

function byId(rows: readonly RetryFactsRow[]): Map<string, RetryFactsRow> {
  return new Map(rows.map((row) => [row.job_id, row]));
}
