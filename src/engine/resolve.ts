/** Second step of the pipeline: which app, at which commit, with which requirements. One look-up for equal methods. */
import type { RefusalCode } from '../contract/errors.js';
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
  const answers = await ctx.catalog.resolve(distinct.map((job) => ({ method: job.method, version: job.app_commit })));
  const refused = new Map<string, { code: RefusalCode; sentence: string }>();
  answers.forEach((answer, index) => {
    // whatever the catalog's reason, the recorded version can not be run any more
    if (!answer.ok) refused.set(versionKey(distinct[index]!), { code: 'VERSION_WITHDRAWN', sentence: answer.sentence });
  });
  return refused;
}

export function versionKey(job: RecordedVersion): string {
  return `${job.method}@${job.app_commit}`;
}
