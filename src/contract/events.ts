/** What is written in the record of a job or a batch, with the members of each payload. */

export const EVENT_KINDS = [
  /** `{method, commit, retry_number, root_id?, retry_reason?}` */
  'job.created',
  /** `{dispatch_id, dispatch_number, scheduler}` */
  'job.dispatched',
  /** `{previous_status, dispatch_id, scheduler_id}` */
  'job.queued',
  /** `{previous_status, dispatch_id?, host?}` */
  'job.estimating',
  'job.started',
  /** `{previous_status, status, error_code?, failure_class?, message?}` */
  'job.completed',
  'job.failed',
  /** `{previous_status, terminated_code}` */
  'job.terminated',
  /** `{previous_status}`: its dispatch was lost before the start, so it waits again */
  'job.requeued',
  /** `{dispatch_id, close_reason}`: no process of it is left */
  'job.dispatch_closed',
  /** `{check, was}`: `reprise doctor --repair` mended what its record said */
  'job.repaired',
  /** `{items}` */
  'batch.created',
  'batch.extended',
  /** `{job_ids}`: they run on, but are not the batch's any more */
  'batch.abandoned',
  /** `{terminated_code, cancelled}` */
  'batch.terminated',
  /** `{request_id, accepted, refused, reason?}` */
  'batch.retried',
] as const;
export type EventKind = (typeof EVENT_KINDS)[number];
