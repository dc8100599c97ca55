/** Rows of the store as records of the engine and as nouns of the contract. */

import { RawJson } from '../contract/raw-json.js';
import type { BatchItem, BatchView, EventView, JobSummary } from '../contract/schemas.js';
import { batchState, STATUSES, type Status } from '../contract/status.js';
import type { BatchCountRow, BatchRow, FirstAppRow } from '../store/batches.js';
import type { DispatchRow } from '../store/dispatches.js';
import type { EventRow } from '../store/events.js';
import type { ItemRow } from '../store/items.js';
import type { FullJobRow, JobRow } from '../store/jobs.js';
import type { BatchRecord, DispatchRecord, JobRecord } from './engine.js';

export function jobRecord(row: FullJobRow): JobRecord {
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
    parentJobId: row.parent_job_id,
    meta: row.meta,
    params: row.params,
    sourceObjects: row.source_objects,
    cpus: row.cpus,
    memoryMb: row.memory_mb,
    diskGb: row.disk_gb,
    clientGroup: row.client_group,
    timeoutMs: row.timeout_ms,
    scheduler: row.scheduler,
    schedulerId: row.scheduler_id,
    schedulerHost: row.scheduler_host,
    peakMemoryMb: row.peak_memory_mb,
    cpuSeconds: row.cpu_seconds,
    status: row.status,
    waitReason: row.wait_reason,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    queuedAt: row.queued_at,
    estimatingAt: row.estimating_at,
    runningAt: row.running_at,
    finishedAt: row.finished_at,
    errorCode: row.error_code,
    terminatedCode: row.terminated_code,
    failureClass: row.failure_class,
    errormsg: row.errormsg,
    error: row.error,
    exitCode: row.exit_code,
    exitSignal: row.exit_signal,
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
  return {
    job_id: row.job_id,
    batch_id: row.batch_id,
    root_id: row.root_id,
    retry_number: row.retry_number,
    superseded_by: row.superseded_by,
    retry_reason: row.retry_reason,
    user: row.owner,
    wsid: row.wsid,
    method: row.method,
    commit: row.app_commit,
    tag: row.app_tag,
    app_id: row.app_id,
    input_key: row.input_key,
    requirements: {
      cpus: row.cpus,
      memory_mb: row.memory_mb,
      disk_gb: row.disk_gb,
      client_group: row.client_group,
    },
    status: row.status,
    wait_reason: row.wait_reason,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    queued_at: time(row.queued_at),
    running_at: time(row.running_at),
    finished_at: time(row.finished_at),
    failure: row.status === 'error' ? failureOf(row) : null,
    terminated_code: row.terminated_code,
  };
}

function failureOf(row: JobRow): JobSummary['failure'] {
  return {
    error_code: row.error_code,
    failure_class: row.failure_class,
    message: row.errormsg,
    exit_code: row.exit_code,
    exit_signal: row.exit_signal,
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
