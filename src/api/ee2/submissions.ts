/** run_job and run_job_batch: EE2's parameters as requests of the one pipeline. */
import { type ErrorCode, RepriseError } from '../../contract/errors.js';
import type { RawJson } from '../../contract/raw-json.js';
import { stringifyKeepingText } from '../../contract/raw-json.js';
import type { JobRequest, SubmitItem } from '../../contract/schemas.js';
import type { Actor, SubmitTarget } from '../../engine/engine.js';
import type { ApiDeps } from '../deps.js';
import { integerOf, type P, textOf } from './params.js';
import { requirementsOf } from './requirements.js';

export async function runOne(deps: ApiDeps, actor: Actor, params: P): Promise<string> {
  const [item] = await submit(deps, actor, 'run_job', [jobRequest(params, actor)], { kind: 'jobs' }, params);
  return item!.job_id as string;
}

export async function runBatch(deps: ApiDeps, actor: Actor, children: readonly unknown[], batch: P) {
  const prefix = (index: number) => (children.length > 1 ? `Job #${index + 1}: ` : '');
  const wsid = wsidOf(batch);
  const jobs = children.map((child, index) => withPrefix(prefix(index), () => childRequest(child, actor)));
  const target = { kind: 'batch', name: null, wsid: wsid ?? null, meta: metaOf(batch) ?? {} } as const;
  const items = await submit(deps, actor, 'run_job_batch', jobs, target, batch, prefix);
  return { batch_id: items.batchId as string, child_job_ids: items.map((item) => item.job_id as string) };
}

function withPrefix<T>(prefix: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof RepriseError) || prefix === '') throw error;
    throw new RepriseError(error.code, prefix + error.message);
  }
}

function childRequest(child: unknown, actor: Actor): JobRequest {
  if (child === null || typeof child !== 'object' || Array.isArray(child)) {
    throw new RepriseError('INVALID_INPUT', 'a job must be a mapping of its parameters');
  }
  const params = child as P;
  if (params.wsid !== undefined && params.wsid !== null) {
    throw new RepriseError('INVALID_INPUT', 'Workspace ids are not allowed in RunJobParams in Batch Mode');
  }
  return jobRequest(params, actor);
}

/** Nothing is recorded if one job is refused: no parent is left behind. */
async function submit(
  deps: ApiDeps,
  actor: Actor,
  operation: string,
  jobs: readonly JobRequest[],
  target: SubmitTarget,
  params: P,
  prefix: (index: number) => string = () => '',
): Promise<SubmitItem[] & { batchId: string | null }> {
  const { request_id: _, ...body } = params;
  const requestId = textOf(params, 'request_id');
  const repeat = { operation, requestId, body: stringifyKeepingText({ jobs, body }) };
  const result = await deps.engine.submit(actor, { jobs, target, allOrNothing: true, dryRun: false, repeat });
  const refused = result.items.find((item) => item.error !== null);
  if (refused !== undefined) {
    const { code, message } = refused.error!;
    throw new RepriseError(code as ErrorCode, prefix(refused.index) + message);
  }
  return Object.assign([...result.items], { batchId: result.batch_id });
}

/** Members that clients may not set (`batch_id`, `retry_parent`, `user`) are passed over like all unknown ones. */
function jobRequest(params: P, actor: Actor): JobRequest {
  const method = textOf(params, 'method');
  if (method === undefined)
    throw new RepriseError('INVALID_INPUT', 'method is missing: give module_name.function_name');
  const request: { [K in keyof JobRequest]: JobRequest[K] | undefined } = {
    method: method.trim(),
    params: paramsText(params.params),
    version: textOf(params, 'service_ver')?.trim() || undefined,
    requirements: requirementsOf(params.job_requirements, 'input job', actor),
    wsid: wsidOf(params),
    app_id: textOf(params, 'app_id'),
    parent_job_id: textOf(params, 'parent_job_id'),
    source_ws_objects: sourceObjects(params.source_ws_objects),
    meta: metaOf(params),
  };
  return Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined)) as JobRequest;
}

function paramsText(params: unknown): RawJson | undefined {
  return params === undefined ? undefined : (params as RawJson);
}

/** Zero and "" are no workspace, as in EE2; other texts were a type confusion there. */
function wsidOf(params: P): number | undefined {
  if (params.wsid === '' || params.wsid === false) return undefined;
  const wsid = integerOf(params, 'wsid');
  if (wsid === undefined || wsid === 0) return undefined;
  if (wsid < 1) throw new RepriseError('INVALID_INPUT', 'wsid must be at least 1');
  return wsid;
}

function sourceObjects(refs: unknown): string[] | undefined {
  if (refs === undefined || refs === null) return undefined;
  if (!Array.isArray(refs)) throw new RepriseError('INVALID_INPUT', 'source_ws_objects must be a list');
  refs.forEach((ref, index) => {
    if (typeof ref === 'string') return;
    const shown = JSON.stringify(ref);
    throw new RepriseError(
      'INVALID_INPUT',
      `source_ws_objects index ${index}, '${shown}', is not a valid Unique Permanent Address`,
    );
  });
  return refs as string[];
}

const META = ['run_id', 'token_id', 'tag', 'cell_id'];

/** Other members are dropped. */
function metaOf(params: P): Record<string, string> | undefined {
  const meta = params.meta;
  if (meta === undefined || meta === null) return undefined;
  if (typeof meta !== 'object' || Array.isArray(meta)) {
    throw new RepriseError('INVALID_INPUT', 'meta must be a mapping');
  }
  const kept = META.map((name) => [name, textOf(meta as P, name)] as const).filter(([, text]) => text !== undefined);
  return Object.fromEntries(kept) as Record<string, string>;
}
