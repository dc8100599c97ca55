/** The steps of a retry before the record: what other parts (rights, catalog, schedulers) say about each asked id. */
import type { RefusalCode } from '../contract/errors.js';
import { isJobId } from '../contract/ids.js';
import { findBatches } from '../store/batches.js';
import { findSourceObjects } from '../store/inputs.js';
import { findRetryFacts, type RetryFactsRow } from '../store/lineages.js';
import { deniedSentence, mayAll, requireToRunIn, type Subject } from './authorize.js';
import type { Context } from './context.js';
import type { Actor } from './engine.js';
import { UNREADABLE_OBJECT, unsatisfiable } from './preflight.js';
import { recheckVersions, versionKey } from './resolve.js';
import type { Refusal } from './verdict.js';

export interface Checks {
  /** Refusals that come before the verdict on the lineage: doubles, batches, rights. */
  before(id: string, index: number): Refusal | null;
  /** Refusals that matter only if a retry could be made: workspace, version, requirements. */
  after(id: string): Refusal | null;
  unknown(id: string): Refusal;
}

export async function checkRetries(ctx: Context, actor: Actor, ids: readonly string[]): Promise<Checks> {
  const facts = await findRetryFacts(ctx.db, [...new Set(ids.filter(isJobId))]);
  const known = new Set(facts.map((row) => row.job_id));
  const batches = new Set(
    (
      await findBatches(
        ctx.db,
        ids.filter((id) => isJobId(id) && !known.has(id)),
      )
    ).map((b) => b.batch_id),
  );
  const denied = await findDenied(ctx, actor, facts);
  const unrunnable = await findUnrunnable(ctx, actor, facts);
  const firstIndex = new Map<string, number>();
  ids.forEach((id, index) => {
    if (!firstIndex.has(id)) firstIndex.set(id, index);
  });
  return {
    before: (id, index) => {
      if (firstIndex.get(id) !== index)
        return refusal('DUPLICATE_IN_REQUEST', `job ${id} stands earlier in this request; it is judged there`);
      if (batches.has(id)) return refusal('IS_BATCH', 'Cannot retry batch job parents. Must retry individual jobs');
      return denied.get(id) ?? null;
    },
    after: (id) => unrunnable.get(id) ?? null,
    unknown: (id) =>
      refusal(
        'NOT_FOUND',
        isJobId(id)
          ? `Cannot find job with ids: ['${id}']`
          : `'${id}' is not a valid ObjectId, it must be a 12-byte input or a 24-character hex string`,
      ),
  };
}

function refusal(code: RefusalCode, sentence: string): Refusal {
  return { code, sentence, blockingId: null };
}

/** Write on the job asked for, on its root and on its batch; never on the head, which another member may own. */
async function findDenied(ctx: Context, actor: Actor, facts: readonly RetryFactsRow[]): Promise<Map<string, Refusal>> {
  const asked = facts.flatMap((row) => subjectsOf(row).map((subject) => ({ row, ...subject })));
  const rights = await mayAll(
    ctx,
    actor,
    'write',
    asked.map((item) => item.subject),
  );
  const denied = new Map<string, Refusal>();
  asked.forEach(({ row, on }, index) => {
    if (rights[index] || denied.has(row.job_id)) return;
    denied.set(row.job_id, refusal('FORBIDDEN', deniedSentence(actor.user, 'write', on)));
  });
  return denied;
}

function subjectsOf(row: RetryFactsRow): { on: string; subject: Subject }[] {
  const subjects = [{ on: row.job_id, subject: { owner: row.owner, wsid: row.wsid } }];
  if (row.root_id !== row.job_id)
    subjects.push({ on: row.root_id, subject: { owner: row.root_owner, wsid: row.root_wsid } });
  if (row.batch_id !== null && row.batch_owner !== null) {
    subjects.push({ on: row.batch_id, subject: { owner: row.batch_owner, wsid: row.batch_wsid } });
  }
  return subjects;
}

async function findUnrunnable(
  ctx: Context,
  actor: Actor,
  facts: readonly RetryFactsRow[],
): Promise<Map<string, Refusal>> {
  const wsids = facts.flatMap((row) => (row.wsid === null ? [] : [row.wsid]));
  const closed = await requireToRunIn(ctx, actor, wsids);
  const blind = await findBlind(ctx, actor, facts);
  const withdrawn = await recheckVersions(ctx, facts);
  const unrunnable = new Map<string, Refusal>();
  for (const row of facts) {
    const version = withdrawn.get(versionKey(row));
    const tooBig = unsatisfiable(ctx, row.cpus, row.memory_mb, row.client_group);
    if (row.wsid !== null && closed.has(row.wsid)) {
      const sentence = `User ${actor.user} doesn't have permission to run jobs in workspace ${row.wsid}.`;
      unrunnable.set(row.job_id, refusal('FORBIDDEN', sentence));
    } else if (blind.has(row.job_id)) unrunnable.set(row.job_id, refusal('FORBIDDEN', UNREADABLE_OBJECT));
    else if (version !== undefined) unrunnable.set(row.job_id, refusal(version.code, version.sentence));
    else if (tooBig !== null) unrunnable.set(row.job_id, refusal('REQUIREMENTS_UNSATISFIABLE', tooBig));
  }
  return unrunnable;
}

/** Jobs with a source object that the caller can not read (any more). One question for all. */
async function findBlind(ctx: Context, actor: Actor, facts: readonly RetryFactsRow[]): Promise<Set<string>> {
  const sources = await findSourceObjects(
    ctx.db,
    facts.map((row) => row.job_id),
  );
  if (sources.size === 0) return new Set();
  const refs = [...new Set([...sources.values()].flat())];
  const unreadable = await ctx.workspaces.unreadableObjects(actor.user, refs, actor.token);
  return new Set([...sources].filter(([, of]) => of.some((ref) => unreadable.has(ref))).map(([jobId]) => jobId));
}
