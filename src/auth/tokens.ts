/**
 * API tokens: random, shown once, kept as a hash. Nothing is cached: a revoked token is refused by every replica from the
 * next call on.
 */
import { createHash } from 'node:crypto';
import { RepriseError } from '../contract/errors.js';
import type { IdSource } from '../contract/ids.js';
import type { TokenCreated, TokenView } from '../contract/schemas.js';
import type { Db, Queryable } from '../store/db.js';
import {
  type AdminRole,
  addToken,
  addUserIfNew,
  findIdentity,
  findToken,
  findTokens,
  findUser,
  revokeTokenOnce,
  setAdminRole,
  type TokenRow,
} from '../store/tokens.js';
import { type Caller, checkedLabel, checkUserName } from './caller.js';

const PREFIX = 'rp_';
const SHAPE = /^rp_[0-9A-Za-z_-]{43}$/;
/** Ten years, in ms. */
const LONGEST_LIFE = 10 * 366 * 24 * 3600 * 1000;
export const OWNER = 'admin';

export interface TokenParts {
  readonly db: Db;
  readonly now: () => Date;
  readonly randomBytes: (size: number) => Uint8Array;
  readonly ids: IdSource;
}

export interface TokenRequest {
  readonly user?: string;
  readonly name?: string;
  readonly admin?: AdminRole;
  readonly expires_in_ms?: number;
}

export interface Identity {
  readonly user: string;
  readonly admin: 'none' | 'read' | 'write';
}

/** Null for a token that is unknown, expired or revoked. */
export async function identify({ db, now }: TokenParts, token: string): Promise<Identity | null> {
  if (!SHAPE.test(token)) return null;
  const row = await findIdentity(db, hashOf(token), now());
  return row === undefined ? null : { user: row.user_name, admin: row.admin_role ?? 'none' };
}

export async function createToken(parts: TokenParts, caller: Caller, request: TokenRequest): Promise<TokenCreated> {
  const user = request.user ?? caller.user;
  checkUserName(user);
  const name = checkedLabel('token', request.name ?? 'token');
  const expiresAt = expiryOf(parts.now(), request.expires_in_ms);
  requireMayMake(caller, user, request.admin);
  return parts.db.transaction(async (tx) => {
    await addUserIfNew(tx, user);
    if (request.admin !== undefined) await setAdminRole(tx, user, request.admin);
    return issue(parts, tx, { user, name, createdBy: caller.user, expiresAt });
  });
}

/**
 * | for     | without a role | with a role                                              |
 * | ------- | -------------- | -------------------------------------------------------- |
 * | oneself | everyone       | who has exactly this role; nobody changes their own role |
 * | another | write admins   | write admins                                             |
 */
function requireMayMake(caller: Caller, user: string, role: AdminRole | undefined): void {
  if (user !== caller.user) {
    if (caller.admin === 'write') return;
    const sentence = `only write admins make tokens for others; ask one to run: reprise token create --user ${user}`;
    throw new RepriseError('FORBIDDEN', sentence);
  }
  if (role === undefined || role === caller.admin) return;
  if (caller.admin !== 'write') {
    throw new RepriseError(
      'FORBIDDEN',
      `only write admins give the admin role '${role}'; ask one to give it to ${user}`,
    );
  }
  throw new RepriseError(
    'CONFLICT',
    `the admin role belongs to the user, not to the token: this would lower you to '${role}'; name another user with --user, or let another write admin do it`,
  );
}

function expiryOf(now: Date, lifeMs: number | undefined): Date | null {
  if (lifeMs === undefined) return null;
  if (Number.isFinite(lifeMs) && lifeMs >= 1 && lifeMs <= LONGEST_LIFE) return new Date(now.getTime() + lifeMs);
  const sentence = 'a token expires after at most ten years; leave the expiry out for one that never does';
  throw new RepriseError('INVALID_INPUT', sentence);
}

interface Issue {
  readonly user: string;
  readonly name: string;
  readonly createdBy: string;
  readonly expiresAt: Date | null;
}

async function issue(parts: TokenParts, tx: Queryable, what: Issue): Promise<TokenCreated> {
  const token = PREFIX + Buffer.from(parts.randomBytes(32)).toString('base64url');
  const row = await addToken(tx, { ...what, tokenId: parts.ids.next(), hash: hashOf(token) });
  return { ...viewOf(row), token };
}

/** A user of null asks for one's own tokens, or everybody's if one is an admin. */
export async function listTokens({ db }: TokenParts, caller: Caller, user: string | null): Promise<TokenView[]> {
  const isAdmin = caller.admin !== 'none';
  if (user !== null && user !== caller.user) {
    if (!isAdmin)
      throw new RepriseError('FORBIDDEN', `only admins see the tokens of others; leave ${user} out to see yours`);
    if ((await findUser(db, user)) === undefined) throw noSuchUser(user);
  }
  return (await findTokens(db, user ?? (isAdmin ? null : caller.user))).map(viewOf);
}

/** One's own, or anybody's for write admins. It is refused from the next call on. */
export async function revokeToken({ db }: TokenParts, caller: Caller, tokenId: string): Promise<TokenView> {
  const known = await findToken(db, tokenId);
  const visible = known !== undefined && (known.user_name === caller.user || caller.admin !== 'none');
  if (!visible) {
    throw new RepriseError('NOT_FOUND', `you have no token with the id '${tokenId}'; reprise token list shows them`);
  }
  if (known.user_name !== caller.user && caller.admin !== 'write') {
    throw new RepriseError('FORBIDDEN', `only ${known.user_name} and write admins may revoke token ${tokenId}`);
  }
  return viewOf((await revokeTokenOnce(db, tokenId)) ?? known);
}

/**
 * The token of the machine's owner, user `admin`. Killed between the record and the file that keeps it, the next start
 * makes another; what was lost nobody knows.
 */
export async function ensureAdminToken(parts: TokenParts, existing: string | null): Promise<string> {
  await parts.db.transaction(async (tx) => {
    await addUserIfNew(tx, OWNER);
    await setAdminRole(tx, OWNER, 'write');
  });
  if (existing !== null && (await identify(parts, existing))?.user === OWNER) return existing;
  const what = { user: OWNER, name: 'file admin-token', createdBy: OWNER, expiresAt: null };
  return (await issue(parts, parts.db, what)).token;
}

export function noSuchUser(user: string): RepriseError {
  return new RepriseError(
    'NOT_FOUND',
    `there is no user '${user}'; a write admin makes one with: reprise token create --user ${user}`,
  );
}

function hashOf(token: string): Uint8Array {
  return createHash('sha256').update(token).digest();
}

function viewOf(row: TokenRow): TokenView {
  return {
    token_id: row.token_id,
    user: row.user_name,
    name: row.token_name,
    created_at: row.created_at.toISOString(),
    created_by: row.created_by,
    expires_at: row.expires_at?.toISOString() ?? null,
    revoked_at: row.revoked_at?.toISOString() ?? null,
  };
}
