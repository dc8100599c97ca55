/** The engine: each operation is one function over the context. */
import { abandon } from './abandon.js';
import { cancel } from './cancel.js';
import { checkout } from './checkout.js';
import type { Context } from './context.js';
import type { Engine } from './engine.js';
import { endHeldJob } from './held.js';
import { finish, forceStatus, start } from './lifecycle.js';
import { addLogs, countLog, logs, searchLogs } from './logs.js';
import { statusOf } from './pulse.js';
import {
  batch,
  dispatchesOf,
  find,
  findInRange,
  findInWorkspace,
  lineage,
  listBatches,
  listEvents,
  listItems,
  listJobs,
} from './query.js';
import { receipts } from './receipts.js';
import { retry } from './retry.js';
import { submit } from './submit.js';
import { report } from './worker-reports.js';

export function createEngine(ctx: Context): Engine {
  return {
    submit: (actor, options) => submit(ctx, actor, options),
    retry: (actor, options) => retry(ctx, actor, options),
    receipts: (actor, requestId) => receipts(ctx, actor, requestId),
    find: (actor, ids) => find(ctx, actor, ids),
    findInWorkspace: (actor, wsid) => findInWorkspace(ctx, actor, wsid),
    findInRange: (actor, filter) => findInRange(ctx, actor, filter),
    dispatchesOf: (jobId) => dispatchesOf(ctx, jobId),
    statusOf: (actor, id) => statusOf(ctx, actor, id),
    lineage: (actor, jobId) => lineage(ctx, actor, jobId),
    listJobs: (actor, filter) => listJobs(ctx, actor, filter),
    listBatches: (actor, filter) => listBatches(ctx, actor, filter),
    batch: (actor, batchId) => batch(ctx, actor, batchId),
    listItems: (actor, filter) => listItems(ctx, actor, filter),
    listEvents: (actor, filter) => listEvents(ctx, actor, filter),
    onEvents: (listener) => ctx.onEvents(listener),
    logs: (actor, jobId, skip, limit) => logs(ctx, actor, jobId, skip, limit),
    searchLogs: (actor, jobId, search) => searchLogs(ctx, actor, jobId, search),
    cancel: (actor, ids, code) => cancel(ctx, actor, ids, code),
    start: (actor, jobId, skipEstimation) => start(ctx, actor, jobId, skipEstimation),
    finish: (actor, jobId, how) => finish(ctx, actor, jobId, how),
    forceStatus: (actor, jobId, status) => forceStatus(ctx, actor, jobId, status),
    endHeldJob: (actor, schedulerId) => endHeldJob(ctx, actor, schedulerId),
    abandon: (actor, batchId, jobIds) => abandon(ctx, actor, batchId, jobIds),
    addLogs: (actor, jobId, lines) => addLogs(ctx, actor, jobId, lines),
    countLog: (actor, jobId) => countLog(ctx, actor, jobId),
    report: (reports) => report(ctx, reports),
    checkout: (token, commit) => checkout(ctx, token, commit),
  };
}
