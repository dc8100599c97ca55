/** A batch gives up some of its jobs: they run on, and neither its counts, its cancel nor its retries reach them. */
import { RepriseError } from '../contract/errors.js';
import { isJobId } from '../contract/ids.js';
import { abandonJobs, findChildIds } from '../store/batches.js';
import type { Context } from './context.js';
import type { Actor } from './engine.js';
import { findBatch, noSuchJob } from './subjects.js';

export async function abandon(
  ctx: Context,
  actor: Actor,
  batchId: string,
  jobIds: readonly string[],
): Promise<readonly string[]> {
  if (!isJobId(batchId)) throw noSuchJob(batchId);
  await findBatch(ctx, actor, 'write', batchId);
  const asked = [...new Set(jobIds)];
  const left = await ctx.db.transaction(async (tx) => {
    const given = new Set(await abandonJobs(tx, batchId, asked, actor.user));
    // thrown inside: nothing is given up if one of them is not a child, or another call was faster
    const stranger = asked.find((id) => !given.has(id));
    if (stranger !== undefined) throw notAChild(stranger, jobIds);
    return (await findChildIds(tx, [batchId])).get(batchId) ?? [];
  });
  ctx.wake('events');
  return left;
}

function notAChild(id: string, asked: readonly string[]): RepriseError {
  return new RepriseError('NOT_FOUND', `Couldn't find ${id} in [${asked.map((one) => `'${one}'`).join(', ')}]`);
}
