/** What the transports are given. */
import type { RestParams, RestResult } from '../contract/operations.js';
import type {
  AppAdded,
  AppDetail,
  AppView,
  Examination,
  MethodView,
  TokenCreated,
  TokenView,
  WorkspaceView,
} from '../contract/schemas.js';
import type { ServiceSettings } from '../contract/settings.js';
import type { Actor, Engine } from '../engine/engine.js';
import type { Log } from '../log.js';
import type { Metrics } from '../metrics.js';
import type { Sessions } from './session.js';

export interface Identity {
  readonly user: string;
  readonly admin: 'none' | 'read' | 'write';
}

/** The catalog's own calls. Who may make them is judged here, in the transport's handlers. */
export interface Apps {
  addApp(request: { repository: string; ref?: string; tag?: string }, user: string): Promise<AppAdded>;
  moveTag(module: string, tag: string, commit: string, user: string): Promise<AppAdded>;
  withdraw(
    commit: string,
    module: string | null,
    reason: string | null,
    user: string,
  ): Promise<{ module: string; commit: string }>;
  listApps(): Promise<AppView[]>;
  showApp(module: string): Promise<AppDetail>;
  /** `module.method` at a tag or commit (`release` if undefined), resolved and refused as a submission would be. */
  describeMethod(method: string, version: string | undefined): Promise<MethodView>;
}

/** Tokens and workspaces; these judge the caller's rights themselves. */
export interface People {
  createToken(actor: Actor, request: RestParams<'createToken'>): Promise<TokenCreated>;
  listTokens(actor: Actor, user: string | null): Promise<TokenView[]>;
  revokeToken(actor: Actor, tokenId: string): Promise<TokenView>;
  createWorkspace(actor: Actor, name: string): Promise<WorkspaceView>;
  listWorkspaces(actor: Actor): Promise<WorkspaceView[]>;
  shareWorkspace(
    actor: Actor,
    wsid: number,
    user: string,
    role: RestParams<'shareWorkspace'>['role'],
  ): Promise<RestResult<'shareWorkspace'>>;
}

/** Part by part; `message` says what is missing. */
export interface Readiness {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly message?: string }>>;
}

export interface ApiDeps {
  readonly engine: Engine;
  /** A stretch of the record from where the one before ended; see maintenance/doctor.ts. */
  readonly examine: (cursor: string | null, repair: boolean) => Promise<Examination>;
  readonly readiness: () => Promise<Readiness>;
  readonly apps: Apps;
  readonly people: People;
  /** Null for a token that is unknown, expired or revoked. */
  readonly identify: (token: string) => Promise<Identity | null>;
  /** The dispatch a token is good for, or null. */
  readonly dispatchTokens: { verify(token: string): string | null };
  readonly settings: ServiceSettings;
  readonly sessions: Sessions;
  /** Where the built pages are; without them `/` says how to build them. */
  readonly webDir: string;
  readonly version: string;
  readonly gitCommit: string;
  /** Bytes. */
  readonly bodyLimit: number;
  readonly log: Log;
  readonly metrics: Metrics;
}
