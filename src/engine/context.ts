/** What every step of the engine is given. Time and randomness come in here. */
import type { Catalog } from '../catalog/catalog.js';
import type { IdSource } from '../contract/ids.js';
import type { Secret } from '../contract/secret.js';
import type { ServiceSettings } from '../contract/settings.js';
import type { Limits, Scheduler } from '../schedulers/scheduler.js';
import type { Db } from '../store/db.js';
import type { Leases } from './leases.js';
import type { Spared } from './next-dispatch.js';
import type { OtherRunner } from './other-runner.js';
import type { Hint } from './wake.js';

export type Right = 'none' | 'read' | 'write' | 'admin';

export interface Workspaces {
  /** Rights of a user in each workspace; one that does not exist is `none`. `token`: what the user called with. */
  workspaceRights(user: string, wsids: readonly number[], token: Secret | undefined): Promise<Map<number, Right>>;
  /** Those of `refs` (each `workspace/object/version`) that the user can not read. */
  unreadableObjects(user: string, refs: readonly string[], token: Secret | undefined): Promise<Set<string>>;
}

/** Tokens that are good for one dispatch. */
export interface DispatchTokens {
  mint(dispatchId: string): string;
  /** The dispatch id, or null for a token that is not ours. */
  verify(token: string): string | null;
}

export interface Context {
  readonly db: Db;
  readonly catalog: Catalog;
  readonly workspaces: Workspaces;
  readonly schedulers: ReadonlyMap<string, Scheduler>;
  /** The scheduler that takes a job with this client group. */
  readonly schedulerFor: (clientGroup: string | null) => Scheduler;
  /** What schedulers start in place of our runner; null: ours. */
  readonly otherRunner: OtherRunner | null;
  /** The largest single job of each machine whose server is alive, this one's among them. */
  readonly limitsOf: (scheduler: Scheduler) => readonly Limits[];
  readonly tokens: DispatchTokens;
  readonly ids: IdSource;
  readonly leases: Leases;
  readonly spared: Spared;
  readonly settings: ServiceSettings;
  /** Heard by every server on this database. */
  readonly wake: (what: Hint) => void;
  readonly onEvents: (listener: () => void) => () => void;
  readonly log: (message: string, detail?: object) => void;
}
