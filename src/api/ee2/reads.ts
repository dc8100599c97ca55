/** check_job, check_jobs, check_job_batch, check_workspace_jobs, get_job_params. */
import type { JobFailure, JobState } from '../../contract/ee2.js';
import { RepriseError } from '../../contract/errors.js';
import { isJobId } from '../../contract/ids.js';
import { RawJson } from '../../contract/raw-json.js';
import type { Actor, Found, JobRecord } from '../../engine/engine.js';
import type { ApiDeps } from '../deps.js';
import { type Exclusion, exclusionOf, without } from './fields.js';
import { flagOf, idOf, type P, pythonList, shown, truthy } from './params.js';
import { stateOf } from './present.js';

/** A job that may not be read is answered with an object, not with an error, which EE2's clients are used to. */
export async function checkJob(deps: ApiDeps, actor: Actor, params: P): Promise<JobState | JobFailure> {
  if (!truthy(params.job_id)) throw new RepriseError('INVALID_INPUT', 'Please provide valid job_id');
  const id = idOf(params);
  const states = await statesOf(deps, actor, [id], exclusionOf(params.exclude_fields));
  return states.get(id)!;
}

export async function checkJobs(deps: ApiDeps, actor: Actor, params: P) {
  const ids = params.job_ids;
  if (!Array.isArray(ids) || ids.length === 0) {
    throw new RepriseError('INVALID_INPUT', 'Please provide a non empty list of job ids');
  }
  const asked = ids.map((id) => (typeof id === 'string' ? id : JSON.stringify(id)));
  const states = await statesOf(deps, actor, asked, exclusionOf(params.exclude_fields));
  return listed(states, params.return_list);
}

/** A list in the order asked, or the bare mapping. */
function listed(states: ReadonlyMap<string, JobState | JobFailure>, returnList: unknown) {
  return flagOf(returnList, true) ? { job_states: [...states.values()] } : Object.fromEntries(states);
}

async function statesOf(
  deps: ApiDeps,
  actor: Actor,
  ids: readonly string[],
  excluded: Exclusion,
): Promise<Map<string, JobState | JobFailure>> {
  const all = await found(deps, actor, ids);
  return new Map([...all].map(([id, one]) => [id, without(stateOf(id, one), excluded)]));
}

/** Refused as a whole if one id can not be one, or if none is known. */
async function found(deps: ApiDeps, actor: Actor, ids: readonly string[]): Promise<Map<string, Found>> {
  const malformed = ids.find((id) => !isJobId(id));
  if (malformed !== undefined) {
    const sentence = `'${malformed}' is not a valid ObjectId, it must be a 12-byte input or a 24-character hex string`;
    throw new RepriseError('NOT_FOUND', sentence);
  }
  const all = await deps.engine.find(actor, ids);
  if ([...all.values()].some((one) => one.kind !== 'unknown')) return all;
  throw new RepriseError('NOT_FOUND', `Cannot find job with ids: ${pythonList([...all.keys()])}`);
}

export async function checkJobBatch(deps: ApiDeps, actor: Actor, params: P) {
  if (!truthy(params.job_id)) throw new RepriseError('INVALID_INPUT', 'Please provide valid job_id');
  const id = idOf(params);
  const excluded = exclusionOf(params.exclude_fields);
  if (excluded.some((path) => path[0] === 'child_jobs')) {
    throw new RepriseError('INVALID_INPUT', "You can't exclude child jobs from this endpoint");
  }
  const parent = (await found(deps, actor, [id])).get(id);
  const children = parent?.kind === 'batch' ? parent.batch.childIds : [];
  const states = children.length === 0 ? new Map() : await deps.engine.find(actor, children);
  return {
    batch_jobstate: without(stateOf(id, parent), excluded),
    child_jobstates: children.map((child) => without(stateOf(child, states.get(child)), excluded)),
  };
}

/** A workspace without jobs is an empty mapping, whatever form was asked for, as in EE2. */
export async function checkWorkspaceJobs(deps: ApiDeps, actor: Actor, params: P) {
  const wsid = workspaceOf(params);
  const excluded = exclusionOf(params.exclude_fields);
  const jobs = await deps.engine.findInWorkspace(actor, wsid);
  if (jobs.size === 0) return {};
  const states = new Map([...jobs].map(([id, one]) => [id, without(stateOf(id, one), excluded)]));
  return listed(states, params.return_list);
}

function workspaceOf(params: P): number {
  const value = params.workspace_id;
  if (value === undefined) throw new RepriseError('INVALID_INPUT', 'workspace_id');
  const wsid = typeof value === 'string' && /^\s*\d+\s*$/.test(value) ? Number(value) : value;
  if (typeof wsid === 'number' && Number.isSafeInteger(wsid)) return wsid;
  throw new RepriseError('INVALID_INPUT', `workspace_id must be a number, which ${shown(value)} is not`);
}

/** Exactly seven members, null when unset. */
export async function getJobParams(deps: ApiDeps, actor: Actor, params: P) {
  const job = await readJob(deps, actor, idOf(params));
  return {
    method: job.method,
    params: job.params === null ? null : new RawJson(job.params),
    service_ver: job.appCommit,
    app_id: job.appId,
    wsid: job.wsid,
    parent_job_id: job.parentJobId,
    source_ws_objects: JSON.parse(job.sourceObjects) as string[],
  };
}

async function readJob(deps: ApiDeps, actor: Actor, id: string): Promise<JobRecord> {
  const found = (await deps.engine.find(actor, [id])).get(id);
  if (found?.kind === 'job') return found.job;
  if (found?.kind === 'batch')
    throw new RepriseError('IS_BATCH', `${id} is a batch, which has no parameters of its own`);
  // the engine has the sentences for what is unknown or not to be read
  await deps.engine.statusOf(actor, id);
  throw new RepriseError('NOT_FOUND', `Cannot find job with ids: ['${id}']`);
}
