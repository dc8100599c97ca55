/** What each call of EE2's JSON-RPC does; exhaustive by type. The longer ones have files of their own. */
import type { Ee2Name } from '../../contract/operations.js';
import { checkStorable } from '../../contract/storable.js';
import type { Actor } from '../../engine/engine.js';
import type { ApiDeps } from '../deps.js';
import { addJobLogs, getJobLogs } from './logs.js';
import { idOf, type P, truthy } from './params.js';
import { checkJob, checkJobBatch, checkJobs, getJobParams } from './reads.js';
import { retryOne, retrySeveral } from './retries.js';
import { runBatch, runOne } from './submissions.js';
import { cancelOne, finishOne, startOne } from './transitions.js';

/** Null is written as `"result": null`; anything else in a list of one. */
type Handler = (deps: ApiDeps, actor: Actor | null, params: readonly unknown[]) => Promise<unknown>;

/** With the caller, who has the power that the parameters ask for, and the one object of most calls. */
export type Call<R> = (deps: ApiDeps, actor: Actor, params: P) => Promise<R>;

const one =
  <R>(call: Call<R>): Handler =>
  (deps, actor, params) => {
    const members = membersOf(params[0]);
    return call(deps, withPower(actor, members), members);
  };

function membersOf(value: unknown): P {
  checkStorable(value);
  return (value ?? {}) as P;
}

export function withPower(actor: Actor | null, params: P): Actor {
  if (actor === null) throw new Error('a call without an identity was bound to a handler that needs one');
  return { ...actor, asAdmin: truthy(params.as_admin) };
}

export const ee2Handlers: { readonly [N in Ee2Name]: Handler } = {
  submitJobs: one(runOne),
  submitBatch: (deps, actor, params) => {
    const batch = membersOf(params[1]);
    checkStorable(params[0]);
    return runBatch(deps, withPower(actor, batch), (params[0] ?? []) as readonly unknown[], batch);
  },
  retryJob: one(retryOne),
  retryJobs: one(retrySeveral),
  getJob: one(checkJob),
  checkJobs: one(checkJobs),
  checkJobBatch: one(checkJobBatch),
  getJobStatus: one(async (deps, actor, p) => ({ status: await deps.engine.statusOf(actor, idOf(p)) })),
  checkJobCanceled: one(async (deps, actor, p) => {
    const jobId = idOf(p);
    const status = await deps.engine.statusOf(actor, jobId);
    const finished = ['completed', 'error', 'terminated'].includes(status);
    return { job_id: jobId, canceled: status === 'terminated', finished };
  }),
  getJobParams: one(getJobParams),
  getLogs: one(getJobLogs),
  cancelJob: one(cancelOne),
  startJob: one(startOne),
  finishJob: one(finishOne),
  addJobLogs: (deps, actor, params) => {
    const members = membersOf(params[0]);
    return addJobLogs(deps, withPower(actor, members), members, (params[1] ?? []) as readonly unknown[]);
  },
  version: async (deps) => deps.version,
  status: async (deps) => ({
    server_time: Date.now() / 1000,
    git_commit: deps.gitCommit,
    version: deps.version,
    service: 'KBase Execution Engine',
  }),
};
