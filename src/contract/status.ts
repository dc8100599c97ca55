/** The state machine of a job. The statements in `store/` carry the same guards; a test compares every pair. */

export const STATUSES = ['created', 'estimating', 'queued', 'running', 'completed', 'error', 'terminated'] as const;
export type Status = (typeof STATUSES)[number];

/**
 * Where a job may go from each status. `running → queued` does not exist: a late "queued" only adds a time.
 * `queued → created` is a dispatch that was lost before the job started; `running → created` and `estimating → created` one that
 * was lost after, where the operator wants it begun anew (`slurm.requeue`).
 */
export const TRANSITIONS: Readonly<Record<Status, readonly Status[]>> = {
  created: ['queued', 'estimating', 'running', 'completed', 'error', 'terminated'],
  estimating: ['created', 'running', 'completed', 'error', 'terminated'],
  queued: ['created', 'estimating', 'running', 'completed', 'error', 'terminated'],
  running: ['created', 'completed', 'error', 'terminated'],
  completed: [],
  error: [],
  terminated: [],
};

export const TERMINAL_STATUSES = ['completed', 'error', 'terminated'] as const satisfies readonly Status[];
export const RETRYABLE_STATUSES = ['error', 'terminated'] as const satisfies readonly Status[];
export type TerminalStatus = (typeof TERMINAL_STATUSES)[number];

export function isTerminal(status: Status): status is TerminalStatus {
  return TRANSITIONS[status].length === 0;
}

export function isRetryable(status: Status): boolean {
  return (RETRYABLE_STATUSES as readonly Status[]).includes(status);
}

/** Computed from the states of a batch's items (the heads of its lineages); see `batchState`. */
export const BATCH_STATES = ['empty', 'waiting', 'running', 'completed', 'error', 'terminated'] as const;
export type BatchState = (typeof BATCH_STATES)[number];

export type StatusCounts = Readonly<Record<Status, number>>;

/**
 * The state of a batch in REST, CLI and UI:
 *
 * | items                                     | state      |
 * | ----------------------------------------- | ---------- |
 * | none                                      | empty      |
 * | any running or estimating                 | running    |
 * | some ended, some not                      | running    |
 * | none ended, all created or queued         | waiting    |
 * | all ended, any error                      | error      |
 * | all ended, no error, any terminated       | terminated |
 * | all completed                             | completed  |
 */
export function batchState(items: StatusCounts): BatchState {
  const total = STATUSES.reduce((sum, status) => sum + items[status], 0);
  const ended = items.completed + items.error + items.terminated;
  if (total === 0) return 'empty';
  if (ended < total) return ended > 0 || items.running > 0 || items.estimating > 0 ? 'running' : 'waiting';
  if (items.error > 0) return 'error';
  return items.terminated > 0 ? 'terminated' : 'completed';
}

/** EE2's `error_code`; memory and application failures share 1 and are told apart by `failure_class`. */
export const ERROR_CODES = {
  unknown: 0,
  crashed: 1,
  platform: 2,
  time: 3,
  output: 4,
  token: 5,
  submission: 6,
} as const;

/** EE2's `terminated_code`. */
export const TERMINATED_CODES = { user: 0, admin: 1, automation: 2, batch: 3, server: 4 } as const;

export const FAILURE_CLASSES = ['app', 'memory', 'time', 'output', 'platform', 'submission', 'user'] as const;
export type FailureClass = (typeof FAILURE_CLASSES)[number];

/** The `error_code` that goes with a failure class when the caller named none. */
export const ERROR_CODE_OF: Readonly<Record<FailureClass, number>> = {
  app: ERROR_CODES.crashed,
  memory: ERROR_CODES.crashed,
  time: ERROR_CODES.time,
  output: ERROR_CODES.output,
  platform: ERROR_CODES.platform,
  submission: ERROR_CODES.submission,
  user: ERROR_CODES.unknown,
};
