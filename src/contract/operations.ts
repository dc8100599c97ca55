/**
 * The table of operations: what can be asked, its EE2 (JSON-RPC) name, its REST route, its parameters, its result and
 * who may ask. JSON-RPC, REST, OpenAPI, the client and the CLI all read this table; `api/handlers.ts` has the code.
 */
import { type Static, type TSchema, Type } from 'typebox';
import * as ee2 from './ee2.js';
import type { RawPath } from './raw-json.js';
import * as s from './schemas.js';
import { WorkerAnswers, WorkerReports } from './worker.js';

/** `none`: no token is looked at. `user`: a valid token. `dispatch`: tokens stand in the body. */
export type Permission = 'none' | 'user' | 'dispatch';

export interface Ee2Binding {
  /** After `execution_engine2.` */
  readonly method: string;
  /** Positional. */
  readonly params: readonly TSchema[];
  readonly result: TSchema;
  /** Members of `params` whose text is kept, as paths from the array. */
  readonly raw?: readonly RawPath[];
  /** A call that workers make: the token of a dispatch is good for it, too. */
  readonly worker?: true;
}

export interface RestBinding {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below `/api/v1`; `{name}` is a member of `params`. Of the others, GET and DELETE take them from the query. */
  readonly path: string;
  readonly params: TSchema;
  readonly result: TSchema;
  readonly raw?: readonly RawPath[];
  /** A body that is a list stands for this member. */
  readonly list?: string;
  /** With `Accept: text/event-stream` the answer is a stream of the items. */
  readonly stream?: boolean;
  /** The last item of the path and the query that only the docs need to know. */
  readonly tag: string;
}

export interface Operation {
  readonly summary: string;
  readonly permission: Permission;
  readonly ee2?: Ee2Binding;
  readonly rest?: RestBinding;
}

const opt = Type.Optional;
const closed = { additionalProperties: false } as const;
const asAdmin = { as_admin: opt(s.AsAdmin) };
const repeatable = { request_id: opt(s.RequestId) };
const dry = { dry_run: opt(s.DryRun) };
const pageParams = { limit: opt(s.Limit), cursor: opt(s.Cursor) };
const retryOptions = { reason: opt(s.Reason), ...dry, ...repeatable, ...asAdmin };
const submitOptions = {
  all_or_nothing: opt(Type.Boolean({ default: false, description: 'Record nothing if one item is refused.' })),
  ...dry,
  ...repeatable,
  ...asAdmin,
};
const jobs = Type.Array(s.JobRequest, { minItems: 1, maxItems: 100_000 });
const States = Type.Array(s.StatusName);
const Any = ee2.Anything;
const asP = { as_admin: opt(Any) };
const runParams = ee2.P({ method: Any, params: opt(Any), job_requirements: opt(Any), request_id: opt(Any), ...asP });
const rawOfJob = [
  ['0', 'params'],
  ['0', 'job_requirements'],
] as const;
const rangeParams = ee2.P({ start_time: Any, end_time: Any, projection: opt(Any), filter: opt(Any), ...asP });
const rawOfRange = [
  ['0', 'start_time'],
  ['0', 'end_time'],
] as const;

export const operations = {
  // ── submit ────────────────────────────────────────────────────────────────────────────────────────────────────────
  submitJobs: {
    summary: 'Run one job or several, each on its own',
    permission: 'user',
    rest: {
      method: 'POST',
      path: '/jobs',
      params: Type.Object({ jobs, ...submitOptions }, closed),
      result: s.SubmitResult,
      raw: [
        ['jobs', '*', 'params'],
        ['*', 'params'],
      ],
      list: 'jobs',
      tag: 'jobs',
    },
    ee2: {
      method: 'run_job',
      params: [runParams],
      result: Type.String(),
      raw: rawOfJob,
    },
  },
  submitForConcierge: {
    summary: 'Run one job with the requirements that the concierge names',
    permission: 'user',
    ee2: {
      method: 'run_job_concierge',
      params: [runParams, ee2.P({})],
      result: Type.String(),
      raw: [...rawOfJob, ['1', '*']],
    },
  },
  submitBatch: {
    summary: 'Run jobs as one batch',
    permission: 'user',
    rest: {
      method: 'POST',
      path: '/batches',
      params: Type.Object(
        {
          name: opt(Type.String({ maxLength: 200 })),
          wsid: opt(Type.Integer({ minimum: 1 })),
          meta: opt(Type.Record(Type.String(), Type.String())),
          jobs,
          ...submitOptions,
        },
        closed,
      ),
      result: s.SubmitResult,
      raw: [['jobs', '*', 'params']],
      tag: 'batches',
    },
    ee2: {
      method: 'run_job_batch',
      params: [Type.Array(Any), ee2.P({ wsid: opt(Any), meta: opt(Any), as_admin: opt(Any), request_id: opt(Any) })],
      result: Type.Object({ batch_id: Type.String(), child_job_ids: Type.Array(Type.String()) }),
      raw: [
        ['0', '*', 'params'],
        ['0', '*', 'job_requirements'],
      ],
    },
  },
  extendBatch: {
    summary: 'Run more jobs in a batch that exists',
    permission: 'user',
    rest: {
      method: 'POST',
      path: '/batches/{batch_id}/jobs',
      params: Type.Object({ batch_id: s.AnyId, jobs, ...submitOptions }, closed),
      result: s.SubmitResult,
      raw: [
        ['jobs', '*', 'params'],
        ['*', 'params'],
      ],
      list: 'jobs',
      tag: 'batches',
    },
  },
  // ── retry ─────────────────────────────────────────────────────────────────────────────────────────────────────────
  retryJob: {
    summary: 'Retry one failed or cancelled job',
    permission: 'user',
    rest: {
      method: 'POST',
      path: '/jobs/{job_id}/retry',
      params: Type.Object({ job_id: s.AnyId, ...retryOptions }, closed),
      result: s.Receipt,
      tag: 'retries',
    },
    ee2: {
      method: 'retry_job',
      params: [ee2.P({ job_id: opt(Any), as_admin: opt(Any), request_id: opt(Any), reason: opt(Any) })],
      result: Type.Object({ job_id: Type.String(), retry_id: Type.String() }),
    },
  },
  retryJobs: {
    summary: 'Retry many jobs; one verdict an item',
    permission: 'user',
    rest: {
      method: 'POST',
      path: '/retries',
      params: Type.Object({ job_ids: Type.Array(s.AnyId, { minItems: 1, maxItems: 10_000 }), ...retryOptions }, closed),
      result: s.RetryResult,
      list: 'job_ids',
      tag: 'retries',
    },
    ee2: {
      method: 'retry_jobs',
      params: [ee2.P({ job_ids: opt(Any), as_admin: opt(Any), request_id: opt(Any), reason: opt(Any) })],
      result: Type.Array(
        Type.Object({ job_id: Type.String(), retry_id: opt(Type.String()), error: opt(Type.String()) }),
      ),
    },
  },
  retryBatch: {
    summary: 'Retry all items of a batch whose newest job is in the given states',
    permission: 'user',
    rest: {
      method: 'POST',
      path: '/batches/{batch_id}/retry',
      params: Type.Object(
        {
          batch_id: s.AnyId,
          states: opt(Type.Array(s.StatusName, { minItems: 1, default: ['error'] })),
          ...retryOptions,
        },
        closed,
      ),
      result: s.RetryResult,
      tag: 'retries',
    },
  },
  getReceipts: {
    summary: 'Read the receipts of a retry request again',
    permission: 'user',
    rest: {
      method: 'GET',
      path: '/retries/{request_id}',
      params: Type.Object({ request_id: s.RequestId, ...asAdmin }, closed),
      result: s.RetryResult,
      tag: 'retries',
    },
  },
  // ── read ──────────────────────────────────────────────────────────────────────────────────────────────────────────
  getJob: {
    summary: 'One job with its inputs, output and dispatches',
    permission: 'user',
    rest: {
      method: 'GET',
      path: '/jobs/{job_id}',
      params: Type.Object({ job_id: s.AnyId, ...asAdmin }, closed),
      result: s.JobDetail,
      raw: [['params'], ['output']],
      tag: 'jobs',
    },
    ee2: {
      method: 'check_job',
      worker: true,
      params: [ee2.P({ job_id: opt(Any), exclude_fields: opt(Any), as_admin: opt(Any) })],
      result: Type.Union([ee2.JobState, ee2.JobFailure]),
    },
  },
  checkJobs: {
    summary: 'The states of several jobs',
    permission: 'user',
    ee2: {
      method: 'check_jobs',
      params: [ee2.P({ job_ids: opt(Any), exclude_fields: opt(Any), return_list: opt(Any), as_admin: opt(Any) })],
      result: Type.Unknown(),
    },
  },
  checkJobBatch: {
    summary: 'The states of a batch parent and its children',
    permission: 'user',
    ee2: {
      method: 'check_job_batch',
      params: [ee2.P({ job_id: opt(Any), exclude_fields: opt(Any), as_admin: opt(Any) })],
      result: Type.Object({ batch_jobstate: ee2.JobState, child_jobstates: Type.Array(ee2.JobState) }),
    },
  },
  checkWorkspaceJobs: {
    summary: 'The states of all jobs of a workspace',
    permission: 'user',
    ee2: {
      method: 'check_workspace_jobs',
      params: [ee2.P({ workspace_id: Any, exclude_fields: opt(Any), return_list: opt(Any), ...asP })],
      result: Type.Unknown(),
    },
  },
  listJobsInRange: {
    summary: "Records of jobs by the time of their creation: your own, or for admins another user's",
    permission: 'user',
    ee2: { method: 'check_jobs_date_range_for_user', params: [rangeParams], result: Type.Unknown(), raw: rawOfRange },
  },
  listAllJobsInRange: {
    summary: "Records of everybody's jobs by the time of their creation (admins)",
    permission: 'user',
    ee2: { method: 'check_jobs_date_range_for_all', params: [rangeParams], result: Type.Unknown(), raw: rawOfRange },
  },
  getJobStatus: {
    summary: 'The status of one job',
    permission: 'user',
    ee2: {
      method: 'get_job_status',
      worker: true,
      params: [ee2.P({ job_id: opt(Any), as_admin: opt(Any) })],
      result: Type.Object({ status: s.StatusName }),
    },
  },
  checkJobCanceled: {
    summary: 'Whether a job was cancelled or has ended',
    permission: 'user',
    ee2: {
      method: 'check_job_canceled',
      worker: true,
      params: [ee2.P({ job_id: opt(Any), as_admin: opt(Any) })],
      result: Type.Object({ job_id: Type.String(), canceled: Type.Boolean(), finished: Type.Boolean() }),
    },
  },
  getJobParams: {
    summary: 'The inputs of one job',
    permission: 'user',
    ee2: {
      method: 'get_job_params',
      worker: true,
      params: [ee2.P({ job_id: opt(Any), as_admin: opt(Any) })],
      result: Type.Unknown(),
    },
  },
  listJobs: {
    summary: 'Jobs, newest first; by default the newest of each lineage',
    permission: 'user',
    rest: {
      method: 'GET',
      path: '/jobs',
      params: Type.Object(
        {
          state: opt(States),
          user: opt(Type.String()),
          app: opt(Type.String({ description: 'module or module.method' })),
          batch_id: opt(s.AnyId),
          wsid: opt(Type.Integer()),
          input_key: opt(Type.String({ description: 'Jobs that ran with these inputs, anywhere' })),
          latest_only: opt(Type.Boolean({ default: true })),
          ...pageParams,
          ...asAdmin,
        },
        closed,
      ),
      result: s.page(s.JobSummary),
      tag: 'jobs',
    },
  },
  getLineage: {
    summary: 'A job and all its retries, root first',
    permission: 'user',
    rest: {
      method: 'GET',
      path: '/jobs/{job_id}/lineage',
      params: Type.Object({ job_id: s.AnyId, ...asAdmin }, closed),
      result: s.Lineage,
      tag: 'jobs',
    },
  },
  getLogs: {
    summary: 'Log lines of a job',
    permission: 'user',
    rest: {
      method: 'GET',
      path: '/jobs/{job_id}/logs',
      params: Type.Object(
        {
          job_id: s.AnyId,
          skip: opt(Type.Integer({ minimum: 0, default: 0 })),
          limit: opt(Type.Integer({ minimum: 1, maximum: 10_000, default: 1000 })),
          contains: opt(
            Type.String({
              minLength: 1,
              maxLength: 200,
              description:
                'Only lines with this text, upper and lower case alike. A page may be short: read on at `next`.',
            }),
          ),
          errors_only: opt(Type.Boolean({ default: false, description: 'Only lines marked as errors' })),
          ...asAdmin,
        },
        closed,
      ),
      result: s.LogPage,
      tag: 'jobs',
    },
    ee2: {
      method: 'get_job_logs',
      worker: true,
      params: [
        ee2.P({ job_id: opt(Any), skip_lines: opt(Any), offset: opt(Any), limit: opt(Any), as_admin: opt(Any) }),
      ],
      result: Type.Unknown(),
    },
  },
  listBatches: {
    summary: 'Batches, newest first, with the states of their items',
    permission: 'user',
    rest: {
      method: 'GET',
      path: '/batches',
      params: Type.Object(
        {
          user: opt(Type.String()),
          wsid: opt(Type.Integer()),
          app: opt(Type.String()),
          state: opt(States),
          search: opt(Type.String({ maxLength: 200, description: 'In the name, or the beginning of the id' })),
          ...pageParams,
          ...asAdmin,
        },
        closed,
      ),
      result: s.page(s.BatchView),
      tag: 'batches',
    },
  },
  getBatch: {
    summary: 'One batch with the states of its items',
    permission: 'user',
    rest: {
      method: 'GET',
      path: '/batches/{batch_id}',
      params: Type.Object({ batch_id: s.AnyId, ...asAdmin }, closed),
      result: s.BatchView,
      tag: 'batches',
    },
  },
  listItems: {
    summary: 'The items of a batch as short rows, oldest first; by default the newest job of each',
    permission: 'user',
    rest: {
      method: 'GET',
      path: '/batches/{batch_id}/items',
      params: Type.Object(
        {
          batch_id: s.AnyId,
          state: opt(States),
          latest_only: opt(Type.Boolean({ default: true })),
          limit: opt(Type.Integer({ minimum: 1, maximum: 5000, default: 1000 })),
          cursor: opt(s.Cursor),
          ...asAdmin,
        },
        closed,
      ),
      result: s.page(s.BatchItem),
      tag: 'batches',
    },
  },
  listEvents: {
    summary: 'What happened, oldest first; as a stream with Accept: text/event-stream and Last-Event-ID',
    permission: 'user',
    rest: {
      method: 'GET',
      path: '/events',
      params: Type.Object(
        {
          job_id: opt(s.AnyId),
          batch_id: opt(s.AnyId),
          after: opt(s.Cursor),
          limit: opt(s.Limit),
          ...asAdmin,
        },
        closed,
      ),
      result: s.page(s.EventView),
      stream: true,
      raw: [['items', '*', 'payload']],
      tag: 'events',
    },
  },
  listJobEvents: {
    summary: 'What happened to one job',
    permission: 'user',
    rest: {
      method: 'GET',
      path: '/jobs/{job_id}/events',
      params: Type.Object({ job_id: s.AnyId, after: opt(s.Cursor), limit: opt(s.Limit), ...asAdmin }, closed),
      result: s.page(s.EventView),
      stream: true,
      raw: [['items', '*', 'payload']],
      tag: 'events',
    },
  },
  listBatchEvents: {
    summary: 'What happened to a batch and its jobs',
    permission: 'user',
    rest: {
      method: 'GET',
      path: '/batches/{batch_id}/events',
      params: Type.Object({ batch_id: s.AnyId, after: opt(s.Cursor), limit: opt(s.Limit), ...asAdmin }, closed),
      result: s.page(s.EventView),
      stream: true,
      raw: [['items', '*', 'payload']],
      tag: 'events',
    },
  },
  // ── life ──────────────────────────────────────────────────────────────────────────────────────────────────────────
  cancelJob: {
    summary: 'Cancel a job, or a batch with all its jobs',
    permission: 'user',
    rest: {
      method: 'POST',
      path: '/jobs/{job_id}/cancel',
      params: Type.Object({ job_id: s.AnyId, ...asAdmin }, closed),
      result: s.CancelResult,
      tag: 'jobs',
    },
    ee2: {
      method: 'cancel_job',
      params: [ee2.P({ job_id: opt(Any), terminated_code: opt(Any), as_admin: opt(Any) })],
      result: Type.Null(),
    },
  },
  cancelJobs: {
    summary: 'Cancel several jobs or batches; one verdict an item',
    permission: 'user',
    rest: {
      method: 'POST',
      path: '/cancellations',
      params: Type.Object({ job_ids: Type.Array(s.AnyId, { minItems: 1, maxItems: 10_000 }), ...asAdmin }, closed),
      result: s.CancelResult,
      list: 'job_ids',
      tag: 'jobs',
    },
  },
  cancelBatch: {
    summary: 'Cancel all unfinished jobs of a batch',
    permission: 'user',
    rest: {
      method: 'POST',
      path: '/batches/{batch_id}/cancel',
      params: Type.Object({ batch_id: s.AnyId, ...asAdmin }, closed),
      result: s.CancelResult,
      tag: 'batches',
    },
  },
  startJob: {
    summary: 'Record that a job has started',
    permission: 'user',
    ee2: {
      method: 'start_job',
      worker: true,
      params: [ee2.P({ job_id: opt(Any), skip_estimation: opt(Any), as_admin: opt(Any) })],
      result: Type.Null(),
    },
  },
  finishJob: {
    summary: 'Record how a job ended',
    permission: 'user',
    ee2: {
      method: 'finish_job',
      worker: true,
      params: [
        ee2.P({
          job_id: opt(Any),
          error_message: opt(Any),
          error_code: opt(Any),
          error: opt(Any),
          job_output: opt(Any),
          as_admin: opt(Any),
        }),
      ],
      result: Type.Null(),
      raw: [
        ['0', 'job_output'],
        ['0', 'error'],
      ],
    },
  },
  forceStatus: {
    summary: 'Set the status of a job that has not ended',
    permission: 'user',
    ee2: {
      method: 'update_job_status',
      params: [ee2.P({ job_id: opt(Any), status: opt(Any), ...asP })],
      result: Type.String(),
    },
  },
  endHeldJob: {
    summary: 'End the job that its scheduler holds, by the id it has there (write admins)',
    permission: 'user',
    ee2: { method: 'handle_held_job', params: [Type.String()], result: Type.Unknown() },
  },
  abandonChildren: {
    summary: 'Take jobs out of a batch; they run on',
    permission: 'user',
    ee2: {
      method: 'abandon_children',
      params: [ee2.P({ batch_id: opt(Any), child_job_ids: opt(Any), ...asP })],
      result: Type.Object({ batch_id: Type.String(), child_job_ids: Type.Array(Type.String()) }),
    },
  },
  addJobLogs: {
    summary: 'Add lines to the log of a job',
    permission: 'user',
    ee2: {
      method: 'add_job_logs',
      worker: true,
      params: [ee2.P({ job_id: opt(Any), as_admin: opt(Any) }), Type.Array(Any)],
      result: Type.Object({ success: Type.Boolean(), line_number: Type.Integer() }),
      raw: [['1', '*', 'ts']],
    },
  },
  workerReports: {
    summary: 'What runners have to say about their dispatches; many in one call',
    permission: 'dispatch',
    rest: {
      method: 'POST',
      path: '/worker/reports',
      params: WorkerReports,
      result: WorkerAnswers,
      tag: 'worker',
    },
  },
  // ── apps ──────────────────────────────────────────────────────────────────────────────────────────────────────────
  listApps: {
    summary: 'Apps and their tags',
    permission: 'user',
    rest: {
      method: 'GET',
      path: '/apps',
      params: Type.Object({}, closed),
      result: Type.Object({ items: Type.Array(s.AppView) }),
      tag: 'apps',
    },
  },
  getApp: {
    summary: 'One app: versions, tags and where each tag pointed when',
    permission: 'user',
    rest: {
      method: 'GET',
      path: '/apps/{module}',
      params: Type.Object({ module: Type.String() }, closed),
      result: s.AppDetail,
      tag: 'apps',
    },
  },
  getMethod: {
    summary: 'One method at a version: defaults and the schema of its parameters',
    permission: 'user',
    rest: {
      method: 'GET',
      path: '/apps/{module}/methods/{method}',
      params: Type.Object(
        {
          module: Type.String(),
          method: Type.String({ description: 'without the module' }),
          version: opt(Type.String({ description: 'A tag or a commit; `release` when absent.', maxLength: 200 })),
        },
        closed,
      ),
      result: s.MethodView,
      tag: 'apps',
    },
  },
  addApp: {
    summary: 'Add a version of an app from a git repository (write admins)',
    permission: 'user',
    rest: {
      method: 'POST',
      path: '/apps',
      params: Type.Object(
        {
          repository: Type.String({ maxLength: 2000 }),
          ref: opt(Type.String({ maxLength: 200, default: 'HEAD' })),
          tag: opt(Type.String({ maxLength: 100 })),
        },
        closed,
      ),
      result: s.AppAdded,
      tag: 'apps',
    },
  },
  moveTag: {
    summary: 'Point a tag at a commit (write admins)',
    permission: 'user',
    rest: {
      method: 'PUT',
      path: '/apps/{module}/tags/{tag}',
      params: Type.Object({ module: Type.String(), tag: Type.String(), commit: Type.String() }, closed),
      result: s.AppAdded,
      tag: 'apps',
    },
  },
  withdrawVersion: {
    summary: 'Withdraw a version: it is neither run nor retried any more (write admins)',
    permission: 'user',
    rest: {
      method: 'POST',
      path: '/withdrawals',
      params: Type.Object({ commit: Type.String(), module: opt(Type.String()), reason: opt(s.Reason) }, closed),
      result: Type.Object({ module: Type.String(), commit: Type.String() }),
      tag: 'apps',
    },
  },
  // ── people ────────────────────────────────────────────────────────────────────────────────────────────────────────
  whoAmI: {
    summary: 'The user behind the token',
    permission: 'user',
    rest: {
      method: 'GET',
      path: '/me',
      params: Type.Object({}, closed),
      result: Type.Object({ user: Type.String(), admin: Type.String() }),
      tag: 'people',
    },
  },
  createToken: {
    summary: 'Make a token; it is shown once',
    permission: 'user',
    rest: {
      method: 'POST',
      path: '/tokens',
      params: Type.Object(
        {
          user: opt(Type.String()),
          name: opt(Type.String({ maxLength: 200 })),
          admin: opt(s.AdminRole),
          expires_in_ms: opt(Type.Integer({ minimum: 1 })),
        },
        closed,
      ),
      result: s.TokenCreated,
      tag: 'people',
    },
  },
  listTokens: {
    summary: "Your tokens, or every user's for admins",
    permission: 'user',
    rest: {
      method: 'GET',
      path: '/tokens',
      params: Type.Object({ user: opt(Type.String()) }, closed),
      result: Type.Object({ items: Type.Array(s.TokenView) }),
      tag: 'people',
    },
  },
  revokeToken: {
    summary: 'Revoke a token, at once',
    permission: 'user',
    rest: {
      method: 'DELETE',
      path: '/tokens/{token_id}',
      params: Type.Object({ token_id: Type.String() }, closed),
      result: s.TokenView,
      tag: 'people',
    },
  },
  createSignInLink: {
    summary: 'A path of this server that signs a browser in as you, once, within ten minutes',
    permission: 'user',
    rest: {
      method: 'POST',
      path: '/sign-in-links',
      params: Type.Object({}, closed),
      result: Type.Object({ path: Type.String(), expires_at: Type.String({ format: 'date-time' }) }),
      tag: 'people',
    },
  },
  createWorkspace: {
    summary: 'Make a workspace; you become its admin',
    permission: 'user',
    rest: {
      method: 'POST',
      path: '/workspaces',
      params: Type.Object({ name: Type.String({ minLength: 1, maxLength: 200 }) }, closed),
      result: s.WorkspaceView,
      tag: 'people',
    },
  },
  listWorkspaces: {
    summary: 'Workspaces you can read',
    permission: 'user',
    rest: {
      method: 'GET',
      path: '/workspaces',
      params: Type.Object({ ...asAdmin }, closed),
      result: Type.Object({ items: Type.Array(s.WorkspaceView) }),
      tag: 'people',
    },
  },
  shareWorkspace: {
    summary: "Give or take a member's role; '*' with read makes it public",
    permission: 'user',
    rest: {
      method: 'PUT',
      path: '/workspaces/{wsid}/members/{user}',
      params: Type.Object({ wsid: Type.Integer(), user: Type.String(), role: s.MemberRole, ...asAdmin }, closed),
      result: s.WorkspaceView,
      tag: 'people',
    },
  },
  // ── server ────────────────────────────────────────────────────────────────────────────────────────────────────────
  version: {
    summary: 'The version of the server',
    permission: 'none',
    rest: {
      method: 'GET',
      path: '/version',
      params: Type.Object({}, closed),
      result: Type.Object({ version: Type.String() }),
      tag: 'server',
    },
    ee2: { method: 'ver', params: [], result: Type.String() },
  },
  isAdmin: {
    summary: 'Whether the caller has an admin role',
    permission: 'user',
    ee2: { method: 'is_admin', params: [], result: Type.Boolean() },
  },
  getAdminPermission: {
    summary: "The caller's admin role",
    permission: 'user',
    ee2: {
      method: 'get_admin_permission',
      params: [],
      result: Type.Object({ permission: Type.Union([Type.Literal('w'), Type.Literal('r'), Type.Literal('n')]) }),
    },
  },
  getClientGroups: {
    summary: 'The client groups of the configuration',
    permission: 'none',
    ee2: { method: 'get_client_groups', params: [], result: Type.Array(Type.String()) },
  },
  getSettings: {
    summary: 'The part of the configuration that workers need',
    permission: 'none',
    ee2: { method: 'list_config', params: [], result: Type.Unknown() },
  },
  examine: {
    summary: 'Check the invariants of the record, a stretch at a time; mend what can be mended (admins)',
    permission: 'user',
    rest: {
      method: 'POST',
      path: '/doctor',
      params: Type.Object(
        {
          cursor: opt(s.Cursor),
          repair: opt(Type.Boolean({ default: false, description: 'Needs the role write.' })),
        },
        closed,
      ),
      result: s.Examination,
      tag: 'server',
    },
  },
  status: {
    summary: 'Time, version and commit of the server',
    permission: 'none',
    ee2: { method: 'status', params: [], result: Type.Unknown() },
  },
} as const satisfies Record<string, Operation>;

export type OperationName = keyof typeof operations;
type Table = typeof operations;

/** Names of the operations that have a REST route; their parameters and results. */
export type RestName = { [N in OperationName]: Table[N] extends { rest: RestBinding } ? N : never }[OperationName];
type RestOf<N extends RestName> = Table[N] extends { rest: infer R extends RestBinding } ? R : never;
export type RestParams<N extends RestName> = Static<RestOf<N>['params']>;
export type RestResult<N extends RestName> = Static<RestOf<N>['result']>;

/** Names of the operations that EE2's clients can call. */
export type Ee2Name = { [N in OperationName]: Table[N] extends { ee2: Ee2Binding } ? N : never }[OperationName];
