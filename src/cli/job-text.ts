/** How one job reads. */

import type { RawJson } from '../contract/raw-json.js';
import type { JobDetail, JobSummary } from '../contract/schemas.js';
import {
  clock,
  clockAndAgo,
  counted,
  duration,
  fields,
  oneLine,
  safeLine,
  shortCommit,
  table,
  truncated,
} from './text.js';

export function runTime(job: Pick<JobSummary, 'running_at' | 'finished_at'>, now: Date): string | null {
  if (job.running_at === null) return null;
  const end = job.finished_at === null ? now.getTime() : Date.parse(job.finished_at);
  return duration(end - Date.parse(job.running_at));
}

const TERMINATIONS = ['by a user', 'by an admin', 'by automation', 'with its batch', 'by a failure of the server'];

/** Null for a job that did not fail. */
export function outcomeOf(job: JobSummary): string | null {
  if (job.status === 'terminated') return `cancelled ${TERMINATIONS[job.terminated_code ?? 0] ?? ''}`.trim();
  const { failure } = job;
  if (failure === null) return null;
  const how = failure.exit_signal ?? (failure.exit_code === null ? null : `exit code ${failure.exit_code}`);
  // the message of our own runner begins with it
  if (how !== null && failure.message?.includes(how)) return failure.failure_class ?? 'unknown';
  return [failure.failure_class ?? 'unknown', how].filter((part) => part !== null).join(', ');
}

export function requirementsOf({ cpus, memory_mb, disk_gb, client_group }: JobSummary['requirements']): string {
  const disk = disk_gb === null ? '' : `, ${disk_gb} GB disk`;
  return `${counted(cpus, 'cpu')}, ${memory_mb} MB${disk}${client_group === null ? '' : `, ${safeLine(client_group)}`}`;
}

export function jobText(job: JobDetail, now: Date, width: number): string {
  const entries: (readonly [string, string | null])[] = [
    ['method', safeLine(job.method)],
    ['commit', `${job.commit}${job.tag === null ? '' : ` (${safeLine(job.tag)})`}`],
    ['batch', job.batch_id],
    ['lineage', lineageOf(job)],
    ['why retried', job.retry_reason === null ? null : oneLine(job.retry_reason)],
    ['user', `${job.user}${job.wsid === null ? '' : `, workspace ${job.wsid}`}`],
    ['needs', requirementsOf(job.requirements)],
    ['created', clockAndAgo(job.created_at, now)],
    ['waits', job.wait_reason === null ? null : oneLine(job.wait_reason)],
    ['started', job.running_at === null ? null : clock(job.running_at)],
    ['ended', job.finished_at === null ? null : `${clockAndAgo(job.finished_at, now)}${ran(job, now)}`],
    [job.status === 'error' ? 'failure' : 'outcome', outcomeOf(job)],
    ['message', job.failure?.message == null ? null : messageText(job.failure.message)],
    ['params', valueText(job.params)],
    ['output', valueText(job.output)],
    ['input key', job.input_key],
  ];
  const dispatches = dispatchesText(job, width);
  return [`job ${job.job_id}  ${job.status}`, fields(entries, '  ', width), ...dispatches].join('\n');
}

const MOST_LINES = 12;

/** The end of a long message is what the app said last. */
function messageText(message: string): string {
  const lines = message.trimEnd().split(/\r?\n/).map(safeLine);
  if (lines.length <= MOST_LINES) return lines.join('\n');
  return [`… ${lines.length - MOST_LINES} lines before (--json has all)`, ...lines.slice(-MOST_LINES)].join('\n');
}

function ran(job: JobDetail, now: Date): string {
  const time = runTime(job, now);
  return time === null ? '' : `, ran ${time}`;
}

function lineageOf(job: JobDetail): string | null {
  if (job.retry_count === 0) return null;
  const place = job.retry_number === 0 ? 'the root' : `retry ${job.retry_number}`;
  const newest = job.head_id === job.job_id ? 'this is the newest' : `the newest is ${job.head_id}`;
  return `${place} of ${counted(job.retry_count, 'retry', 'retries')}; ${newest}`;
}

const MOST_SHOWN = 400;

function valueText(value: RawJson | null): string | null {
  return value === null || value.isNull ? null : truncated(oneLine(value.text), MOST_SHOWN);
}

function dispatchesText(job: JobDetail, width: number): string[] {
  if (job.dispatches.length === 0) return [];
  const rows = job.dispatches.map((dispatch) => [
    String(dispatch.dispatch_number),
    safeLine(dispatch.scheduler),
    safeLine(dispatch.scheduler_host ?? '-'),
    dispatch.cpu_seconds === null ? '-' : dispatch.cpu_seconds.toFixed(2),
    dispatch.peak_memory_mb === null ? '-' : String(Math.round(dispatch.peak_memory_mb)),
    dispatch.close_reason === null ? 'open' : oneLine(dispatch.close_reason),
  ]);
  return [`\n${table(['dispatch', 'scheduler', 'host', 'cpu s', 'peak MB', 'closed'], rows, { indent: '  ', width })}`];
}

/** What a retry has another than the job before it; nothing is as it should be. */
export function differences(before: JobSummary, job: JobSummary): string[] {
  const changes: string[] = [];
  if (before.commit !== job.commit) changes.push(`commit ${shortCommit(before.commit)} → ${shortCommit(job.commit)}`);
  if (before.input_key !== job.input_key) changes.push('other inputs');
  const [old, now] = [requirementsOf(before.requirements), requirementsOf(job.requirements)];
  if (old !== now) changes.push(`needs ${old} → ${now}`);
  return changes;
}
