/** Third step of the pipeline: everything that can be refused is refused before anything is recorded. */
import { parseMethodName, unrecognized } from '../catalog/method-name.js';
import { type ErrorCode, RepriseError } from '../contract/errors.js';
import type { JobRequest } from '../contract/schemas.js';
import type { Context } from './context.js';
import type { Actor } from './engine.js';
import { isConfigured, type Needs, noSuchGroup, resolveNeeds } from './requirements.js';
import type { Draft } from './submit.js';

const CONTROL = /\p{Cc}/u;
const UPA = /^\s*\d+\s*\/\s*\d+\s*\/\s*\d+\s*$/;

/** What the caller asks for, before anything about the app: requirements, and a method that could be one. */
export function checkAsked(ctx: Context, drafts: readonly Draft[]): void {
  for (const draft of drafts) {
    const { method, requirements, faults } = draft.request;
    const group = requirements?.client_group ?? null;
    if (draft.error !== null) continue;
    if (faults?.requirements !== undefined) draft.error = faults.requirements;
    else if (parseMethodName(method) === null) refuse(draft, 'INVALID_INPUT', unrecognized(method));
    else if (group !== null && !isConfigured(ctx.settings, group))
      refuse(draft, 'INVALID_INPUT', noSuchGroup(group).message);
  }
}

/** Before the catalog is asked: the form of what was sent. */
export function checkForm(drafts: readonly Draft[], inBatch: boolean): void {
  for (const draft of drafts) {
    if (draft.error !== null) continue;
    const { request } = draft;
    const reason = appIdReason(request) ?? request.faults?.form?.message ?? sourceObjectReason(request);
    if (reason !== null) refuse(draft, 'INVALID_INPUT', reason);
    else if (inBatch && request.parent_job_id !== undefined) {
      refuse(draft, 'INVALID_INPUT', 'batch jobs may not specify a parent job ID');
    }
  }
}

/** After the catalog answered: caller, catalog and configuration together. */
export function resolveRequirements(ctx: Context, drafts: readonly Draft[]): void {
  for (const draft of drafts) {
    if (draft.error !== null || draft.spec === undefined) continue;
    try {
      draft.needs = resolveNeeds(ctx.settings, draft.spec, draft.request);
    } catch (error) {
      if (!(error instanceof RepriseError)) throw error;
      refuse(draft, error.code, error.message);
    }
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
    if (draft.error !== null || draft.spec === undefined || draft.needs === undefined) continue;
    const reason = draft.spec.checkParams(draft.request.params === undefined ? null : draft.request.params.parse());
    if (reason !== null) refuse(draft, 'PARAMS_REJECTED', reason);
    else checkNeeds(ctx, draft, draft.needs);
  }
}

function checkNeeds(ctx: Context, draft: Draft, needs: Needs): void {
  const reason = unsatisfiable(ctx, needs.cpus, needs.memory_mb, needs.client_group);
  const refusal = ctx.schedulerFor(needs.client_group).refusal?.(needs.options) ?? null;
  if (reason !== null) refuse(draft, 'REQUIREMENTS_UNSATISFIABLE', reason);
  else if (refusal !== null) refuse(draft, 'INVALID_INPUT', refusal);
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
