/**
 * The domain, as every transport sees it. Start reading at `submit.ts`. Errors that concern a whole call are thrown as
 * `RepriseError`; verdicts on single items are part of the answer.
 */
import type { Readable } from 'node:stream';
import type { RawJson } from '../contract/raw-json.js';
import type {
  BatchItem,
  BatchView,
  CancelResult,
  EventView,
  ItemError,
  JobRequest,
  JobSummary,
  LogPage,
  RetryResult,
  SubmitResult,
} from '../contract/schemas.js';
import type { Secret } from '../contract/secret.js';
import type { SchedulerOptions } from '../contract/settings.js';
import type { FailureClass, Status } from '../contract/status.js';
import type { WorkerAnswer, WorkerReport } from '../contract/worker.js';

/** Who asks, and with which power. `asAdmin` is a wish: the engine refuses it to those without the role. */
export interface Actor {
  readonly user: string;
  readonly admin: 'none' | 'read' | 'write';
  readonly asAdmin: boolean;
  /** Set when the caller is a runner: the token was good for this one dispatch. */
  readonly dispatchId?: string;
  /** What a user called with, for services that judge by it. Never recorded, logged or told. */
  readonly token?: Secret;
}

/** Makes a call repeatable: same caller, operation and id. `body` is what is compared. */
export interface Repeatable {
  readonly operation: string;
  readonly requestId: string | undefined;
  readonly body: string;
}

export type SubmitTarget =
  | { readonly kind: 'jobs' }
  | {
      readonly kind: 'batch';
      readonly name: string | null;
      readonly wsid: number | null;
      readonly meta: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'extend'; readonly batchId: string };

/** A job as a transport asks for it. */
export interface RunRequest extends JobRequest {
  readonly options?: SchedulerOptions;
  /** What the transport could not make sense of. It is told at its turn: a missing right is told before either. */
  readonly faults?: { readonly requirements?: ItemError; readonly form?: ItemError };
}

export interface SubmitOptions {
  readonly jobs: readonly RunRequest[];
  readonly target: SubmitTarget;
  readonly allOrNothing: boolean;
  readonly dryRun: boolean;
  readonly repeat: Repeatable;
}

export interface RetryOptions {
  /** Ids as asked for, any of the lineage; or all heads of a batch in the given states. */
  readonly what: { readonly ids: readonly string[] } | { readonly batchId: string; readonly states: readonly Status[] };
  readonly reason: string | null;
  readonly dryRun: boolean;
  readonly repeat: Repeatable;
}

/** What lists show of a job; times as Date. */
export interface JobOutline {
  readonly jobId: string;
  readonly batchId: string | null;
  readonly rootId: string;
  readonly retryNumber: number;
  readonly supersededBy: string | null;
  readonly retryReason: string | null;
  readonly owner: string;
  readonly wsid: number | null;
  readonly inputKey: string;
  readonly module: string;
  readonly method: string;
  readonly appCommit: string;
  readonly appTag: string | null;
  readonly appId: string | null;
  readonly cpus: number;
  readonly memoryMb: number;
  readonly diskGb: number | null;
  readonly clientGroup: string | null;
  readonly status: Status;
  readonly waitReason: string | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly queuedAt: Date | null;
  readonly runningAt: Date | null;
  readonly finishedAt: Date | null;
  readonly errorCode: number | null;
  readonly terminatedCode: number | null;
  readonly failureClass: FailureClass | null;
  readonly errormsg: string | null;
  readonly exitCode: number | null;
  readonly exitSignal: string | null;
}

/** One row of `jobs` with its inputs; JSON as text. */
export interface JobRecord extends JobOutline {
  readonly parentJobId: string | null;
  readonly meta: string;
  readonly params: string | null;
  readonly sourceObjects: string;
  readonly timeoutMs: number;
  readonly scheduler: string;
  /** Of the newest dispatch: its id at its scheduler, the machine, and what it used. */
  readonly schedulerId: string | null;
  readonly schedulerHost: string | null;
  readonly peakMemoryMb: number | null;
  readonly cpuSeconds: number | null;
  readonly estimatingAt: Date | null;
  readonly error: string | null;
  readonly jobOutput: string | null;
  /** Retries of this lineage in order; of a job that is itself a retry too. */
  readonly retryIds: readonly string[];
}

/** A batch, as the parent job that EE2 shows. */
export interface BatchRecord {
  readonly batchId: string;
  readonly owner: string;
  readonly wsid: number | null;
  readonly name: string | null;
  readonly meta: string;
  readonly status: 'created' | 'terminated';
  readonly terminatedCode: number | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly finishedAt: Date | null;
  /** All jobs of the batch in order of creation, retries among them. */
  readonly childIds: readonly string[];
}

export type Found =
  | { readonly kind: 'job'; readonly job: JobRecord }
  | { readonly kind: 'batch'; readonly batch: BatchRecord }
  | { readonly kind: 'unreadable' }
  | { readonly kind: 'unknown' };

export interface DispatchRecord {
  readonly dispatchId: string;
  readonly dispatchNumber: number;
  readonly scheduler: string;
  readonly schedulerHost: string | null;
  readonly schedulerId: string | null;
  readonly openedAt: Date;
  readonly submittedAt: Date | null;
  readonly startedAt: Date | null;
  readonly closedAt: Date | null;
  readonly closeReason: string | null;
  readonly lateLines: number;
  readonly peakMemoryMb: number | null;
  readonly cpuSeconds: number | null;
}

export interface JobFilter {
  readonly states: readonly Status[] | null;
  readonly user: string | null;
  readonly app: string | null;
  readonly batchId: string | null;
  readonly wsid: number | null;
  readonly inputKey: string | null;
  readonly latestOnly: boolean;
  readonly limit: number;
  readonly cursor: string | null;
}

export interface BatchFilter {
  /** Batches with an item (head) in one of these. */
  readonly states: readonly Status[] | null;
  readonly user: string | null;
  readonly app: string | null;
  readonly wsid: number | null;
  /** In the name, or the beginning of the id. */
  readonly search: string | null;
  readonly limit: number;
  readonly cursor: string | null;
}

export interface ItemFilter {
  readonly batchId: string;
  readonly states: readonly Status[] | null;
  readonly latestOnly: boolean;
  readonly limit: number;
  readonly cursor: string | null;
}

export interface RangeFilter {
  /** Ids strictly between these. */
  readonly after: string;
  readonly before: string;
  /** Null = everyone's; others' are for admins. */
  readonly user: string | null;
  /** JSON object of members of EE2's record that must be equal. */
  readonly filter: string;
  readonly schedulerId: string | null;
  readonly ascending: boolean;
  readonly skip: number;
  readonly limit: number;
}

export interface RangeFound {
  /** Of the whole range. */
  readonly total: number;
  /** One page, in its order. */
  readonly found: Map<string, Found>;
}

export interface EventFilter {
  readonly jobId: string | null;
  readonly batchId: string | null;
  /** An `event_id`; null = from the beginning; `now` = only what comes. */
  readonly after: string | null;
  readonly limit: number;
}

/** How an EE2 worker says a job ended; see `ee2-compatibility`. */
export interface FinishByCall {
  readonly errorMessage: string | null;
  readonly errorCode: number | null;
  /** Any JSON: object, string. */
  readonly error: RawJson | null;
  readonly output: RawJson | null;
}

export interface LineToAdd {
  readonly line: string;
  readonly isError: boolean;
  /** ms */
  readonly ts: number;
}

export interface LogSearch {
  readonly skip: number;
  /** Of lines found. */
  readonly limit: number;
  /** Upper and lower case alike. */
  readonly contains: string | null;
  readonly errorsOnly: boolean;
}

export interface LogsRead {
  readonly page: LogPage;
  readonly everLogged: boolean;
}

export interface Page<T> {
  readonly items: T[];
  readonly nextCursor: string | null;
}

export interface Engine {
  submit(actor: Actor, options: SubmitOptions): Promise<SubmitResult>;
  retry(actor: Actor, options: RetryOptions): Promise<RetryResult>;
  receipts(actor: Actor, requestId: string): Promise<RetryResult>;

  /** Each id asked is in the answer, in the order asked. */
  find(actor: Actor, ids: readonly string[]): Promise<Map<string, Found>>;
  /** All jobs and batches of a workspace, oldest first. */
  findInWorkspace(actor: Actor, wsid: number): Promise<Map<string, Found>>;
  findInRange(actor: Actor, filter: RangeFilter): Promise<RangeFound>;
  dispatchesOf(jobId: string): Promise<DispatchRecord[]>;
  /** Of a job, or of a batch's parent as EE2 shows it; one indexed look-up. */
  statusOf(actor: Actor, id: string): Promise<Status>;
  lineage(actor: Actor, jobId: string): Promise<JobRecord[]>;
  listJobs(actor: Actor, filter: JobFilter): Promise<Page<JobSummary>>;
  listBatches(actor: Actor, filter: BatchFilter): Promise<Page<BatchView>>;
  batch(actor: Actor, batchId: string): Promise<BatchView>;
  /** Oldest first. */
  listItems(actor: Actor, filter: ItemFilter): Promise<Page<BatchItem>>;
  /** After `now` is nothing yet: the page is empty, and `nextCursor` is where now was. */
  listEvents(actor: Actor, filter: EventFilter): Promise<Page<EventView>>;
  /** Calls back (coalesced, at most every 50 ms) when events may have been written. Returns the way to stop. */
  onEvents(listener: () => void): () => void;
  /** `null` limit = all, but no more than about 16 MB at a time: `next` says where to read on. A job that never logged has no lines and `everLogged` false. */
  logs(actor: Actor, jobId: string, skip: number, limit: number | null): Promise<LogsRead>;
  /** Looks at a bounded number of lines; a short page says in `next` where to look on. */
  searchLogs(actor: Actor, jobId: string, search: LogSearch): Promise<LogPage>;

  /** Ids of jobs or batches; a batch cancels its unfinished jobs. */
  cancel(actor: Actor, ids: readonly string[], terminatedCode: number | null): Promise<CancelResult>;
  start(actor: Actor, jobId: string, skipEstimation: boolean): Promise<void>;
  finish(actor: Actor, jobId: string, how: FinishByCall): Promise<void>;
  /** Whatever the status was, unless it is final. */
  forceStatus(actor: Actor, jobId: string, status: Status): Promise<void>;
  /** Ends the job that a scheduler holds under this id; answers its record afterwards. For write admins. */
  endHeldJob(actor: Actor, schedulerId: string): Promise<JobRecord>;
  /** Takes jobs out of a batch; they run on. Answers those that are left. */
  abandon(actor: Actor, batchId: string, jobIds: readonly string[]): Promise<readonly string[]>;
  /** Returns the number of stored lines afterwards. */
  addLogs(actor: Actor, jobId: string, lines: readonly LineToAdd[]): Promise<number>;
  /** Null when nothing was ever logged. For whoever may add. */
  countLog(actor: Actor, jobId: string): Promise<number | null>;
  /** Runners: each report is judged by its own token. */
  report(reports: readonly WorkerReport[]): Promise<WorkerAnswer[]>;
  /** Runners: the files of the commit that the dispatch of this token runs, as tar; to be read to the end or destroyed. */
  checkout(token: string, commit: string): Promise<Readable>;
}
