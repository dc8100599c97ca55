/**
 * Fourth step of the pipeline. Inputs, jobs, batch, events and the answer to the request id in ONE transaction: killed
 * before the commit, nothing happened and the caller may repeat; killed after it, everything is there and the repeated
 * request id gives the same answer. Handing over starts from the record.
 */
import type { SubmitResult } from '../contract/schemas.js';
import { fault } from '../faults.js';
import { addBatch, noteExtension } from '../store/batches.js';
import type { Queryable } from '../store/db.js';
import { storeInputs } from '../store/inputs.js';
import { addRootJobs, type NewJob } from '../store/jobs.js';
import { keepAnswer } from '../store/requests.js';
import type { Context } from './context.js';
import type { Actor, SubmitOptions } from './engine.js';
import { describeInputs } from './inputs.js';
import { keepTokens } from './other-runner.js';
import { sourceObjectsOf } from './preflight.js';
import { claimOnce } from './repeat.js';
import { answer, batchCancelled, type Draft } from './submit.js';

export async function recordJobs(
  ctx: Context,
  actor: Actor,
  options: SubmitOptions,
  drafts: readonly Draft[],
): Promise<SubmitResult> {
  const good = drafts.filter((draft) => draft.error === null);
  const inputs = good.map((draft) =>
    describeInputs(
      draft.spec!.method,
      draft.spec!.commit,
      draft.request.params?.text ?? null,
      sourceObjectsOf(draft.request),
    ),
  );
  return ctx.db.transaction(async (tx) => {
    const { requestId } = options.repeat;
    const claim = requestId === undefined ? null : await claimOnce(ctx, tx, actor, options.repeat, null);
    if (claim?.kind === 'repeat') return JSON.parse(claim.request.answer) as SubmitResult;
    fault('submit.claimed');
    const batchId = await recordBatch(ctx, tx, actor, options, good.length);
    const jobs = good.map((draft, index) => newJob(ctx, actor, draft, inputs[index]!.input_id, batchId));
    await storeInputs(tx, inputs);
    fault('submit.inputs');
    await addRootJobs(tx, jobs);
    fault('submit.jobs');
    await keepTokens(
      ctx,
      tx,
      actor,
      jobs.map((job) => job.job_id),
    );
    const jobIds = new Map(good.map((draft, index) => [draft.index, jobs[index]!.job_id]));
    const result = answer(drafts, { dryRun: false, requestId: requestId ?? null, batchId, jobIds });
    if (claim !== null) await keepAnswer(tx, claim.requestKey, JSON.stringify(result));
    return result;
  });
}

async function recordBatch(
  ctx: Context,
  tx: Queryable,
  actor: Actor,
  { target }: SubmitOptions,
  items: number,
): Promise<string | null> {
  if (target.kind === 'jobs') return null;
  if (target.kind === 'extend') {
    if (!(await noteExtension(tx, target.batchId, actor.user, items))) throw batchCancelled(target.batchId);
    return target.batchId;
  }
  const batchId = ctx.ids.next();
  const { wsid, name, meta } = target;
  await addBatch(tx, { batchId, owner: actor.user, wsid, name, meta: JSON.stringify(meta), items });
  return batchId;
}

function newJob(ctx: Context, actor: Actor, draft: Draft, inputId: string, batchId: string | null): NewJob {
  const { request, spec } = draft;
  const { options, ...requirements } = draft.needs!;
  return {
    job_id: ctx.ids.next(),
    batch_id: batchId,
    owner: actor.user,
    wsid: draft.wsid,
    input_id: inputId,
    module: spec!.module,
    method: spec!.method,
    app_commit: spec!.commit,
    app_tag: spec!.tag,
    app_id: request.app_id ?? null,
    parent_job_id: request.parent_job_id ?? null,
    meta: JSON.stringify(request.meta ?? {}),
    ...requirements,
    timeout_ms: spec!.timeoutMs,
    scheduler: ctx.schedulerFor(requirements.client_group).name,
    scheduler_options: JSON.stringify(options),
  };
}
