/** What each REST operation does; exhaustive by type. */
import { type ErrorCode, RepriseError } from '../contract/errors.js';
import type { RestName, RestParams, RestResult } from '../contract/operations.js';
import { stringifyKeepingText } from '../contract/raw-json.js';
import type { Receipt, SubmitResult } from '../contract/schemas.js';
import { RETRYABLE_STATUSES } from '../contract/status.js';
import type { Actor, EventFilter, Repeatable, RetryOptions, SubmitTarget } from '../engine/engine.js';
import { summaryOf } from '../engine/present.js';
import type { ApiDeps } from './deps.js';
import { jobDetail, jobOf } from './present-rest.js';
import { SESSION_MS } from './session.js';
import { signInPath } from './ui.js';

type Handler<N extends RestName> = (deps: ApiDeps, actor: Actor, params: RestParams<N>) => Promise<RestResult<N>>;
type SubmitParams = Pick<RestParams<'submitJobs'>, 'jobs' | 'all_or_nothing' | 'dry_run' | 'request_id'>;
type RetryParams = Pick<RestParams<'retryJob'>, 'reason' | 'dry_run' | 'request_id'>;

export const restHandlers: { readonly [N in RestName]: Handler<N> } = {
  submitJobs: (deps, actor, p) => submit(deps, actor, 'submitJobs', p, { kind: 'jobs' }),
  submitBatch: (deps, actor, p) =>
    submit(deps, actor, 'submitBatch', p, {
      kind: 'batch',
      name: p.name ?? null,
      wsid: p.wsid ?? null,
      meta: p.meta ?? {},
    }),
  extendBatch: (deps, actor, p) => submit(deps, actor, 'extendBatch', p, { kind: 'extend', batchId: p.batch_id }),

  retryJob: async (deps, actor, p) => {
    const { receipts } = await retry(deps, actor, 'retryJob', p, { ids: [p.job_id] });
    return acceptedOrRefused(receipts[0] as Receipt);
  },
  retryJobs: (deps, actor, p) => retry(deps, actor, 'retryJobs', p, { ids: p.job_ids }),
  retryBatch: (deps, actor, p) =>
    retry(deps, actor, 'retryBatch', p, { batchId: p.batch_id, states: p.states ?? [RETRYABLE_STATUSES[0]] }),
  getReceipts: (deps, actor, p) => deps.engine.receipts(actor, p.request_id),

  getJob: async (deps, actor, p) => {
    const job = await jobOf(deps.engine, actor, p.job_id);
    const dispatches = await deps.engine.dispatchesOf(job.jobId);
    return jobDetail(job, dispatches);
  },
  listJobs: async (deps, actor, p) => {
    const page = await deps.engine.listJobs(actor, {
      states: p.state ?? null,
      user: p.user ?? null,
      app: p.app ?? null,
      batchId: p.batch_id ?? null,
      wsid: p.wsid ?? null,
      inputKey: p.input_key ?? null,
      latestOnly: p.latest_only ?? true,
      limit: p.limit ?? 100,
      cursor: p.cursor ?? null,
    });
    return { items: page.items, next_cursor: page.nextCursor };
  },
  getLineage: async (deps, actor, p) => {
    const jobs = await deps.engine.lineage(actor, p.job_id);
    const head = jobs.at(-1)!;
    return { root_id: head.rootId, head_id: head.jobId, retry_count: jobs.length - 1, jobs: jobs.map(summaryOf) };
  },
  getLogs: async (deps, actor, p) => {
    const { skip = 0, limit = 1000, contains = null, errors_only: errorsOnly = false } = p;
    if (contains === null && !errorsOnly) return (await deps.engine.logs(actor, p.job_id, skip, limit)).page;
    return deps.engine.searchLogs(actor, p.job_id, { skip, limit, contains, errorsOnly });
  },
  listBatches: async (deps, actor, p) => {
    const page = await deps.engine.listBatches(actor, {
      states: p.state ?? null,
      user: p.user ?? null,
      app: p.app ?? null,
      wsid: p.wsid ?? null,
      search: p.search ?? null,
      limit: p.limit ?? 100,
      cursor: p.cursor ?? null,
    });
    return { items: page.items, next_cursor: page.nextCursor };
  },
  getBatch: (deps, actor, p) => deps.engine.batch(actor, p.batch_id),
  listItems: async (deps, actor, p) => {
    const page = await deps.engine.listItems(actor, {
      batchId: p.batch_id,
      states: p.state ?? null,
      latestOnly: p.latest_only ?? true,
      limit: p.limit ?? 1000,
      cursor: p.cursor ?? null,
    });
    return { items: page.items, next_cursor: page.nextCursor };
  },
  listEvents: (deps, actor, p) => events(deps, actor, eventFilter(p)),
  listJobEvents: (deps, actor, p) => events(deps, actor, eventFilter(p)),
  listBatchEvents: (deps, actor, p) => events(deps, actor, eventFilter(p)),

  cancelJob: async (deps, actor, p) => cancelledOrRefused(await deps.engine.cancel(actor, [p.job_id], null)),
  cancelJobs: (deps, actor, p) => deps.engine.cancel(actor, p.job_ids, null),
  cancelBatch: async (deps, actor, p) => cancelledOrRefused(await deps.engine.cancel(actor, [p.batch_id], null)),
  workerReports: async (deps, _, p) => ({ answers: await deps.engine.report(p.reports) }),

  listApps: async (deps) => ({ items: await deps.apps.listApps() }),
  getApp: (deps, _, p) => deps.apps.showApp(p.module),
  getMethod: (deps, _, p) => deps.apps.describeMethod(`${p.module}.${p.method}`, p.version),
  addApp: (deps, actor, p) => {
    requireWriteAdmin(actor, 'add apps');
    return deps.apps.addApp(p, actor.user);
  },
  moveTag: (deps, actor, p) => {
    requireWriteAdmin(actor, 'move tags');
    return deps.apps.moveTag(p.module, p.tag, p.commit, actor.user);
  },
  withdrawVersion: (deps, actor, p) => {
    requireWriteAdmin(actor, 'withdraw versions');
    return deps.apps.withdraw(p.commit, p.module ?? null, p.reason ?? null, actor.user);
  },

  whoAmI: async (_, actor) => ({ user: actor.user, admin: actor.admin }),
  createToken: (deps, actor, p) => deps.people.createToken(actor, p),
  listTokens: async (deps, actor, p) => ({ items: await deps.people.listTokens(actor, p.user ?? null) }),
  revokeToken: (deps, actor, p) => deps.people.revokeToken(actor, p.token_id),
  createSignInLink: async (deps, actor) => {
    // a token of its own, made when the link is used: it can be seen in the list and revoked without the caller's
    const request = { name: 'browser, by a sign-in link', expires_in_ms: SESSION_MS };
    const { code, until } = deps.sessions.offer(async () => (await deps.people.createToken(actor, request)).token);
    return { path: signInPath(code), expires_at: until.toISOString() };
  },
  createWorkspace: (deps, actor, p) => deps.people.createWorkspace(actor, p.name),
  listWorkspaces: async (deps, actor) => ({ items: await deps.people.listWorkspaces(actor) }),
  shareWorkspace: (deps, actor, p) => deps.people.shareWorkspace(actor, p.wsid, p.user, p.role),
  version: async (deps) => ({ version: deps.version }),
  examine: async (deps, actor, { cursor = null, repair = false }) => {
    if (repair) requireWriteAdmin(actor, 'repair the record');
    else requireAdmin(actor, 'look at the whole record');
    return deps.examine(cursor, repair);
  },
};

/** An app is code that runs here: adding and moving need the role itself, with or without the switch. */
function requireWriteAdmin(actor: Actor, what: string): void {
  if (actor.admin === 'write') return;
  throw new RepriseError('FORBIDDEN', `only write admins may ${what}; ask one, or use a token with --admin write`);
}

function requireAdmin(actor: Actor, what: string): void {
  if (actor.admin !== 'none') return;
  throw new RepriseError('FORBIDDEN', `only admins may ${what}; ask one, or use a token with --admin read`);
}

async function submit(
  deps: ApiDeps,
  actor: Actor,
  operation: string,
  p: SubmitParams,
  target: SubmitTarget,
): Promise<SubmitResult> {
  const result = await deps.engine.submit(actor, {
    jobs: p.jobs,
    target,
    allOrNothing: p.all_or_nothing ?? false,
    dryRun: p.dry_run ?? false,
    repeat: repeatable(operation, p),
  });
  const nothing = result.accepted === 0 || (p.all_or_nothing === true && result.refused > 0);
  if (nothing && !result.dry_run) throw nothingRecorded(result);
  return result;
}

/** A refusal of the whole call: the first item's code, and every item's verdict in the details. */
function nothingRecorded(result: SubmitResult): RepriseError {
  const first = result.items.find((item) => item.error !== null)!;
  const { code, message } = first.error!;
  const sentence = result.items.length === 1 ? message : `nothing was recorded; job #${first.index + 1}: ${message}`;
  return new RepriseError(code as ErrorCode, sentence, { items: result.items });
}

function retry(deps: ApiDeps, actor: Actor, operation: string, p: RetryParams, what: RetryOptions['what']) {
  const options = { what, reason: p.reason ?? null, dryRun: p.dry_run ?? false, repeat: repeatable(operation, p) };
  return deps.engine.retry(actor, options);
}

/** What is compared is everything but the request id itself. */
function repeatable(operation: string, p: { request_id?: string }): Repeatable {
  const { request_id: requestId, ...body } = p;
  return { operation, requestId, body: requestId === undefined ? '' : stringifyKeepingText(body) };
}

function acceptedOrRefused(receipt: Receipt): Receipt {
  if (receipt.accepted) return receipt;
  const code = receipt.code as ErrorCode;
  throw new RepriseError(code, receipt.message as string, { receipt });
}

function cancelledOrRefused(result: RestResult<'cancelJob'>): RestResult<'cancelJob'> {
  const error = result.items[0]?.error ?? null;
  if (error !== null) throw new RepriseError(error.code as ErrorCode, error.message);
  return result;
}

export function eventFilter(p: { job_id?: string; batch_id?: string; after?: string; limit?: number }): EventFilter {
  return { jobId: p.job_id ?? null, batchId: p.batch_id ?? null, after: p.after ?? null, limit: p.limit ?? 100 };
}

async function events(deps: ApiDeps, actor: Actor, filter: EventFilter) {
  const page = await deps.engine.listEvents(actor, filter);
  return { items: page.items, next_cursor: page.nextCursor };
}
