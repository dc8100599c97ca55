/** Who may do what (ee2-compatibility, permissions): the owner, the root's owner, the workspace's members, admins. */
import { RepriseError } from '../contract/errors.js';
import { findDispatchState } from '../store/dispatches.js';
import type { Context, Right } from './context.js';
import type { Actor } from './engine.js';

export type Level = 'read' | 'write';

/** What a right is judged on. */
export interface Subject {
  /** For runners: their dispatch is good for this job alone. */
  readonly jobId?: string;
  readonly owner: string;
  /** Keeps read and cancel on every retry of the job. */
  readonly rootOwner?: string;
  readonly wsid: number | null;
}

/** Refuses `as_admin` to those without the role, then says whether it is in force. */
export function usesAdmin(actor: Actor, level: Level): boolean {
  if (!actor.asAdmin) return false;
  if (actor.admin === 'none') {
    const tail = level === 'write' ? '. AdminPermissions.NONE' : '';
    throw new RepriseError('FORBIDDEN', `Access Denied: You are not an administrator${tail}`);
  }
  if (level === 'write' && actor.admin === 'read') {
    throw new RepriseError(
      'FORBIDDEN',
      'Access Denied: You are a read-only admin. This function requires write access',
    );
  }
  return true;
}

const GRANTS: Readonly<Record<Level, readonly Right[]>> = {
  read: ['read', 'write', 'admin'],
  write: ['write', 'admin'],
};

/** One look-up for all subjects; the answers are in their order. */
export async function mayAll(
  ctx: Context,
  actor: Actor,
  level: Level,
  subjects: readonly Subject[],
): Promise<boolean[]> {
  if (actor.dispatchId !== undefined) {
    const own = await findDispatchState(ctx.db, actor.dispatchId);
    ctx.leases.renew(actor.dispatchId);
    return subjects.map((s) => own !== undefined && s.jobId === own.job_id);
  }
  if (usesAdmin(actor, level)) return subjects.map(() => true);
  const owns = (s: Subject) => s.owner === actor.user || s.rootOwner === actor.user;
  const asked = [...new Set(subjects.filter((s) => !owns(s) && s.wsid !== null).map((s) => s.wsid as number))];
  const rights =
    asked.length === 0
      ? new Map<number, Right>()
      : await ctx.workspaces.workspaceRights(actor.user, asked, actor.token);
  return subjects.map((s) => owns(s) || (s.wsid !== null && GRANTS[level].includes(rights.get(s.wsid) ?? 'none')));
}

export async function may(ctx: Context, actor: Actor, level: Level, subject: Subject): Promise<boolean> {
  return (await mayAll(ctx, actor, level, [subject]))[0]!;
}

export function deniedSentence(user: string, level: Level, jobId: string): string {
  const who = user === '' ? 'The holder of this token' : `User ${user}`;
  return `${who} does not have permission to JobPermissions.${level.toUpperCase()} job ${jobId}`;
}

export async function requireOnJob(
  ctx: Context,
  actor: Actor,
  level: Level,
  jobId: string,
  subject: Subject,
): Promise<void> {
  if (!(await may(ctx, actor, level, subject))) {
    throw new RepriseError('FORBIDDEN', deniedSentence(actor.user, level, jobId));
  }
}

/** Running in a workspace needs write there; running without one needs nothing but a user. */
export async function requireToRunIn(ctx: Context, actor: Actor, wsids: readonly number[]): Promise<Set<number>> {
  if (usesAdmin(actor, 'write')) return new Set();
  const asked = [...new Set(wsids)];
  if (asked.length === 0) return new Set();
  const rights = await ctx.workspaces.workspaceRights(actor.user, asked, actor.token);
  return new Set(asked.filter((wsid) => !GRANTS.write.includes(rights.get(wsid) ?? 'none')));
}
