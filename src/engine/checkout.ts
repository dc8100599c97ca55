/** The files of an app, for a runner on a machine that can not see the mirrors. */
import type { Readable } from 'node:stream';
import { RepriseError } from '../contract/errors.js';
import { findVersionOfOpenDispatch } from '../store/dispatches.js';
import type { Context } from './context.js';

/** Tar. `token`: of an open dispatch whose job runs this commit; nobody else has a reason to ask. */
export async function checkout(ctx: Context, token: string, commit: string): Promise<Readable> {
  const dispatchId = ctx.tokens.verify(token);
  const version = dispatchId === null ? undefined : await findVersionOfOpenDispatch(ctx.db, dispatchId);
  if (version === undefined) {
    throw new RepriseError('UNAUTHENTICATED', 'this token is not of any dispatch that is open here; give the job up');
  }
  if (version.app_commit !== commit) {
    throw new RepriseError('FORBIDDEN', `the job of this token runs commit ${version.app_commit}, not ${commit}`);
  }
  return ctx.catalog.archive({ method: version.method, commit });
}
