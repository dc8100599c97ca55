/** Second step of the pipeline: which app, at which commit, with which requirements. One look-up for equal methods. */
import type { Resolution } from '../catalog/catalog.js';
import { type RefusalCode, RepriseError } from '../contract/errors.js';
import type { Context } from './context.js';
import type { Draft } from './submit.js';

export async function resolveVersions(ctx: Context, drafts: readonly Draft[]): Promise<void> {
  const open = drafts.filter((draft) => draft.error === null);
  const answers = await ctx.catalog.resolve(
    open.map((draft) => ({ method: draft.request.method, version: draft.request.version || undefined })),
  );
  open.forEach((draft, index) => {
    const answer = answers[index]!;
    if (answer.ok) draft.spec = answer.spec;
    else draft.error = { code: answer.code, message: answer.sentence };
  });
}

export interface RecordedVersion {
  readonly method: string;
  readonly app_commit: string;
}

/** For retries: the recorded commit must still be there. Maps `method@commit` to a refusal. */
export async function recheckVersions(
  ctx: Context,
  jobs: readonly RecordedVersion[],
): Promise<Map<string, { code: RefusalCode; sentence: string }>> {
  const distinct = [...new Map(jobs.map((job) => [versionKey(job), job])).values()];
  const answers = await resolveIfAnswered(ctx, distinct);
  const refused = new Map<string, { code: RefusalCode; sentence: string }>();
  answers.forEach((answer, index) => {
    // what is wrong with the catalog's requirements does not concern a retry, which keeps the recorded ones; for any other
    // reason the recorded version can not be run any more
    if (!answer.ok && answer.code !== 'INVALID_INPUT')
      refused.set(versionKey(distinct[index]!), { code: 'VERSION_WITHDRAWN', sentence: answer.sentence });
  });
  return refused;
}

/** A catalog that can not be asked knows nothing against a version that was good when it was recorded. */
async function resolveIfAnswered(ctx: Context, jobs: readonly RecordedVersion[]): Promise<readonly Resolution[]> {
  try {
    return await ctx.catalog.resolve(jobs.map((job) => ({ method: job.method, version: job.app_commit })));
  } catch (error) {
    if (error instanceof RepriseError && error.code === 'UNAVAILABLE') return [];
    throw error;
  }
}

export function versionKey(job: RecordedVersion): string {
  return `${job.method}@${job.app_commit}`;
}
