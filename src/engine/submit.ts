/**
 * The pipeline: authorize → resolve → preflight → record → wake. Every way to run a job goes through it: one job, many,
 * a batch, more jobs for a batch; a retry enters at `record` with what its predecessor recorded (retry.ts).
 */
import type { MethodSpec } from '../catalog/catalog.js';
import { RepriseError } from '../contract/errors.js';
import { isJobId } from '../contract/ids.js';
import type { ItemError, SubmitResult } from '../contract/schemas.js';
import { fault } from '../faults.js';
import type { BatchRow } from '../store/batches.js';
import { findBatches } from '../store/batches.js';
import { requireOnJob, requireToRunIn, usesAdmin } from './authorize.js';
import type { Context } from './context.js';
import type { Actor, RunRequest, SubmitOptions } from './engine.js';
import { checkAsked, checkFit, checkForm, checkSourceObjects, resolveRequirements } from './preflight.js';
import { recordJobs } from './record.js';
import { findRepeated } from './repeat.js';
import type { Needs } from './requirements.js';
import { resolveVersions } from './resolve.js';

/** One job on its way through the pipeline. A step that refuses it sets `error`, and later steps pass it by. */
export interface Draft {
  readonly index: number;
  readonly request: RunRequest;
  readonly wsid: number | null;
  error: ItemError | null;
  spec?: MethodSpec;
  needs?: Needs;
}

export async function submit(ctx: Context, actor: Actor, options: SubmitOptions): Promise<SubmitResult> {
  usesAdmin(actor, 'write');
  if (options.jobs.length === 0)
    throw new RepriseError('INVALID_INPUT', 'there are no jobs in this request; give at least one');
  const repeated = options.dryRun ? undefined : await findRepeated(ctx, actor, options.repeat);
  if (repeated !== undefined) return JSON.parse(repeated.answer) as SubmitResult;
  const batch = await findTarget(ctx, actor, options);
  const drafts = draftJobs(options, batch);

  await authorizeWorkspaces(ctx, actor, options, drafts);
  checkAsked(ctx, drafts);
  checkForm(drafts, options.target.kind !== 'jobs');
  await checkSourceObjects(ctx, actor, drafts);
  await resolveVersions(ctx, drafts);
  resolveRequirements(ctx, drafts);
  checkFit(ctx, drafts);
  if (options.dryRun || nothingToRecord(options, drafts)) return answer(drafts, { dryRun: options.dryRun });
  const result = await recordJobs(ctx, actor, options, drafts);
  fault('submit.recorded');
  ctx.wake('dispatch');
  ctx.wake('events');
  return result;
}

/** With nothing recorded the request id is not remembered either: the same call may be sent again, mended. */
function nothingToRecord(options: SubmitOptions, drafts: readonly Draft[]): boolean {
  const refused = drafts.filter((draft) => draft.error !== null).length;
  return refused === drafts.length || (options.allOrNothing && refused > 0);
}

async function findTarget(ctx: Context, actor: Actor, { target }: SubmitOptions): Promise<BatchRow | null> {
  if (target.kind !== 'extend') return null;
  const [batch] = isJobId(target.batchId) ? await findBatches(ctx.db, [target.batchId]) : [];
  if (batch === undefined) throw noSuchBatch(target.batchId);
  await requireOnJob(ctx, actor, 'write', batch.batch_id, batch);
  if (batch.status === 'terminated') throw batchCancelled(batch.batch_id);
  return batch;
}

export function noSuchBatch(batchId: string): RepriseError {
  return new RepriseError('NOT_FOUND', `there is no batch ${batchId}`);
}

export function batchCancelled(batchId: string): RepriseError {
  return new RepriseError(
    'BATCH_CANCELLED',
    `batch ${batchId} was cancelled and takes no new items; submit them as a new batch`,
  );
}

function draftJobs({ jobs, target }: SubmitOptions, batch: BatchRow | null): Draft[] {
  return jobs.map((request, index) => {
    const inBatch = target.kind === 'batch' ? target.wsid : (batch?.wsid ?? null);
    const wsid = target.kind === 'jobs' ? (request.wsid ?? null) : inBatch;
    return { index, request, wsid, error: target.kind === 'jobs' ? null : batchRuleBroken(request) };
  });
}

function batchRuleBroken(request: RunRequest): ItemError | null {
  if (request.wsid === undefined) return null;
  return { code: 'INVALID_INPUT', message: 'Workspace ids are not allowed in RunJobParams in Batch Mode' };
}

async function authorizeWorkspaces(ctx: Context, actor: Actor, { target }: SubmitOptions, drafts: readonly Draft[]) {
  const asked = drafts.filter((draft) => draft.wsid !== null).map((draft) => draft.wsid as number);
  const denied = await requireToRunIn(ctx, actor, asked);
  if (denied.size === 0) return;
  const sentence = (wsid: number) => `User ${actor.user} doesn't have permission to run jobs in workspace ${wsid}.`;
  if (target.kind !== 'jobs') throw new RepriseError('FORBIDDEN', sentence([...denied][0]!));
  for (const draft of drafts) {
    if (draft.wsid !== null && denied.has(draft.wsid)) {
      draft.error = { code: 'FORBIDDEN', message: sentence(draft.wsid) };
    }
  }
}

interface Recorded {
  readonly dryRun: boolean;
  readonly requestId?: string | null;
  readonly batchId?: string | null;
  readonly jobIds?: ReadonlyMap<number, string>;
}

export function answer(drafts: readonly Draft[], recorded: Recorded): SubmitResult {
  const refused = drafts.filter((draft) => draft.error !== null).length;
  return {
    request_id: recorded.requestId ?? null,
    dry_run: recorded.dryRun,
    batch_id: recorded.batchId ?? null,
    accepted: drafts.length - refused,
    refused,
    items: drafts.map((draft) => ({
      index: draft.index,
      // a good item of a call that records nothing because of a bad one has a verdict, but no job
      accepted: draft.error === null,
      job_id: recorded.jobIds?.get(draft.index) ?? null,
      commit: draft.spec?.commit ?? null,
      error: draft.error,
    })),
  };
}
