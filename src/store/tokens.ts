/** Users, their admin role, and the hashes of their API tokens. */
import { type Queryable, statement } from './db.js';

export type AdminRole = 'read' | 'write';

export interface IdentityRow {
  readonly user_name: string;
  readonly admin_role: AdminRole | null;
}

const selectIdentity = statement<IdentityRow>(
  'select_identity',
  `
  select u.user_name, u.admin_role
  from tokens t
  join users u on u.user_name = t.user_name
  where t.token_hash = $1::bytea
    and t.revoked_at is null
    and (t.expires_at is null or t.expires_at > $2::timestamptz)`,
);

/** One indexed look-up. */
export async function findIdentity(db: Queryable, hash: Uint8Array, now: Date): Promise<IdentityRow | undefined> {
  return (await db.query(selectIdentity, [hash, now]))[0];
}

const insertUserIfNew = statement<{ user_name: string }>(
  'insert_user_if_new',
  `
  insert into users (user_name)
  values ($1::text)
  on conflict (user_name) do nothing`,
);

export async function addUserIfNew(tx: Queryable, user: string): Promise<void> {
  await tx.query(insertUserIfNew, [user]);
}

const updateAdminRole = statement(
  'update_admin_role',
  `
  update users
  set admin_role = $2::text
  where user_name = $1::text and admin_role is distinct from $2::text`,
);

export async function setAdminRole(tx: Queryable, user: string, role: AdminRole): Promise<void> {
  await tx.query(updateAdminRole, [user, role]);
}

const selectUser = statement<IdentityRow>(
  'select_user',
  `
  select user_name, admin_role
  from users
  where user_name = $1::text`,
);

export async function findUser(db: Queryable, user: string): Promise<IdentityRow | undefined> {
  return (await db.query(selectUser, [user]))[0];
}

export interface TokenRow {
  readonly token_id: string;
  readonly user_name: string;
  readonly token_name: string;
  readonly created_at: Date;
  readonly created_by: string;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
}

export interface NewToken {
  readonly tokenId: string;
  readonly user: string;
  readonly name: string;
  readonly hash: Uint8Array;
  readonly createdBy: string;
  readonly expiresAt: Date | null;
}

const insertToken = statement<TokenRow>(
  'insert_token',
  `
  insert into tokens (token_id, user_name, token_name, token_hash, created_by, expires_at)
  values ($1::text, $2::text, $3::text, $4::bytea, $5::text, $6::timestamptz)
  returning token_id, user_name, token_name, created_at, created_by, expires_at, revoked_at`,
);

export async function addToken(tx: Queryable, t: NewToken): Promise<TokenRow> {
  const rows = await tx.query(insertToken, [t.tokenId, t.user, t.name, t.hash, t.createdBy, t.expiresAt]);
  return rows[0] as TokenRow;
}

const selectTokens = statement<TokenRow>(
  'select_tokens',
  `
  select token_id, user_name, token_name, created_at, created_by, expires_at, revoked_at
  from tokens
  where ($1::text is null or user_name = $1)
  order by user_name, token_id`,
);

/** Of one user, or everybody's for null; revoked and expired ones too. */
export function findTokens(db: Queryable, user: string | null): Promise<TokenRow[]> {
  return db.query(selectTokens, [user]);
}

const selectToken = statement<TokenRow>(
  'select_token',
  `
  select token_id, user_name, token_name, created_at, created_by, expires_at, revoked_at
  from tokens
  where token_id = $1::text`,
);

export async function findToken(db: Queryable, tokenId: string): Promise<TokenRow | undefined> {
  return (await db.query(selectToken, [tokenId]))[0];
}

const updateTokenRevoked = statement<TokenRow>(
  'update_token_revoked',
  `
  update tokens
  set revoked_at = coalesce(revoked_at, now())
  where token_id = $1::text
  returning token_id, user_name, token_name, created_at, created_by, expires_at, revoked_at`,
);

/** The first time counts: revoking again changes nothing. */
export async function revokeTokenOnce(db: Queryable, tokenId: string): Promise<TokenRow | undefined> {
  return (await db.query(updateTokenRevoked, [tokenId]))[0];
}
