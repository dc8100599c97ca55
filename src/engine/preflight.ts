/** Third step of the pipeline: everything that can be refused is refused before anything is recorded. */
import type { ErrorCode } from '../contract/errors.js';
import type { JobRequest } from '../contract/schemas.js';
import type { Context } from './context.js';
import type { Actor } from './engine.js';
import { requirementsOf } from './resolve.js';
import type { Draft } from './submit.js';

const CONTROL = /\p{Cc}/u;
const UPA = /^\s*\d+\s*\/\s*\d+\s*\/\s*\d+\s*$/;

/** Before the catalog is asked: the form of what was sent. */
export function checkForm(drafts: readonly Draft[]): void {
  for (const draft of drafts) {
    if (draft.error !== null) continue;
    const reason = appIdReason(draft.request) ?? sourceObjectReason(draft.request) ?? outOfRange(draft.request);
    if (reason !== null) refuse(draft, 'INVALID_INPUT', reason);
  }
}

/** What the jobs say they read must be readable by the caller: one question for all of them. */
export async function checkSourceObjects(ctx: Context, actor: Actor, drafts: readonly Draft[]): Promise<void> {
  const asking = drafts.filter((draft) => draft.error === null && (draft.request.source_ws_objects?.length ?? 0) > 0);
  const refs = asking.flatMap((draft) => sourceObjectsOf(draft.request));
  if (refs.length === 0) return;
  const unreadable = await ctx.workspaces.unreadableObjects(actor.user, [...new Set(refs)], actor.token);
  for (const draft of asking) {
    const isBlind = sourceObjectsOf(draft.request).some((ref) => unreadable.has(ref));
    if (isBlind) refuse(draft, 'FORBIDDEN', UNREADABLE_OBJECT);
  }
}

export const UNREADABLE_OBJECT = 'Some workspace object is inaccessible';

/** Without blanks, as they are recorded. */
export function sourceObjectsOf(request: JobRequest): string[] {
  return (request.source_ws_objects ?? []).map((ref) => ref.replace(/\s+/g, ''));
}

/** After the catalog answered: parameters against the method's schema, requirements against the scheduler. */
export function checkFit(ctx: Context, drafts: readonly Draft[]): void {
  for (const draft of drafts) {
    if (draft.error !== null || draft.spec === undefined) continue;
    const reason = draft.spec.checkParams(draft.request.params === undefined ? null : draft.request.params.parse());
    if (reason !== null) refuse(draft, 'PARAMS_REJECTED', reason);
    else checkRequirements(ctx, draft);
  }
}

function checkRequirements(ctx: Context, draft: Draft): void {
  const needs = requirementsOf(draft.spec!, draft.request.requirements);
  const reason = unsatisfiable(ctx, needs.cpus, needs.memory_mb, needs.client_group);
  if (reason !== null) refuse(draft, 'REQUIREMENTS_UNSATISFIABLE', reason);
}

/** Why no machine here could ever run this, or null. */
export function unsatisfiable(ctx: Context, cpus: number, memoryMb: number, clientGroup: string | null): string | null {
  const scheduler = ctx.schedulerFor(clientGroup);
  const offers = ctx.limitsOf(scheduler);
  if (offers.some((offer) => cpus <= offer.cpus && memoryMb <= offer.memoryMb)) return null;
  const most = {
    cpus: Math.max(...offers.map((offer) => offer.cpus)),
    memoryMb: Math.max(...offers.map((offer) => offer.memoryMb)),
  };
  if (cpus > most.cpus) return `${cpus} cpus asked, but the ${scheduler.name} scheduler has ${most.cpus}; ask for less`;
  if (memoryMb > most.memoryMb) {
    return `${memoryMb} MB of memory asked, but the ${scheduler.name} scheduler has ${most.memoryMb} MB; ask for less`;
  }
  return `${cpus} cpus and ${memoryMb} MB asked, but no machine of the ${scheduler.name} scheduler has both; ask for less`;
}

function refuse(draft: Draft, code: ErrorCode, message: string): void {
  draft.error = { code, message };
}

/** EE2's sentences, which its users know. */
function appIdReason({ app_id: appId, method }: JobRequest): string | null {
  if (appId === undefined) return null;
  if (CONTROL.test(appId)) return 'application ID contains control characters';
  if (appId.includes('/') && appId.includes('.')) return `Application ID '${appId}' has both '/' and '.' separators`;
  const parts = appId.split(/[/.]/);
  if (parts.length > 2) return `Expected exactly one '/' in application ID '${appId}'`;
  const module = parts[0]!.trim();
  const expected = method.split('.')[0]!.trim();
  return module === expected ? null : `Application module '${module}' must equal method module '${expected}'`;
}

function sourceObjectReason({ source_ws_objects: refs }: JobRequest): string | null {
  const bad = refs?.findIndex((ref) => !UPA.test(ref)) ?? -1;
  if (bad < 0) return null;
  return `source_ws_objects index ${bad}, '${refs![bad]}', is not a valid Unique Permanent Address`;
}

const MAX_INTEGER = 2_147_483_647;
function outOfRange({ requirements }: JobRequest): string | null {
  for (const [name, value] of Object.entries(requirements ?? {})) {
    if (typeof value === 'number' && value > MAX_INTEGER) return `${name} must be at most ${MAX_INTEGER}`;
  }
  return null;
}
