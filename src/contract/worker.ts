/**
 * What a runner says and hears. One call carries reports of many dispatches, so that many jobs share a commit. Each
 * report is proved by the token of its dispatch. EE2's single worker calls mean the same things.
 */
import { type Static, Type } from 'typebox';
import { FAILURE_CLASSES } from './status.js';

export const LogLine = Type.Object({
  line: Type.String(),
  is_error: Type.Boolean(),
  /** Milliseconds since the epoch. */
  ts: Type.Integer(),
});
export type LogLine = Static<typeof LogLine>;

export const FinishReport = Type.Object({
  /** Absent or null for a success. */
  failure_class: Type.Optional(Type.Union([Type.Null(), Type.Enum([...FAILURE_CLASSES])])),
  /** A sentence that ends with what the app said last. */
  error_message: Type.Optional(Type.Union([Type.Null(), Type.String()])),
  exit_code: Type.Union([Type.Null(), Type.Integer()]),
  exit_signal: Type.Union([Type.Null(), Type.String()]),
  /** The text of `output.json`, exactly; null on failure. */
  output: Type.Union([Type.Null(), Type.String()]),
  peak_memory_mb: Type.Union([Type.Null(), Type.Number()]),
  cpu_seconds: Type.Union([Type.Null(), Type.Number()]),
  /** Milliseconds since the epoch by the runner's clock; read against `sent_at`. Absent: the end is that of the report. */
  ended_at: Type.Optional(Type.Integer()),
});
export type FinishReport = Static<typeof FinishReport>;

const RunId = Type.String({ minLength: 1, maxLength: 100 });

/** Parts are carried out in this order: start, logs, finish, gone, next. None = a heartbeat. */
export const WorkerReport = Type.Object({
  token: Type.String(),
  /**
   * Records the start. Nothing may be spawned before the answer said `ok`. Repeating it for the same dispatch is ok, but by
   * the process that started it: `run`, a random text of each process, tells them apart where a scheduler may start two.
   */
  start: Type.Optional(Type.Object({ host: Type.String(), run: Type.Optional(RunId) })),
  /** `first` = how many lines of this dispatch were sent before; what the server already has is skipped. */
  logs: Type.Optional(Type.Object({ first: Type.Integer({ minimum: 0 }), lines: Type.Array(LogLine) })),
  /** Records the end. Repeating it is ok; after a cancel it only records usage. */
  finish: Type.Optional(FinishReport),
  /** The runner's clock when this is sent: clocks of machines differ, and a report may have waited for its server. */
  sent_at: Type.Optional(Type.Integer()),
  /** No process of this dispatch is left (or none was ever made): the dispatch is closed. */
  gone: Type.Optional(Type.Boolean()),
  /**
   * Beside `finish` and `gone`: this process can carry out another dispatch that waits at the scheduler, started with `run`.
   * Repeated with the same `run` it is given the same one; `only_given`: and no other.
   */
  next: Type.Optional(Type.Object({ host: Type.String(), run: RunId, only_given: Type.Optional(Type.Boolean()) })),
});
export type WorkerReport = Static<typeof WorkerReport>;

/** What to run; given with the answer to `start`. */
export const JobSpec = Type.Object({
  job_id: Type.String(),
  module: Type.String(),
  method: Type.String(),
  commit: Type.String(),
  /**
   * A git address (here: the path of a bare mirror) that holds the commit. Null: the command is not the app's but that of a
   * job runner of its own, which fetches, starts and ends the job itself.
   */
  repository: Type.Union([Type.Null(), Type.String()]),
  command: Type.Array(Type.String()),
  env: Type.Record(Type.String(), Type.String()),
  /** The text of input.json, exactly. */
  input: Type.String(),
  timeout_ms: Type.Integer(),
  cpus: Type.Integer(),
  memory_mb: Type.Integer(),
});
export type JobSpec = Static<typeof JobSpec>;

const Answer = Type.Object({
  ok: Type.Boolean(),
  /** Stable code and sentence when not ok, e.g. a start that lost against a cancel. The dispatch is to be given up. */
  error: Type.Optional(Type.Object({ code: Type.String(), message: Type.String() })),
  /** The job's status now. */
  status: Type.Optional(Type.String()),
  /** True when the job has been cancelled or ended otherwise, or the dispatch was given up: end the processes. */
  canceled: Type.Boolean(),
  /** How many lines of this dispatch the server has. */
  logs_received: Type.Integer(),
  job: Type.Optional(JobSpec),
});

export const WorkerAnswer = Type.Object({
  ...Answer.properties,
  /** Another dispatch for this process, started: `answer` is that to its start. */
  next: Type.Optional(Type.Object({ dispatch_id: Type.String(), token: Type.String(), answer: Answer })),
});
export type NextDispatch = NonNullable<WorkerAnswer['next']>;
export type WorkerAnswer = Static<typeof WorkerAnswer>;

export const WorkerReports = Type.Object({ reports: Type.Array(WorkerReport, { maxItems: 1000 }) });
export type WorkerReports = Static<typeof WorkerReports>;
/** In the order of the reports. */
export const WorkerAnswers = Type.Object({ answers: Type.Array(WorkerAnswer) });
export type WorkerAnswers = Static<typeof WorkerAnswers>;
