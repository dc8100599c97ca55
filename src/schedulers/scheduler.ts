/** The seam to whatever runs jobs. `test/conformance/scheduler.ts` runs on every implementation. */
import type { SchedulerOptions } from '../contract/settings.js';
import type { FailureClass } from '../contract/status.js';

/** What the scheduler's own record may be marked with, for people who look at it. */
export interface SubmissionLabels {
  readonly batchId: string | null;
  readonly parentJobId: string | null;
  /** module.method */
  readonly method: string;
  readonly appId: string | null;
  readonly wsid: number | null;
}

/** One dispatch to hand over. The scheduler's own record bears a name that is known before, so it can be found again. */
export interface Submission {
  readonly dispatchId: string;
  /** What `plan` said, recorded with the dispatch; null where a scheduler plans no names and takes the dispatch's id. */
  readonly name: string | null;
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

/** A dispatch as it is recorded, to ask its scheduler about it. */
export interface DispatchRef {
  readonly dispatchId: string;
  readonly name: string | null;
  /** A hint only: schedulers lose ids and give them again. */
  readonly schedulerId: string | null;
}

/** How a dispatch ended that did not say so itself. */
export interface DispatchEnd {
  /** `terminated`: somebody cancelled it at the scheduler. */
  readonly status: 'error' | 'terminated';
  readonly failureClass: FailureClass;
  readonly message: string;
  readonly exitCode: number | null;
  readonly exitSignal: string | null;
  /** The operator wants a job with this end to be dispatched anew, even if it had started. */
  readonly again?: true;
}

/**
 * `pending`: not begun, perhaps with the scheduler's reason. `gone`: it ended or never was, and no process of it is left;
 * with its end, where the scheduler knows one.
 */
export type DispatchState =
  | { readonly state: 'pending'; readonly reason: string | null }
  | { readonly state: 'running' }
  | { readonly state: 'gone'; readonly end: DispatchEnd | null };

/** Of schedulers that know no more. */
export function plainState(state: DispatchState['state']): DispatchState {
  if (state === 'pending') return { state, reason: null };
  return state === 'running' ? { state } : { state, end: null };
}

/** What could be handed over now. `jobs` bounds their number in one submission, `prefetch` included. */
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

/** Which dispatches a process of a scheduler may carry out after its own. */
export interface GoesOn {
  /** Their names begin with this. */
  readonly names: string;
  /** A job that waits for one of these there only waits for its turn. */
  readonly reasons: readonly string[];
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
  /** Why it would never take a job with these options, as a sentence; null if it would. */
  refusal?(options: SchedulerOptions): string | null;
  /** Names for submissions, in their order; recorded before they are handed over. */
  plan?(submissions: readonly Submission[]): string[];
  /** One call for many. Answers in the order given; never throws for a single item. */
  submitMany(submissions: readonly Submission[]): Promise<SubmissionOutcome[]>;
  /** The scheduler's ids of those it knows, by dispatch id. */
  find(refs: readonly DispatchRef[]): Promise<Map<string, string>>;
  /** By dispatch id; every one asked is in the answer. Throws only if the scheduler cannot be asked at all. */
  poll(refs: readonly DispatchRef[]): Promise<Map<string, DispatchState>>;
  /** Null: none. A scheduler without this starts a process for each dispatch. */
  goesOn?(name: string): GoesOn | null;
  /** Ends process groups: TERM, grace, KILL. Returns when the request is passed on; `poll` says when they are gone. */
  cancel(refs: readonly DispatchRef[]): Promise<void>;
  /** A hint that capacity was freed or a dispatch ended. */
  onChange(listener: () => void): void;
}
