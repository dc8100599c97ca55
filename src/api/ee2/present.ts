/** Jobs and batch parents as EE2 shows them: milliseconds, absent instead of null, lineages flat under their root. */
import type { JobFailure, JobState } from '../../contract/ee2.js';
import { idSeconds } from '../../contract/ids.js';
import { RawJson } from '../../contract/raw-json.js';
import type { BatchRecord, Found, JobRecord } from '../../engine/engine.js';

const AUTHSTRAT = 'kbaseworkspace';

const ms = (time: Date | null) => (time === null ? undefined : time.getTime());
const raw = (text: string | null) => (text === null ? undefined : new RawJson(text));

/** Members of `undefined` are left out when it is written. */
type Sparse<T> = { [K in keyof T]: T[K] | undefined };

export function jobState(job: JobRecord): JobState {
  const isRetry = job.retryNumber > 0;
  // as in EE2 only the root knows its retries; clients take a job with any as superseded
  const retryIds = isRetry ? [] : [...job.retryIds];
  const state: Sparse<JobState> = {
    user: job.owner,
    authstrat: AUTHSTRAT,
    wsid: job.wsid ?? undefined,
    status: job.status,
    updated: job.updatedAt.getTime(),
    queued: ms(job.queuedAt),
    estimating: ms(job.estimatingAt),
    running: ms(job.runningAt),
    finished: ms(job.finishedAt),
    batch_job: false,
    scheduler_type: job.queuedAt === null ? undefined : job.scheduler,
    scheduler_id: job.schedulerId ?? undefined,
    job_input: jobInput(job),
    job_output: raw(job.jobOutput),
    error: raw(job.error),
    errormsg: job.errormsg ?? undefined,
    error_code: job.errorCode ?? undefined,
    terminated_code: job.terminatedCode ?? undefined,
    child_jobs: [],
    retry_ids: retryIds,
    retry_parent: isRetry ? job.rootId : undefined,
    retry_saved_toggle: isRetry,
    retry_count: retryIds.length,
    job_id: job.jobId,
    batch_id: job.batchId,
    created: idSeconds(job.jobId) * 1000,
  };
  return state as JobState;
}

function jobInput(job: JobRecord): JobState['job_input'] {
  const input: Sparse<JobState['job_input']> = {
    wsid: job.wsid ?? undefined,
    method: job.method,
    params: raw(job.params),
    service_ver: job.appCommit,
    app_id: job.appId ?? undefined,
    parent_job_id: job.parentJobId ?? undefined,
    source_ws_objects: JSON.parse(job.sourceObjects) as string[],
    narrative_cell_info: JSON.parse(job.meta) as Record<string, string>,
    requirements: {
      clientgroup: job.clientGroup ?? job.scheduler,
      cpu: job.cpus,
      memory: job.memoryMb,
      disk: job.diskGb ?? 0,
    },
  };
  return input as JobState['job_input'];
}

export function parentState(batch: BatchRecord): JobState {
  const state: Sparse<JobState> = {
    user: batch.owner,
    authstrat: AUTHSTRAT,
    wsid: batch.wsid ?? undefined,
    status: batch.status,
    updated: batch.updatedAt.getTime(),
    finished: ms(batch.finishedAt),
    batch_job: true,
    job_input: {
      method: 'batch',
      service_ver: 'batch',
      app_id: 'batch',
      source_ws_objects: [],
      narrative_cell_info: JSON.parse(batch.meta) as Record<string, string>,
    },
    terminated_code: batch.terminatedCode ?? undefined,
    child_jobs: [...batch.childIds],
    retry_ids: [],
    retry_saved_toggle: false,
    retry_count: 0,
    job_id: batch.batchId,
    batch_id: null,
    created: idSeconds(batch.batchId) * 1000,
  };
  return state as JobState;
}

/** The state, or the object that stands in its place: always one with a `job_id`, which clients rely on. */
export function stateOf(id: string, found: Found | undefined): JobState | JobFailure {
  if (found?.kind === 'job') return jobState(found.job);
  if (found?.kind === 'batch') return parentState(found.batch);
  const failure =
    found?.kind === 'unreadable' ? `No read permissions for ${id}` : `Cannot find job with ids: ['${id}']`;
  return { job_id: id, failure, check_job_error: true };
}
