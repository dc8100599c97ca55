/** `reprise retry`: new jobs from failed ones, by id or by batch, with a receipt for each. */
import { type Command, Option } from 'commander';
import type { BatchView, Receipt, RetryResult } from '../contract/schemas.js';
import { RETRYABLE_STATUSES, type Status } from '../contract/status.js';
import { batchItems, failedItems, failedJob, failuresText } from './failures.js';
import { idParts, idsFrom } from './ids.js';
import { asAdmin, asking, type Common, dryRun, newRequestId, requestId, states, wait } from './options.js';
import { EXIT, exitWith, print, printJson, say, UsageError } from './output.js';
import { reportJobs } from './refusals.js';
import { tellEnd } from './run.js';
import { connect, type Session } from './session.js';
import { counted, spoken, tally, thousands } from './text.js';
import { waitForBatch, waitForJobs } from './waiting.js';

interface RetryOptions extends Common {
  readonly batch?: string;
  readonly failed?: true;
  readonly state?: readonly Status[];
  readonly reason?: string;
  readonly dryRun?: true;
  readonly requestId?: string;
  readonly wait?: true;
  readonly asAdmin?: true;
}

const EXAMPLES = `
A retry is a new job with the inputs, the commit and the requirements of the one
that failed, in the same batch. Any id of a lineage will do: its newest job is
retried. The ids of the new jobs are printed; what is refused is told with a
code, and the exit code is 3.

Examples:
  reprise retry 6924c1f0a1b2c3d4e5000001 --reason "the mirror is back" --wait
  reprise retry --batch 6924c1f0a1b2c3d4e5000000 --failed
  reprise retry --batch 6924c1f0a1b2c3d4e5000000 --state failed,cancelled
  reprise list --app phix --state failed -q | reprise retry - --dry-run`;

export function addRetry(program: Command): void {
  asking(program.command('retry'))
    .description('retry failed or cancelled jobs; prints the ids of the new jobs')
    .argument('[job...]', 'ids, or - for those on standard input')
    .addOption(new Option('--batch <batch>', 'all items of a batch whose newest job is in the given states'))
    .addOption(new Option('--failed', 'with --batch: those that failed; so it is unless told').conflicts('state'))
    .addOption(new Option('--state <states>', 'with --batch: e.g. failed,cancelled').argParser(states))
    .addOption(new Option('--reason <text>', 'why; kept with the books'))
    .addOption(dryRun())
    .addOption(requestId())
    .addOption(wait())
    .addOption(asAdmin())
    .addHelpText('after', EXAMPLES)
    .action(retry);
}

async function retry(args: string[], o: RetryOptions): Promise<void> {
  checkUsage(args, o);
  const ids = await idsFrom(args);
  if (o.batch === undefined && ids.length === 0) return say('no ids on standard input: nothing to retry');
  const session = connect(o);
  const result = await ask(session, ids, o);
  if (o.json) printJson(result);
  tell(result);
  if (!o.json) printRetries(result);
  say(await summaryOf(session, result, o));
  if (o.wait && !result.dry_run && result.accepted > 0) await waitForRetries(session, result.receipts, o);
}

function checkUsage(args: readonly string[], o: RetryOptions): void {
  if (o.batch !== undefined && args.length > 0) throw new UsageError('give either job ids or --batch, not both');
  if (o.batch === undefined && args.length === 0)
    throw new UsageError('give the ids of jobs, or --batch <batch>; see: reprise retry --help');
  if (o.batch === undefined && (o.failed || o.state))
    throw new UsageError('--failed and --state choose items of a batch; give --batch too');
}

async function ask(session: Session, ids: readonly string[], o: RetryOptions): Promise<RetryResult> {
  const id = o.requestId ?? newRequestId();
  const options = {
    ...(o.reason !== undefined && { reason: o.reason }),
    ...(o.dryRun && { dry_run: true }),
    ...(o.asAdmin && { as_admin: true }),
  };
  if (o.batch !== undefined) {
    const chosen = { batch_id: o.batch, ...(o.state !== undefined && { states: [...o.state] }) };
    return session.repeatably('retryBatch', { ...chosen, ...options }, { id, part: 1 });
  }
  const results: RetryResult[] = [];
  for (const [index, part] of idParts(ids).entries()) {
    const request = { id, part: index + 1 };
    results.push(await session.repeatably('retryJobs', { job_ids: part, ...options }, request));
  }
  return joined(results as [RetryResult, ...RetryResult[]]);
}

/** Several calls as one answer; indices count through. */
function joined(results: readonly [RetryResult, ...RetryResult[]]): RetryResult {
  const receipts = results.flatMap((result) => result.receipts).map((receipt, index) => ({ ...receipt, index }));
  const accepted = receipts.filter((receipt) => receipt.accepted).length;
  return { ...results[0], accepted, refused: receipts.length - accepted, receipts };
}

function tell(result: RetryResult): void {
  reportJobs(
    result.receipts
      .filter(({ accepted }) => !accepted)
      .map(({ requested_id: subject, message, code, blocking_id: blockingId }) => ({
        subject,
        sentence: message ?? '',
        code: code ?? '',
        blockingId,
      })),
  );
}

function printRetries({ receipts }: RetryResult): void {
  for (const { accepted, retry_id, requested_id } of receipts) if (accepted) print(retry_id ?? requested_id);
}

async function summaryOf(session: Session, result: RetryResult, o: RetryOptions): Promise<string> {
  if (result.receipts.length === 0 && o.batch !== undefined) {
    const batch = await session.call('getBatch', { batch_id: o.batch, ...(o.asAdmin && { as_admin: true }) });
    return nothingText(batch, o.state ?? ['error']);
  }
  const refusals = result.refused > 0 ? `, ${thousands(result.refused)} refused` : '';
  if (result.dry_run) return `would retry ${counted(result.accepted, 'job')}${refusals}; nothing was recorded`;
  return `${counted(result.accepted, 'job')} retried${refusals}; receipts: reprise receipts ${result.request_id}`;
}

/** What a batch has instead of items to retry, and how to retry those that could be. */
export function nothingText({ batch_id, counts }: BatchView, wanted: readonly Status[]): string {
  const others = RETRYABLE_STATUSES.filter((status) => counts[status] > 0 && !wanted.includes(status));
  const hints = others.map((status) => `; --state ${spoken(status)} retries the ${spoken(status)} ones`);
  const sought = wanted.map(spoken).join(' or ');
  return `no item of batch ${batch_id} is ${sought} (${tally(counts)}): nothing to retry${hints.join('')}`;
}

export function byCode(receipts: readonly Receipt[]): string {
  const counts = new Map<string, number>();
  for (const { code } of receipts) counts.set(code ?? '', (counts.get(code ?? '') ?? 0) + 1);
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([code, count]) => `${thousands(count)} ${code}`)
    .join(', ');
}

async function waitForRetries(session: Session, receipts: readonly Receipt[], o: RetryOptions): Promise<void> {
  const ids = receipts.flatMap(({ retry_id }) => retry_id ?? []);
  if (o.batch !== undefined) return waitForRetriesOfBatch(session, o.batch, receipts, o);
  const jobs = await waitForJobs(session, ids, o.asAdmin);
  if (jobs.length === 1 || o.json) return jobs.forEach((job) => void tellEnd(job, o));
  const failed = jobs.filter(({ status }) => status !== 'completed');
  say(`${jobs.length - failed.length} of ${counted(jobs.length, 'retry', 'retries')} completed`);
  if (failed.length === 0) return;
  exitWith(EXIT.refused);
  say(failuresText(failed.map(failedJob), process.stderr.columns ?? 80));
}

/** The batch is waited for as a whole: it is told what became of the lineages retried here. */
async function waitForRetriesOfBatch(
  session: Session,
  batchId: string,
  receipts: readonly Receipt[],
  o: RetryOptions,
): Promise<void> {
  const batch = await waitForBatch(session, batchId, o.asAdmin);
  if (o.json) printJson(batch);
  const roots = new Set(receipts.flatMap(({ accepted, root_id }) => (accepted && root_id !== null ? root_id : [])));
  const failed = (await failedItems(session, batchId, o.asAdmin)).filter(({ root_id }) => roots.has(root_id));
  const cancelled = await batchItems(session, batchId, { states: ['terminated'], asAdmin: o.asAdmin });
  const bad = failed.length + cancelled.filter(({ root_id }) => roots.has(root_id)).length;
  const retries = counted(roots.size, 'retry', 'retries');
  say(`${thousands(roots.size - bad)} of ${retries} completed; the batch is ${batch.state}`);
  if (bad > 0) exitWith(EXIT.refused);
  if (failed.length > 0) say(failuresText(failed, process.stderr.columns ?? 80));
}
