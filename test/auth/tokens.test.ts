import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BuiltinAuth, createBuiltinAuth } from '../../src/auth/builtin.js';
import type { Caller } from '../../src/auth/caller.js';
import { type Db, statement } from '../../src/store/db.js';
import { openTestDb } from '../support/databases.js';

let db: Db;
let auth: BuiltinAuth;
let now = new Date('2030-01-01T00:00:00Z');
const HOUR = 3_600_000;
const caller = (user: string, admin: Caller['admin'] = 'none'): Caller => ({ user, admin, asAdmin: false });
const root = caller('root', 'write');

beforeAll(async () => {
  db = await openTestDb();
  auth = createBuiltinAuth({ db, now: () => now, randomBytes });
  await auth.createToken(root, { user: 'root' });
});
afterAll(() => db.close());

const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'done',
    (error: { code?: string }) => error.code,
  );

describe('a token', () => {
  it('is kept as a hash, and shown once', async () => {
    const made = await auth.createToken(root, { user: 'ann', name: ' laptop ' });
    expect(made.token).toMatch(/^rp_[0-9A-Za-z_-]{43}$/);
    expect(made).toMatchObject({ user: 'ann', name: 'laptop', created_by: 'root', expires_at: null, revoked_at: null });
    const [listed] = await auth.listTokens(caller('ann'), null);
    expect(listed).toEqual((({ token: _, ...view }) => view)(made));
    const all = statement<{ line: string; hash: Uint8Array }>(
      'test_all_tokens',
      "select t::text as line, token_hash as hash from tokens t where token_name = 'laptop'",
    );
    const [row] = await db.query(all);
    expect(row!.line).not.toContain(made.token.slice(3));
    expect(Buffer.from(row!.hash)).toEqual(createHash('sha256').update(made.token).digest());
  });

  it('ends when it expires, to the millisecond', async () => {
    const { token, expires_at: at } = await auth.createToken(root, { user: 'ann', expires_in_ms: HOUR });
    expect(at).toBe(new Date(now.getTime() + HOUR).toISOString());
    const before = now;
    now = new Date(before.getTime() + HOUR - 1);
    expect(await auth.identify(token)).toMatchObject({ user: 'ann' });
    now = new Date(before.getTime() + HOUR);
    expect(await auth.identify(token)).toBeNull();
    now = before;
  });

  it('ends when it is revoked, also for another server on the same store; revoking again changes nothing', async () => {
    const other = createBuiltinAuth({ db, now: () => now, randomBytes });
    const { token, token_id: id } = await auth.createToken(root, { user: 'ann' });
    expect(await other.identify(token)).not.toBeNull();
    const revoked = await auth.revokeToken(caller('ann'), id);
    expect(await other.identify(token)).toBeNull();
    expect(revoked.revoked_at).not.toBeNull();
    expect(await auth.revokeToken(root, id)).toEqual(revoked);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e18])('cannot be made for %d ms', async (ms) => {
    expect(await code(auth.createToken(root, { expires_in_ms: ms }))).toBe('INVALID_INPUT');
  });

  it.each(['', '*', ' ann', 'a b', '../x', '-rf', 'a\nb', 'a\u0000', 'ä', 'x'.repeat(101), '.'])(
    'cannot be made for the user %j',
    async (user) => {
      expect(await code(auth.createToken(root, { user }))).toBe('INVALID_INPUT');
    },
  );

  it.each(['ann', 'a.b-c_d@example.org', '0x', 'A+b'])('can be made for the user %j', async (user) => {
    expect((await auth.createToken(root, { user })).user).toBe(user);
  });
});

describe('rights', () => {
  it('let everyone make, list and revoke their own tokens, and nobody else those of others', async () => {
    const made = await auth.createToken(root, { user: 'ben' });
    const own = await auth.createToken(caller('ben'), {});
    expect((await auth.listTokens(caller('ben'), 'ben')).map((one) => one.token_id)).toEqual([
      made.token_id,
      own.token_id,
    ]);
    expect(await code(auth.createToken(caller('ben'), { user: 'ann' }))).toBe('FORBIDDEN');
    expect(await code(auth.createToken(caller('ben'), { user: 'new-one' }))).toBe('FORBIDDEN');
    expect(await code(auth.listTokens(caller('ben'), 'ann'))).toBe('FORBIDDEN');
    const [anns] = await auth.listTokens(root, 'ann');
    expect(await code(auth.revokeToken(caller('ben'), anns!.token_id))).toBe('NOT_FOUND');
    expect(await code(auth.revokeToken(caller('ben'), 'nonsense'))).toBe('NOT_FOUND');
    expect((await auth.revokeToken(caller('ben'), own.token_id)).revoked_at).not.toBeNull();
  });

  it('of a read admin are to see all tokens, and to change none', async () => {
    const reader = caller('rita', 'read');
    await auth.createToken(root, { user: 'rita', admin: 'read' });
    const users = new Set((await auth.listTokens(reader, null)).map((token) => token.user));
    expect(users).toContain('ann');
    const [anns] = await auth.listTokens(reader, 'ann');
    expect(await code(auth.revokeToken(reader, anns!.token_id))).toBe('FORBIDDEN');
    expect(await code(auth.createToken(reader, { user: 'ann' }))).toBe('FORBIDDEN');
    expect(await code(auth.listTokens(reader, 'no-such-user'))).toBe('NOT_FOUND');
  });

  it('do not let anyone lift themselves', async () => {
    const roles = ['read', 'write'] as const;
    for (const admin of roles) expect(await code(auth.createToken(caller('ben'), { admin }))).toBe('FORBIDDEN');
    expect(await code(auth.createToken(caller('rita', 'read'), { admin: 'write' }))).toBe('FORBIDDEN');
    expect(await code(auth.createToken(caller('rita', 'read'), { user: 'ben', admin: 'read' }))).toBe('FORBIDDEN');
    const { token } = await auth.createToken(caller('ben'), {});
    expect(await auth.identify(token)).toEqual({ user: 'ben', admin: 'none' });
  });

  it('do not let a write admin lower themselves by asking for a lesser token', async () => {
    const { token } = await auth.createToken(root, { user: 'wanda', admin: 'write' });
    const wanda = caller('wanda', 'write');
    expect(await code(auth.createToken(wanda, { admin: 'read' }))).toBe('CONFLICT');
    expect(await auth.identify(token)).toEqual({ user: 'wanda', admin: 'write' });
    expect((await auth.createToken(wanda, { admin: 'write' })).user).toBe('wanda');
  });

  it('belong to the user: a role given later holds for every token the user has', async () => {
    const { token } = await auth.createToken(root, { user: 'cleo' });
    await auth.createToken(root, { user: 'cleo', admin: 'read' });
    expect(await auth.identify(token)).toEqual({ user: 'cleo', admin: 'read' });
    await auth.createToken(root, { user: 'cleo' });
    expect(await auth.identify(token)).toEqual({ user: 'cleo', admin: 'read' });
  });
});

describe('twenty tokens at once for a user who is not there yet', () => {
  it('make one user and twenty good tokens', async () => {
    const made = await Promise.all(Array.from({ length: 20 }, () => auth.createToken(root, { user: 'crowd' })));
    const seen = await Promise.all(made.map(({ token }) => auth.identify(token)));
    expect(seen).toEqual(made.map(() => ({ user: 'crowd', admin: 'none' })));
    expect(new Set(made.map((one) => one.token_id)).size).toBe(20);
  });
});

describe("the machine owner's token", () => {
  it('is kept as long as it is good, and made anew when it is not', async () => {
    const first = await auth.ensureAdminToken(null);
    expect(await auth.identify(first)).toEqual({ user: 'admin', admin: 'write' });
    expect(await auth.ensureAdminToken(first)).toBe(first);
    const [known] = await auth.listTokens(root, 'admin');
    await auth.revokeToken(root, known!.token_id);
    const second = await auth.ensureAdminToken(first);
    expect(second).not.toBe(first);
    expect(await auth.identify(second)).toEqual({ user: 'admin', admin: 'write' });
  });

  it("is never another user's token, whatever the file says, and brings the role back", async () => {
    const { token } = await auth.createToken(root, { user: 'ann' });
    const given = await auth.ensureAdminToken(token);
    expect(given).not.toBe(token);
    await auth.createToken(root, { user: 'admin', admin: 'read' });
    expect(await auth.ensureAdminToken(given)).toBe(given);
    expect(await auth.identify(given)).toEqual({ user: 'admin', admin: 'write' });
  });
});
