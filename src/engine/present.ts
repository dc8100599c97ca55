/** Rows of the store as records of the engine and as nouns of the contract. */

import { RawJson } from '../contract/raw-json.js';
import type { BatchItem, BatchView, EventView, JobSummary } from '../contract/schemas.js';
import { batchState, STATUSES, type Status } from '../contract/status.js';
import type { BatchCountRow, BatchRow, FirstAppRow } from '../store/batches.js';
import type { DispatchRow } from '../store/dispatches.js';
import type { EventRow } from '../store/events.js';
import type { ItemRow } from '../store/items.js';
import type { FullJobRow, JobRow } from '../store/jobs.js';
import type { BatchRecord, DispatchRecord, JobOutline, JobRecord } from './engine.js';

function jobOutline(row: JobRow): JobOutline {
  return {
    jobId: row.job_id,
    batchId: row.batch_id,
    rootId: row.root_id,
    retryNumber: row.retry_number,
    supersededBy: row.superseded_by,
    retryReason: row.retry_reason,
    owner: row.owner,
    wsid: row.wsid,
    inputKey: row.input_key,
    module: row.module,
    method: row.method,
    appCommit: row.app_commit,
    appTag: row.app_tag,
    appId: row.app_id,
    cpus: row.cpus,
    memoryMb: row.memory_mb,
    diskGb: row.disk_gb,
    clientGroup: row.client_group,
    status: row.status,
    waitReason: row.wait_reason,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    queuedAt: row.queued_at,
    runningAt: row.running_at,
    finishedAt: row.finished_at,
    errorCode: row.error_code,
    terminatedCode: row.terminated_code,
    failureClass: row.failure_class,
    errormsg: row.errormsg,
    exitCode: row.exit_code,
    exitSignal: row.exit_signal,
  };
}

export function jobRecord(row: FullJobRow): JobRecord {
  return {
    ...jobOutline(row),
    parentJobId: row.parent_job_id,
    meta: row.meta,
    params: row.params,
    sourceObjects: row.source_objects,
    timeoutMs: row.timeout_ms,
    scheduler: row.scheduler,
    schedulerId: row.scheduler_id,
    schedulerHost: row.scheduler_host,
    peakMemoryMb: row.peak_memory_mb,
    cpuSeconds: row.cpu_seconds,
    estimatingAt: row.estimating_at,
    error: row.error,
    jobOutput: row.job_output,
    retryIds: row.retry_ids,
  };
}

export function batchRecord(row: BatchRow, childIds: readonly string[]): BatchRecord {
  return {
    batchId: row.batch_id,
    owner: row.owner,
    wsid: row.wsid,
    name: row.batch_name,
    meta: row.meta,
    status: row.status,
    terminatedCode: row.terminated_code,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    finishedAt: row.finished_at,
    childIds,
  };
}

export function dispatchRecord(row: DispatchRow): DispatchRecord {
  return {
    dispatchId: row.dispatch_id,
    dispatchNumber: row.dispatch_number,
    scheduler: row.scheduler,
    schedulerHost: row.scheduler_host,
    schedulerId: row.scheduler_id,
    openedAt: row.opened_at,
    submittedAt: row.submitted_at,
    startedAt: row.started_at,
    closedAt: row.closed_at,
    closeReason: row.close_reason,
    lateLines: row.late_lines,
    peakMemoryMb: row.peak_memory_mb,
    cpuSeconds: row.cpu_seconds,
  };
}

const time = (date: Date | null) => date?.toISOString() ?? null;

export function jobSummary(row: JobRow): JobSummary {
  return summaryOf(jobOutline(row));
}

/** A job of a list or of a lineage. */
export function summaryOf(job: JobOutline): JobSummary {
  return {
    job_id: job.jobId,
    batch_id: job.batchId,
    root_id: job.rootId,
    retry_number: job.retryNumber,
    superseded_by: job.supersededBy,
    retry_reason: job.retryReason,
    user: job.owner,
    wsid: job.wsid,
    method: job.method,
    commit: job.appCommit,
    tag: job.appTag,
    app_id: job.appId,
    input_key: job.inputKey,
    requirements: { cpus: job.cpus, memory_mb: job.memoryMb, disk_gb: job.diskGb, client_group: job.clientGroup },
    status: job.status,
    wait_reason: job.waitReason,
    created_at: job.createdAt.toISOString(),
    updated_at: job.updatedAt.toISOString(),
    queued_at: time(job.queuedAt),
    running_at: time(job.runningAt),
    finished_at: time(job.finishedAt),
    failure: job.status === 'error' ? failureOf(job) : null,
    terminated_code: job.terminatedCode,
  };
}

function failureOf(job: JobOutline): JobSummary['failure'] {
  return {
    error_code: job.errorCode,
    failure_class: job.failureClass,
    message: job.errormsg,
    exit_code: job.exitCode,
    exit_signal: job.exitSignal,
  };
}

export function batchItem(row: ItemRow): BatchItem {
  return {
    job_id: row.job_id,
    root_id: row.root_id,
    retry_number: row.retry_number,
    superseded: row.superseded,
    status: row.status,
    method: row.method,
    commit: row.app_commit,
    params_start: row.params_start,
    failure_class: row.failure_class,
    error_start: row.error_start,
    created_at: row.created_at.toISOString(),
    running_at: time(row.running_at),
    finished_at: time(row.finished_at),
  };
}

/** `counts` and `apps` are of all batches; those of this one are picked. */
export function batchView(
  row: BatchRow,
  counts: readonly BatchCountRow[],
  apps: ReadonlyMap<string, FirstAppRow>,
): BatchView {
  const mine = counts.filter((count) => count.batch_id === row.batch_id);
  const items = Object.fromEntries(STATUSES.map((status) => [status, 0])) as Record<Status, number>;
  for (const count of mine) items[count.status] = count.items;
  const app = apps.get(row.batch_id);
  return {
    batch_id: row.batch_id,
    name: row.batch_name,
    user: row.owner,
    wsid: row.wsid,
    state: batchState(items),
    cancelled: row.status === 'terminated',
    created_at: row.created_at.toISOString(),
    app: app === undefined ? null : { method: app.method, commit: app.app_commit, tag: app.app_tag },
    items: mine.reduce((sum, count) => sum + count.items, 0),
    retries: mine.reduce((sum, count) => sum + count.retries, 0),
    counts: items,
  };
}

export function eventView(row: EventRow): EventView {
  return {
    event_id: `${row.txid}-${row.event_id}`,
    kind: row.kind as EventView['kind'],
    job_id: row.job_id,
    batch_id: row.batch_id,
    user: row.owner,
    actor: row.actor,
    at: row.at.toISOString(),
    payload: new RawJson(row.payload),
  };
}
