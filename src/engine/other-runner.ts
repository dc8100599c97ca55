/**
 * A job runner that is not ours (KBase's JobRunner), started by a scheduler in place of ours. It starts and ends the job
 * itself, by the calls of EE2, with the token of who submitted or retried it.
 *
 * |                         | our runner                       | another's                                          |
 * | ----------------------- | -------------------------------- | -------------------------------------------------- |
 * | the job starts          | when its process is spawned      | when it calls `start_job`                          |
 * | the job ends            | when its process reports         | when it calls `finish_job`                         |
 * | a cancel                | ends its processes at once       | it notices by itself; its process ends after the grace |
 * | its process just ends   | error, class platform            | the same, unless it ended the job before           |
 */
import type { Seal } from '../auth/seal.js';
import { RepriseError } from '../contract/errors.js';
import type { Secret } from '../contract/secret.js';
import type { JobSpec } from '../contract/worker.js';
import type { Queryable } from '../store/db.js';
import type { ReportedDispatchRow } from '../store/dispatches.js';
import { findJobToken, keepJobTokens } from '../store/job-tokens.js';
import type { Context } from './context.js';
import type { Actor } from './engine.js';

export interface OtherRunner {
  /** `{job_id}` and `{url}` are filled in. */
  readonly command: readonly string[];
  /** Where it calls, e.g. `http://127.0.0.1:7878/services/ee2`. */
  readonly url: () => string;
  /** From the configuration: the same for all jobs. */
  readonly env: Readonly<Record<string, string>>;
  /** The service's own token for KBase's catalog, or null. */
  readonly adminToken: Secret | null;
  /** How long after its job's end its process may go on. */
  readonly graceSeconds: number;
  readonly seal: Seal;
}

export const DEFAULT_GRACE_SECONDS = 300;

/** In the transaction that records the jobs: killed anywhere, a job and its token are both there or both not. */
export async function keepTokens(ctx: Context, tx: Queryable, actor: Actor, jobIds: readonly string[]): Promise<void> {
  if (ctx.otherRunner === null || actor.token === undefined) return;
  await keepJobTokens(tx, jobIds, ctx.otherRunner.seal.close(actor.token.reveal()));
}

/** Whether our scheduler will start a runner of ours. */
export function startsOurRunner(ctx: Context, scheduler: { readonly external?: true }): boolean {
  return scheduler.external === undefined && ctx.otherRunner === null;
}

export async function specForOther(ctx: Context, row: ReportedDispatchRow, params: string | null): Promise<JobSpec> {
  const runner = ctx.otherRunner;
  if (runner === null) {
    const sentence = `job ${row.job_id} was handed over to a runner that is not configured any more (runner.command)`;
    throw new RepriseError('CONFLICT', sentence);
  }
  const fill = (word: string) => word.replaceAll('{job_id}', row.job_id).replaceAll('{url}', runner.url());
  return {
    job_id: row.job_id,
    module: row.method.split('.')[0] ?? '',
    method: row.method,
    commit: row.app_commit,
    repository: null,
    command: runner.command.map(fill),
    env: { ...runner.env, ...(await environmentOf(ctx, runner, row)) },
    input: params ?? 'null',
    timeout_ms: row.timeout_ms,
    cpus: row.cpus,
    memory_mb: row.memory_mb,
  };
}

/** As EE2 gives it. What a job does not have is left out. */
async function environmentOf(ctx: Context, { seal, adminToken }: OtherRunner, row: ReportedDispatchRow) {
  const sealed = await findJobToken(ctx.db, row.job_id);
  const { debug_mode: debug } = JSON.parse(row.scheduler_options) as { debug_mode?: boolean };
  const parent = row.batch_id ?? row.parent_job_id;
  return {
    JOB_ID: row.job_id,
    CONDOR_ID: row.scheduler_id ?? row.dispatch_id,
    DEBUG_MODE: debug === true ? 'True' : 'False',
    ...(row.client_group !== null && { CLIENTGROUP: row.client_group }),
    ...(parent !== null && { PARENT_JOB_ID: parent }),
    ...(sealed !== null && { KB_AUTH_TOKEN: unsealed(seal, sealed, row.job_id) }),
    ...(adminToken !== null && { KB_ADMIN_AUTH_TOKEN: adminToken.reveal() }),
  };
}

function unsealed(seal: Seal, sealed: Uint8Array, jobId: string): string {
  try {
    return seal.open(sealed);
  } catch (error) {
    const sentence = `the token of job ${jobId} was sealed with another key: was token_key_file changed? Retry the job`;
    throw new RepriseError('CONFLICT', sentence, undefined, { cause: error });
  }
}
