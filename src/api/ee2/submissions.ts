/** run_job, run_job_batch and run_job_concierge: EE2's parameters as requests of the one pipeline. */
import { type ErrorCode, RepriseError } from '../../contract/errors.js';
import { type RawJson, stringifyKeepingText } from '../../contract/raw-json.js';
import type { JobRequest, SubmitItem } from '../../contract/schemas.js';
import type { Actor, RunRequest, SubmitTarget } from '../../engine/engine.js';
import type { ApiDeps } from '../deps.js';
import { integerOf, type P, textOf, truthy } from './params.js';
import { type Asked, askedOfCaller, askedOfConcierge, orFault } from './requirements.js';

export async function runOne(deps: ApiDeps, actor: Actor, params: P): Promise<string> {
  const job = runRequest(params, () => askedOfCaller(params.job_requirements, actor));
  return runAlone(deps, actor, 'run_job', job, params);
}

/** An empty `concierge` makes it a plain run_job for everybody, as in EE2. */
export async function runForConcierge(deps: ApiDeps, actor: Actor, params: P, concierge: P): Promise<string> {
  if (!truthy(concierge)) return runOne(deps, actor, params);
  if (actor.user !== deps.settings.conciergeUser) {
    throw new RepriseError('FORBIDDEN', 'You are not the concierge user. This method is not for you');
  }
  const job = runRequest(params, () => askedOfConcierge(concierge));
  return runAlone(deps, actor, 'run_job_concierge', job, { ...params, concierge });
}

async function runAlone(deps: ApiDeps, actor: Actor, operation: string, job: RunRequest, params: P): Promise<string> {
  const [item] = await submit(deps, actor, operation, [job], { kind: 'jobs' }, params);
  return item!.job_id as string;
}

export async function runBatch(deps: ApiDeps, actor: Actor, children: readonly unknown[], batch: P) {
  const prefix = (index: number) => (children.length > 1 ? `Job #${index + 1}: ` : '');
  const params = children.map((child, index) => childParams(child, prefix(index)));
  const wsid = wsidOf(batch);
  const jobs = params.map((child) => runRequest(child, () => askedOfCaller(child.job_requirements, actor)));
  const target = { kind: 'batch', name: null, wsid: wsid ?? null, meta: metaOf(batch) ?? {} } as const;
  const items = await submit(deps, actor, 'run_job_batch', jobs, target, batch, prefix);
  return { batch_id: items.batchId as string, child_job_ids: items.map((item) => item.job_id as string) };
}

function childParams(child: unknown, prefix: string): P {
  if (child === null || typeof child !== 'object' || Array.isArray(child)) {
    throw new RepriseError('INVALID_INPUT', `${prefix}a job must be a mapping of its parameters`);
  }
  const params = child as P;
  if (params.wsid === undefined || params.wsid === null) return params;
  throw new RepriseError('INVALID_INPUT', `${prefix}Workspace ids are not allowed in RunJobParams in Batch Mode`);
}

/** Nothing is recorded if one job is refused: no parent is left behind. */
async function submit(
  deps: ApiDeps,
  actor: Actor,
  operation: string,
  jobs: readonly RunRequest[],
  target: SubmitTarget,
  params: P,
  prefix: (index: number) => string = () => '',
): Promise<SubmitItem[] & { batchId: string | null }> {
  const { request_id: _, ...body } = params;
  const requestId = textOf(params, 'request_id');
  const repeat = { operation, requestId, body: requestId === undefined ? '' : stringifyKeepingText({ jobs, body }) };
  const result = await deps.engine.submit(actor, { jobs, target, allOrNothing: true, dryRun: false, repeat });
  const refused = result.items.find((item) => item.error !== null);
  if (refused !== undefined) {
    const { code, message } = refused.error!;
    throw new RepriseError(code as ErrorCode, prefix(refused.index) + message);
  }
  return Object.assign([...result.items], { batchId: result.batch_id });
}

/** Members that clients may not set (`batch_id`, `retry_parent`, `user`) are passed over like all unknown ones. */
function runRequest(params: P, ask: () => Asked): RunRequest {
  const { requirements, options, faults } = orFault(ask);
  const request: { [K in keyof RunRequest]: RunRequest[K] | undefined } = {
    method: methodOf(params.method),
    // text that is kept: what is absent stays absent
    params: params.params as RawJson | undefined,
    wsid: wsidOf(params),
    requirements,
    options,
    faults,
    ...formOf(params, faults),
  };
  const given = Object.entries(request).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as unknown as RunRequest;
}

/** Blanks around its parts do not count. What is no text can not be recognised either. */
function methodOf(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value ?? '');
  return text
    .split('.')
    .map((part) => part.trim())
    .join('.');
}

type Form = Pick<JobRequest, 'version' | 'app_id' | 'parent_job_id' | 'source_ws_objects' | 'meta'>;

function formOf(params: P, faults: RunRequest['faults']): { [K in keyof Form]: Form[K] | undefined } & P {
  try {
    return {
      version: textOf(params, 'service_ver')?.trim() || undefined,
      app_id: textOf(params, 'app_id') || undefined,
      parent_job_id: textOf(params, 'parent_job_id') || undefined,
      source_ws_objects: sourceObjects(params.source_ws_objects),
      meta: metaOf(params),
    };
  } catch (error) {
    if (!(error instanceof RepriseError)) throw error;
    return { faults: { ...faults, form: { code: error.code, message: error.message } } };
  }
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
  const strange = refs.findIndex((ref) => typeof ref !== 'string');
  if (strange < 0) return refs as string[];
  const shown = JSON.stringify(refs[strange]);
  const sentence = `source_ws_objects index ${strange}, '${shown}', is not a valid Unique Permanent Address`;
  throw new RepriseError('INVALID_INPUT', sentence);
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
