/** A schema for every noun that crosses the wire in REST. Static types come from here only. Times are RFC 3339. */
import { type Static, type TSchema, type TSchemaOptions, Type } from 'typebox';
import { REFUSAL_CODES } from './errors.js';
import { EVENT_KINDS } from './events.js';
import { JOB_ID_PATTERN } from './ids.js';
import type { RawJson } from './raw-json.js';
import { BATCH_STATES, FAILURE_CLASSES, STATUSES } from './status.js';

const nullable = <S extends TSchema>(schema: S, options: TSchemaOptions = {}) =>
  Type.Union([Type.Null(), schema], options);
const words = <const T extends readonly string[]>(values: T) => Type.Unsafe<T[number]>(Type.Enum([...values]));

/** Any JSON; its text is kept exactly. */
export const Json = Type.Unsafe<RawJson>({ description: 'Any JSON. The text is kept exactly as sent.' });
export const JobId = Type.String({ pattern: JOB_ID_PATTERN, description: '24 lower-case hex characters' });
/** Not checked for its form: an unknown or malformed id is refused item by item, not with the whole call. */
const AnyId = Type.String({ maxLength: 200 });
const Time = Type.String({ format: 'date-time' });
const Flag = Type.Boolean({ default: false });

export const StatusName = words(STATUSES);
export const Limit = Type.Integer({ minimum: 1, maximum: 1000, default: 100 });
export const Cursor = Type.String({ maxLength: 200, description: '`next_cursor` of the page before' });
export const AsAdmin = Type.Boolean({ default: false, description: 'Use the admin role; refused without one.' });
export const RequestId = Type.String({
  minLength: 1,
  maxLength: 200,
  description: 'Makes the call repeatable for 7 days. The header Idempotency-Key says the same.',
});
export const DryRun = Type.Boolean({ default: false, description: 'Give the verdicts and record nothing.' });
export const Reason = Type.String({ maxLength: 2000, description: 'Why; kept with the books.' });

export const Requirements = Type.Object(
  {
    cpus: Type.Integer({ minimum: 1 }),
    memory_mb: Type.Integer({ minimum: 1 }),
    disk_gb: nullable(Type.Integer({ minimum: 1 })),
    client_group: nullable(Type.String()),
  },
  { additionalProperties: false },
);
export type Requirements = Static<typeof Requirements>;

export const JobRequest = Type.Object(
  {
    method: Type.String({ description: 'module.method', maxLength: 200 }),
    params: Type.Optional(Json),
    version: Type.Optional(Type.String({ description: 'A tag or a commit; `release` when absent.', maxLength: 200 })),
    requirements: Type.Optional(Type.Partial(Requirements)),
    wsid: Type.Optional(Type.Integer({ minimum: 1 })),
    app_id: Type.Optional(Type.String({ maxLength: 200 })),
    parent_job_id: Type.Optional(Type.String({ maxLength: 200 })),
    source_ws_objects: Type.Optional(Type.Array(Type.String())),
    meta: Type.Optional(Type.Record(Type.String(), Type.String())),
  },
  { additionalProperties: false },
);
export type JobRequest = Static<typeof JobRequest>;

export const ItemError = Type.Object({ code: Type.String(), message: Type.String() });
export type ItemError = Static<typeof ItemError>;

/** The verdict on one job of a submission, in the order of the request. */
export const SubmitItem = Type.Object({
  index: Type.Integer(),
  accepted: Type.Boolean(),
  job_id: nullable(JobId),
  commit: nullable(Type.String()),
  error: nullable(ItemError),
});
export type SubmitItem = Static<typeof SubmitItem>;

export const SubmitResult = Type.Object({
  request_id: nullable(Type.String()),
  dry_run: Type.Boolean(),
  batch_id: nullable(JobId),
  accepted: Type.Integer(),
  refused: Type.Integer(),
  items: Type.Array(SubmitItem),
});
export type SubmitResult = Static<typeof SubmitResult>;

export const Failure = Type.Object({
  error_code: nullable(Type.Integer()),
  failure_class: nullable(words(FAILURE_CLASSES)),
  message: nullable(Type.String()),
  exit_code: nullable(Type.Integer()),
  exit_signal: nullable(Type.String()),
});

const jobMembers = {
  job_id: JobId,
  batch_id: nullable(JobId),
  root_id: JobId,
  retry_number: Type.Integer({ description: '0 is the root' }),
  superseded_by: nullable(JobId),
  retry_reason: nullable(Type.String()),
  user: Type.String(),
  wsid: nullable(Type.Integer()),
  method: Type.String(),
  commit: Type.String(),
  tag: nullable(Type.String({ description: 'The tag asked for when the root was submitted' })),
  app_id: nullable(Type.String()),
  input_key: Type.String({ description: 'Equal for equal inputs, anywhere' }),
  requirements: Requirements,
  status: StatusName,
  wait_reason: nullable(Type.String()),
  created_at: Time,
  updated_at: Time,
  queued_at: nullable(Time),
  running_at: nullable(Time),
  finished_at: nullable(Time),
  failure: nullable(Failure),
  terminated_code: nullable(Type.Integer()),
};
export const JobSummary = Type.Object(jobMembers);
export type JobSummary = Static<typeof JobSummary>;

export const DispatchView = Type.Object({
  dispatch_id: Type.String(),
  dispatch_number: Type.Integer(),
  scheduler: Type.String(),
  scheduler_host: nullable(Type.String()),
  scheduler_id: nullable(Type.String()),
  opened_at: Time,
  submitted_at: nullable(Time),
  started_at: nullable(Time),
  closed_at: nullable(Time),
  close_reason: nullable(Type.String()),
  late_lines: Type.Integer(),
  peak_memory_mb: nullable(Type.Number()),
  cpu_seconds: nullable(Type.Number()),
});
export type DispatchView = Static<typeof DispatchView>;

export const JobDetail = Type.Object({
  ...jobMembers,
  head_id: JobId,
  retry_ids: Type.Array(JobId, { description: 'Of the whole lineage, in order' }),
  retry_count: Type.Integer(),
  params: nullable(Json),
  output: nullable(Json),
  source_ws_objects: Type.Array(Type.String()),
  meta: Type.Record(Type.String(), Type.String()),
  parent_job_id: nullable(Type.String()),
  timeout_ms: Type.Integer(),
  dispatches: Type.Array(DispatchView),
});
export type JobDetail = Static<typeof JobDetail>;

export const Lineage = Type.Object({
  root_id: JobId,
  head_id: JobId,
  retry_count: Type.Integer(),
  jobs: Type.Array(JobSummary, { description: 'Root first' }),
});
export type Lineage = Static<typeof Lineage>;

export const Counts = Type.Object({
  created: Type.Integer(),
  estimating: Type.Integer(),
  queued: Type.Integer(),
  running: Type.Integer(),
  completed: Type.Integer(),
  error: Type.Integer(),
  terminated: Type.Integer(),
});
export type Counts = Static<typeof Counts>;

export const BatchView = Type.Object({
  batch_id: JobId,
  name: nullable(Type.String()),
  user: Type.String(),
  wsid: nullable(Type.Integer()),
  state: words(BATCH_STATES),
  cancelled: Type.Boolean(),
  created_at: Time,
  app: nullable(Type.Object({ method: Type.String(), commit: Type.String(), tag: nullable(Type.String()) }), {
    description: 'What its first job runs; others may run something else',
  }),
  items: Type.Integer({ description: 'Logical items: lineages, not jobs' }),
  retries: Type.Integer({ description: 'Jobs that are retries' }),
  counts: Counts,
});
export type BatchView = Static<typeof BatchView>;

/** A job of a batch in one short row, so that ten thousand can be shown at once. */
export const BatchItem = Type.Object({
  job_id: JobId,
  root_id: JobId,
  retry_number: Type.Integer(),
  superseded: Type.Boolean({ description: 'A newer retry took its place' }),
  status: StatusName,
  method: Type.String(),
  commit: Type.String(),
  params_start: nullable(Type.String({ description: 'The first 120 characters of the parameters' })),
  failure_class: nullable(words(FAILURE_CLASSES)),
  error_start: nullable(Type.String({ description: 'The first 200 characters of the error message' })),
  created_at: Time,
  running_at: nullable(Time),
  finished_at: nullable(Time),
});
export type BatchItem = Static<typeof BatchItem>;

/** The durable answer for one item of a retry request, in the order of the request. */
export const Receipt = Type.Object({
  index: Type.Integer(),
  requested_id: Type.String(),
  accepted: Type.Boolean(),
  root_id: nullable(JobId),
  retry_id: nullable(JobId),
  retry_number: nullable(Type.Integer()),
  code: nullable(words(REFUSAL_CODES)),
  message: nullable(Type.String()),
  blocking_id: nullable(Type.String({ description: 'The job that stands in the way' })),
});
export type Receipt = Static<typeof Receipt>;

export const RetryResult = Type.Object({
  request_id: nullable(Type.String()),
  dry_run: Type.Boolean(),
  reason: nullable(Type.String()),
  accepted: Type.Integer(),
  refused: Type.Integer(),
  receipts: Type.Array(Receipt),
});
export type RetryResult = Static<typeof RetryResult>;

export const CancelResult = Type.Object({
  items: Type.Array(
    Type.Object({
      requested_id: Type.String(),
      cancelled: Type.Integer({ description: 'Jobs that this call ended (0 when all had ended before)' }),
      error: nullable(ItemError),
    }),
  ),
});
export type CancelResult = Static<typeof CancelResult>;

export const LogPage = Type.Object({
  job_id: JobId,
  lines: Type.Array(
    Type.Object({
      position: Type.Integer(),
      line: Type.String(),
      is_error: Type.Boolean(),
      ts: Type.Integer({ description: 'Milliseconds since the epoch' }),
      late: Type.Boolean(),
    }),
  ),
  next: Type.Integer({ description: 'Pass as `skip` to read on: the position after the last line looked at' }),
  total: Type.Integer(),
  finished: Type.Boolean({ description: 'The job has ended' }),
});
export type LogPage = Static<typeof LogPage>;

export const EventView = Type.Object({
  event_id: Type.String({ description: 'A cursor: pass it as `after` or Last-Event-ID to read on' }),
  kind: words(EVENT_KINDS),
  job_id: nullable(JobId),
  batch_id: nullable(JobId),
  user: Type.String(),
  actor: nullable(Type.String()),
  at: Time,
  payload: Json,
});
export type EventView = Static<typeof EventView>;

export const AppVersion = Type.Object({
  commit: Type.String(),
  added_at: Time,
  added_by: Type.String(),
  withdrawn_at: nullable(Time),
  withdrawn_by: nullable(Type.String()),
  withdrawn_reason: nullable(Type.String()),
  methods: Type.Array(Type.String()),
});
export const AppTag = Type.Object({
  tag: Type.String(),
  commit: Type.String(),
  moved_at: Time,
  moved_by: Type.String(),
});
export const TagMove = Type.Object({
  tag: Type.String(),
  from_commit: nullable(Type.String()),
  to_commit: Type.String(),
  moved_at: Time,
  moved_by: Type.String(),
});
export const AppView = Type.Object({
  module: Type.String(),
  repository: Type.String(),
  added_at: Time,
  added_by: Type.String(),
  tags: Type.Array(AppTag),
});
export type AppView = Static<typeof AppView>;
export const AppDetail = Type.Object({
  ...AppView.properties,
  versions: Type.Array(AppVersion),
  tag_history: Type.Array(TagMove, { description: 'Newest first' }),
});
export type AppDetail = Static<typeof AppDetail>;
export const AppAdded = Type.Object({
  module: Type.String(),
  commit: Type.String(),
  tag: nullable(Type.String()),
  moved_from: nullable(Type.String()),
});
export type AppAdded = Static<typeof AppAdded>;

/** A method at one version, as a job submitted now would get it. */
export const MethodView = Type.Object({
  method: Type.String({ description: 'module.method' }),
  commit: Type.String(),
  tag: nullable(Type.String({ description: 'The tag asked for; null if a commit was' })),
  timeout_ms: Type.Integer(),
  requirements: Requirements,
  params_schema: Type.Unknown({ description: 'The JSON Schema of the parameters, or null' }),
});
export type MethodView = Static<typeof MethodView>;

export const AdminRole = words(['read', 'write'] as const);
export const MemberRole = words(['read', 'write', 'admin', 'none'] as const);
export const TokenView = Type.Object({
  token_id: Type.String(),
  user: Type.String(),
  name: Type.String(),
  created_at: Time,
  created_by: Type.String(),
  expires_at: nullable(Time),
  revoked_at: nullable(Time),
});
export type TokenView = Static<typeof TokenView>;
export const TokenCreated = Type.Object({ ...TokenView.properties, token: Type.String() });
export type TokenCreated = Static<typeof TokenCreated>;
export const WorkspaceView = Type.Object({
  wsid: Type.Integer(),
  name: Type.String(),
  created_by: Type.String(),
  role: MemberRole,
  members: Type.Array(Type.Object({ user: Type.String(), role: MemberRole })),
});
export type WorkspaceView = Static<typeof WorkspaceView>;

export const Finding = Type.Object({
  check: Type.String({ description: 'The name of the rule that does not hold' }),
  rule: Type.String(),
  id: Type.String({ description: 'Of the job, lineage, batch, request, inputs or constraint' }),
  detail: Type.String(),
  mended: Type.Boolean(),
});
export type Finding = Static<typeof Finding>;
export const Examination = Type.Object({
  looked: Type.Record(Type.String(), Type.Integer(), { description: 'How many were looked at, by kind' }),
  findings: Type.Array(Finding),
  next_cursor: nullable(Type.String()),
});
export type Examination = Static<typeof Examination>;

export const page = <S extends TSchema>(item: S) =>
  Type.Object({ items: Type.Array(item), next_cursor: nullable(Type.String()) });
export { AnyId, Flag, nullable };
