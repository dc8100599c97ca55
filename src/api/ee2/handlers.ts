/** What each call of EE2's JSON-RPC does; exhaustive by type. The longer ones have files of their own. */
import type { Ee2Name } from '../../contract/operations.js';
import { RawJson } from '../../contract/raw-json.js';
import { isTerminal } from '../../contract/status.js';
import { checkStorable } from '../../contract/storable.js';
import { type Level, usesAdmin } from '../../engine/authorize.js';
import type { Actor } from '../../engine/engine.js';
import type { ApiDeps } from '../deps.js';
import { adminPermission, clientGroups, listConfig } from './info.js';
import { addJobLogs, getJobLogs } from './logs.js';
import { idOf, type P, truthy } from './params.js';
import { document } from './present.js';
import { inRange, inRangeOfAll } from './ranges.js';
import { checkJob, checkJobBatch, checkJobs, checkWorkspaceJobs, getJobParams } from './reads.js';
import { retryOne, retrySeveral } from './retries.js';
import { runBatch, runForConcierge, runOne } from './submissions.js';
import { abandonChildren, cancelOne, finishOne, startOne, updateStatus } from './transitions.js';

/** Null is written as `"result": null`; anything else in a list of one. */
type Handler = (deps: ApiDeps, actor: Actor | null, params: readonly unknown[]) => Promise<unknown>;

/** With the caller, who has the power that the parameters ask for, and the one object of most calls. */
type Call<R> = (deps: ApiDeps, actor: Actor, params: P) => Promise<R>;

const one =
  <R>(level: Level, call: Call<R>): Handler =>
  (deps, actor, params) => {
    const members = membersOf(params[0]);
    return call(deps, withPower(actor, members, level), members);
  };

function membersOf(value: unknown): P {
  checkStorable(value);
  return (value ?? {}) as P;
}

function known(actor: Actor | null): Actor {
  if (actor === null) throw new Error('a call without an identity was bound to a handler that needs one');
  return actor;
}

/** Power that is asked for without the role is refused first, also for one's own jobs. Workers have none to ask for. */
function withPower(caller: Actor | null, params: P, level: Level): Actor {
  const actor = { ...known(caller), asAdmin: truthy(params.as_admin) };
  if (actor.dispatchId === undefined) usesAdmin(actor, level);
  return actor;
}

export const ee2Handlers: { readonly [N in Ee2Name]: Handler } = {
  submitJobs: one('write', runOne),
  submitBatch: (deps, actor, params) => {
    const batch = membersOf(params[1]);
    checkStorable(params[0]);
    // power is refused by the engine, after what is wrong with the children's form
    const caller = { ...known(actor), asAdmin: truthy(batch.as_admin) };
    return runBatch(deps, caller, (params[0] ?? []) as readonly unknown[], batch);
  },
  submitForConcierge: (deps, actor, params) => {
    const members = membersOf(params[0]);
    return runForConcierge(deps, withPower(actor, members, 'write'), members, (params[1] ?? {}) as P);
  },
  retryJob: one('write', retryOne),
  retryJobs: (deps, actor, params) => {
    const members = membersOf(params[0]);
    return retrySeveral(deps, { ...known(actor), asAdmin: truthy(members.as_admin) }, members);
  },
  getJob: one('read', checkJob),
  checkJobs: one('read', checkJobs),
  checkJobBatch: one('read', checkJobBatch),
  checkWorkspaceJobs: one('read', checkWorkspaceJobs),
  listJobsInRange: one('read', inRange),
  listAllJobsInRange: one('read', inRangeOfAll),
  getJobStatus: one('read', async (deps, actor, p) => ({ status: await deps.engine.statusOf(actor, idOf(p)) })),
  checkJobCanceled: one('read', async (deps, actor, p) => {
    const jobId = idOf(p);
    const status = await deps.engine.statusOf(actor, jobId);
    return { job_id: jobId, canceled: status === 'terminated', finished: isTerminal(status) };
  }),
  getJobParams: one('read', getJobParams),
  getLogs: one('read', getJobLogs),
  cancelJob: one('write', cancelOne),
  startJob: one('write', startOne),
  // a failure's message is mended, not refused: the job would run for ever
  finishJob: (deps, actor, params) => {
    const members = (params[0] ?? {}) as P;
    return finishOne(deps, withPower(actor, members, 'write'), members);
  },
  forceStatus: one('write', updateStatus),
  abandonChildren: one('write', abandonChildren),
  endHeldJob: async (deps, actor, params) => {
    checkStorable(params[0]);
    return document(await deps.engine.endHeldJob(known(actor), String(params[0] ?? 'None')));
  },
  addJobLogs: (deps, actor, params) => {
    const members = membersOf(params[0]);
    return addJobLogs(deps, withPower(actor, members, 'write'), members, (params[1] ?? []) as readonly unknown[]);
  },
  isAdmin: async (_, actor) => known(actor).admin !== 'none',
  getAdminPermission: async (_, actor) => adminPermission(known(actor)),
  getClientGroups: async (deps) => clientGroups(deps.settings),
  getSettings: async (deps) => listConfig(deps.settings),
  version: async (deps) => deps.version,
  status: async (deps) => ({
    // with a fraction, so that Python reads a float
    server_time: new RawJson((Date.now() / 1000).toFixed(3)),
    git_commit: deps.gitCommit,
    version: deps.version,
    service: 'KBase Execution Engine',
  }),
};
