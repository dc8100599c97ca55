/** The seam to whatever runs jobs. `test/conformance/scheduler.ts` runs on every implementation. */
import type { SchedulerOptions } from '../contract/settings.js';

/** What the scheduler's own record may be marked with, for people who look at it. */
export interface SubmissionLabels {
  readonly batchId: string | null;
  readonly parentJobId: string | null;
  /** module.method */
  readonly method: string;
  readonly appId: string | null;
  readonly wsid: number | null;
}

/** One dispatch to hand over. The scheduler names its own record after `dispatchId`, so it can be found again. */
export interface Submission {
  readonly dispatchId: string;
  readonly jobId: string;
  /** Good for this one dispatch; goes to the runner by a private channel, never on a command line. */
  readonly token: string;
  readonly owner: string;
  readonly cpus: number;
  readonly memoryMb: number;
  readonly diskGb: number | null;
  readonly clientGroup: string | null;
  readonly timeoutMs: number;
  readonly options?: SchedulerOptions;
  readonly labels?: SubmissionLabels;
}

/**
 * `accepted`: the scheduler has it. `rejected`: it never will, and says why. `unknown`: no answer; look it up with
 * `find` before submitting again. `full`: not now; try again later.
 */
export interface SubmissionOutcome {
  readonly dispatchId: string;
  readonly outcome: 'accepted' | 'rejected' | 'unknown' | 'full';
  readonly schedulerId: string | null;
  readonly reason: string | null;
}

/** `gone`: it ended or never was, and no process of it is left. */
export type DispatchState = 'pending' | 'running' | 'gone';

/** What could be handed over now. `jobs` bounds their number, `prefetch` included. */
export interface Capacity {
  readonly cpus: number;
  readonly memoryMb: number;
  readonly jobs: number;
  /** Why nothing or little fits, as a job's `wait_reason`; null when there is room. */
  readonly reason: string | null;
}

/** The largest single job this scheduler could ever run. */
export interface Limits {
  readonly cpus: number;
  readonly memoryMb: number;
}

export interface Scheduler {
  readonly name: string;
  /** Identifies this machine's scheduler in `dispatches.scheduler_host`; null where any server may ask it. */
  readonly host: string | null;
  /** It starts nothing: anyone who may can start its jobs, and a dispatch ends with its job. */
  readonly external?: true;
  limits(): Limits;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** `isShared`: other machines take jobs too, so nothing is to be had ready here that could begin there. */
  capacity(isShared?: boolean): Promise<Capacity>;
  /** One call for many. Answers in the order given; never throws for a single item. */
  submitMany(submissions: readonly Submission[]): Promise<SubmissionOutcome[]>;
  /** The scheduler's ids of those it knows by their dispatch id. */
  find(dispatchIds: readonly string[]): Promise<Map<string, string>>;
  /** Every id asked is in the answer. Throws only if the scheduler cannot be asked at all. */
  poll(dispatchIds: readonly string[]): Promise<Map<string, DispatchState>>;
  /** Ends process groups: TERM, grace, KILL. Returns when the request is passed on; `poll` says when they are gone. */
  cancel(dispatchIds: readonly string[]): Promise<void>;
  /** A hint that capacity was freed or a dispatch ended. */
  onChange(listener: () => void): void;
}
