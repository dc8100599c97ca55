/** The built-in identity: users, tokens and workspaces in our own store. `test/conformance/auth.ts` is its contract. */
import { createIdSource } from '../contract/ids.js';
import type { TokenCreated, TokenView, WorkspaceView } from '../contract/schemas.js';
import type { Db } from '../store/db.js';
import type { Caller } from './caller.js';
import * as tokens from './tokens.js';
import * as workspaces from './workspaces.js';

type Right = 'none' | 'read' | 'write' | 'admin';

export interface BuiltinAuth {
  /** Null for a token that is unknown, expired or revoked. */
  identify(token: string): Promise<tokens.Identity | null>;
  /** `existing` if it is still good for the user `admin`, else a new one. Gives that user the write role. */
  ensureAdminToken(existing: string | null): Promise<string>;
  /** A right for each workspace asked for; one that does not exist is `none`. */
  workspaceRights(user: string, wsids: readonly number[]): Promise<Map<number, Right>>;
  /** Nothing: what a `workspace/object/version` names is not kept here, so nothing is known against it. */
  unreadableObjects(): Promise<Set<string>>;
  createToken(caller: Caller, request: tokens.TokenRequest): Promise<TokenCreated>;
  listTokens(caller: Caller, user: string | null): Promise<TokenView[]>;
  revokeToken(caller: Caller, tokenId: string): Promise<TokenView>;
  createWorkspace(caller: Caller, name: string): Promise<WorkspaceView>;
  listWorkspaces(caller: Caller): Promise<WorkspaceView[]>;
  shareWorkspace(caller: Caller, wsid: number, user: string, role: Right): Promise<WorkspaceView>;
}

export interface BuiltinAuthOptions {
  readonly db: Db;
  readonly now: () => Date;
  readonly randomBytes: (size: number) => Uint8Array;
}

export function createBuiltinAuth({ db, now, randomBytes }: BuiltinAuthOptions): BuiltinAuth {
  const parts = { db, now, randomBytes, ids: createIdSource(() => now().getTime(), randomBytes) };
  return {
    identify: (token) => tokens.identify(parts, token),
    ensureAdminToken: (existing) => tokens.ensureAdminToken(parts, existing),
    workspaceRights: (user, wsids) => workspaces.workspaceRights(db, user, wsids),
    unreadableObjects: async () => new Set(),
    createToken: (caller, request) => tokens.createToken(parts, caller, request),
    listTokens: (caller, user) => tokens.listTokens(parts, caller, user),
    revokeToken: (caller, tokenId) => tokens.revokeToken(parts, caller, tokenId),
    createWorkspace: (caller, name) => workspaces.createWorkspace(db, caller, name),
    listWorkspaces: (caller) => workspaces.listWorkspaces(db, caller),
    shareWorkspace: (caller, wsid, user, role) => workspaces.shareWorkspace(db, caller, wsid, user, role),
  };
}
