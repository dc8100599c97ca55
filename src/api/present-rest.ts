/** The engine's records as the nouns of REST. */
import { RepriseError } from '../contract/errors.js';
import { RawJson } from '../contract/raw-json.js';
import type { JobDetail } from '../contract/schemas.js';
import type { Actor, DispatchRecord, Engine, JobRecord } from '../engine/engine.js';
import { summaryOf } from '../engine/present.js';

/** One readable job, or the refusal that says why not. */
export async function jobOf(engine: Engine, actor: Actor, jobId: string): Promise<JobRecord> {
  const found = (await engine.find(actor, [jobId])).get(jobId);
  if (found?.kind === 'job') return found.job;
  if (found?.kind === 'batch') {
    throw new RepriseError('IS_BATCH', `${jobId} is a batch; look at it with GET /api/v1/batches/${jobId}`);
  }
  if (found?.kind === 'unreadable') {
    throw new RepriseError(
      'FORBIDDEN',
      `User ${actor.user} does not have permission to JobPermissions.READ job ${jobId}`,
    );
  }
  throw new RepriseError('NOT_FOUND', `Cannot find job with ids: ['${jobId}']`);
}

const time = (date: Date | null) => date?.toISOString() ?? null;

export function jobDetail(job: JobRecord, dispatches: readonly DispatchRecord[]): JobDetail {
  const text = (json: string | null) => (json === null ? null : new RawJson(json));
  return {
    ...summaryOf(job),
    head_id: job.retryIds.at(-1) ?? job.rootId,
    retry_ids: [...job.retryIds],
    retry_count: job.retryIds.length,
    params: text(job.params),
    output: text(job.jobOutput),
    source_ws_objects: JSON.parse(job.sourceObjects) as string[],
    meta: JSON.parse(job.meta) as Record<string, string>,
    parent_job_id: job.parentJobId,
    timeout_ms: job.timeoutMs,
    dispatches: dispatches.map((dispatch) => ({
      dispatch_id: dispatch.dispatchId,
      dispatch_number: dispatch.dispatchNumber,
      scheduler: dispatch.scheduler,
      scheduler_host: dispatch.schedulerHost,
      scheduler_id: dispatch.schedulerId,
      opened_at: dispatch.openedAt.toISOString(),
      submitted_at: time(dispatch.submittedAt),
      started_at: time(dispatch.startedAt),
      closed_at: time(dispatch.closedAt),
      close_reason: dispatch.closeReason,
      late_lines: dispatch.lateLines,
      peak_memory_mb: dispatch.peakMemoryMb,
      cpu_seconds: dispatch.cpuSeconds,
    })),
  };
}
