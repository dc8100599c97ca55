/** The nouns of EE2's JSON-RPC as they stand on the wire: milliseconds, absent instead of null, `batch_id` apart. */
import { type Static, type TProperties, Type } from 'typebox';
import type { RawJson } from './raw-json.js';
import { StatusName } from './schemas.js';

const Ms = Type.Integer({ description: 'milliseconds since the epoch' });
const Any = Type.Unsafe<RawJson>({});
const optional = Type.Optional;

/** What HTCondor tells of a job that it ran. */
export const JOB_ADS = [
  'RemoteUserCpu',
  'DiskUsage_RAW',
  'DiskUsage',
  'CpusUsage',
  'CumulativeRemoteSysCpu',
  'CumulativeRemoteUserCpu',
  'ResidentSetSize_RAW',
  'ResidentSetSize',
  'ImageSize_RAW',
  'HoldReason',
  'HoldReasonCode',
  'RemoteHost',
  'LastRemoteHost',
  'CommittedTime',
  'CommittedSuspensionTime',
  'CompletionDate',
  'CumulativeSuspensionTime',
  'CumulativeTransferTime',
  'JobCurrentFinishTransferInputDate',
  'JobCurrentFinishTransferOutputDate',
  'JobCurrentStartDate',
  'JobCurrentStartExecutingDate',
  'JobCurrentStartTransferInputDate',
  'JobCurrentStartTransferOutputDate',
] as const;
export type JobAd = (typeof JOB_ADS)[number];

/** One job or batch parent, as `check_job` returns it. */
export const JobState = Type.Object({
  job_id: Type.String(),
  user: Type.String(),
  authstrat: Type.String(),
  wsid: optional(Type.Integer()),
  status: StatusName,
  created: Ms,
  updated: Ms,
  queued: optional(Ms),
  estimating: optional(Ms),
  running: optional(Ms),
  finished: optional(Ms),
  batch_job: Type.Boolean(),
  batch_id: Type.Union([Type.Null(), Type.String()]),
  child_jobs: Type.Array(Type.String()),
  retry_ids: Type.Array(Type.String()),
  retry_count: Type.Integer(),
  retry_parent: optional(Type.String()),
  retry_saved_toggle: Type.Boolean(),
  scheduler_type: optional(Type.String()),
  scheduler_id: optional(Type.String()),
  job_input: Type.Object({
    wsid: optional(Type.Integer()),
    method: Type.String(),
    params: optional(Any),
    service_ver: Type.String(),
    app_id: optional(Type.String()),
    parent_job_id: optional(Type.String()),
    source_ws_objects: Type.Array(Type.String()),
    narrative_cell_info: Type.Record(Type.String(), Type.String()),
    requirements: optional(
      Type.Object({
        clientgroup: Type.String(),
        cpu: Type.Integer(),
        memory: Type.Integer(),
        disk: Type.Integer(),
      }),
    ),
  }),
  job_output: optional(Any),
  error: optional(Any),
  errormsg: optional(Type.String()),
  error_code: optional(Type.Integer()),
  terminated_code: optional(Type.Integer()),
  condor_job_ads: optional(Type.Record(Type.String(), Type.Union([Type.Null(), Type.Number(), Type.String()]))),
});
export type JobState = Static<typeof JobState>;

/** What stands in place of a job that may not be read or does not exist. */
export const JobFailure = Type.Object({
  job_id: Type.String(),
  failure: Type.String(),
  check_job_error: Type.Boolean(),
});
export type JobFailure = Static<typeof JobFailure>;

/** The one positional object of most calls. Unknown members are ignored; values are judged by the call, not the type. */
export const P = <T extends TProperties>(members: T) => Type.Object(members, { additionalProperties: true });
export const Anything = Type.Unknown();
