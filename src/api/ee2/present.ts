/** Jobs and batch parents as EE2 shows them: milliseconds, absent instead of null, lineages flat under their root. */
import { JOB_ADS, type JobAd, type JobFailure, type JobState } from '../../contract/ee2.js';
import { idSeconds } from '../../contract/ids.js';
import { RawJson } from '../../contract/raw-json.js';
import type { BatchRecord, Found, JobRecord } from '../../engine/engine.js';

const AUTHSTRAT = 'kbaseworkspace';

const ms = (time: Date | null) => (time === null ? undefined : time.getTime());
const raw = (text: string | null) => (text === null ? undefined : new RawJson(text));

/** Members of `undefined` are left out when it is written. */
type Sparse<T> = { [K in keyof T]: T[K] | undefined };

function jobState(job: JobRecord): JobState {
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
    condor_job_ads: jobAds(job),
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
    requirements: {
      clientgroup: job.clientGroup ?? job.scheduler,
      cpu: job.cpus,
      memory: job.memoryMb,
      disk: job.diskGb ?? 0,
    },
    narrative_cell_info: JSON.parse(job.meta) as Record<string, string>,
  };
  return input as JobState['job_input'];
}

function parentState(batch: BatchRecord): JobState {
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

/** Only for jobs that were found. */
export function storedState(found: Found): Omit<JobState, 'batch_id' | 'retry_count'> & { batch_id?: string } {
  if (found.kind !== 'job' && found.kind !== 'batch') throw new Error(`a job that is ${found.kind} was to be shown`);
  const {
    batch_id: batchId,
    retry_count: _,
    ...stored
  } = found.kind === 'job' ? jobState(found.job) : parentState(found.batch);
  return batchId === null ? stored : { ...stored, batch_id: batchId };
}

const TIMES = ['updated', 'queued', 'estimating', 'running', 'finished'] as const;

/** The document as EE2 keeps it: times in seconds, nothing computed. */
export function document(job: JobRecord): Record<string, unknown> {
  const { job_id: id, created: _, ...stored } = storedState({ kind: 'job', job }) as JobState;
  const seconds = TIMES.map((name) => [name, stored[name] === undefined ? undefined : inSeconds(stored[name])]);
  return { _id: id, ...stored, ...Object.fromEntries(seconds) };
}

/** A float, also on the whole second: Python's clients tell seconds from milliseconds by it. */
function inSeconds(milliseconds: number): RawJson {
  return new RawJson((milliseconds / 1000).toFixed(3));
}

/** Of jobs that had started and were finished, not cancelled. What is not known here is null, as in HTCondor's own. */
function jobAds(job: JobRecord): JobState['condor_job_ads'] {
  if (job.runningAt === null || (job.status !== 'completed' && job.status !== 'error')) return undefined;
  const [started, ended] = [seconds(job.runningAt), seconds(job.finishedAt)];
  const kilobytes = job.peakMemoryMb === null ? null : Math.round(job.peakMemoryMb * 1024);
  const known: Partial<Record<JobAd, number | string | null>> = {
    RemoteUserCpu: job.cpuSeconds,
    CpusUsage: job.cpuSeconds === null || ended === null ? null : job.cpuSeconds / Math.max(ended - (started ?? 0), 1),
    ResidentSetSize_RAW: kilobytes,
    ResidentSetSize: kilobytes,
    RemoteHost: null,
    LastRemoteHost: job.schedulerHost,
    CompletionDate: ended,
    JobCurrentStartDate: started,
    JobCurrentStartExecutingDate: started,
  };
  return Object.fromEntries(JOB_ADS.map((name) => [name, known[name] ?? null]));
}

const seconds = (time: Date | null) => (time === null ? null : Math.floor(time.getTime() / 1000));
