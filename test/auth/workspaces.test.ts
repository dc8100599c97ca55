import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BuiltinAuth, createBuiltinAuth } from '../../src/auth/builtin.js';
import type { Caller } from '../../src/auth/caller.js';
import type { Db } from '../../src/store/db.js';
import { openTestDb } from '../support/databases.js';

let db: Db;
let auth: BuiltinAuth;
const USERS = ['ann', 'ben', 'cleo', 'dora'] as const;
const as = (user: string, admin: Caller['admin'] = 'none', asAdmin = false): Caller => ({ user, admin, asAdmin });
const root = as('root', 'write');

beforeAll(async () => {
  db = await openTestDb();
  auth = createBuiltinAuth({ db, now: () => new Date(), randomBytes });
  for (const user of ['root', ...USERS]) await auth.createToken(root, { user });
});
afterAll(() => db.close());

const refused = (promise: Promise<unknown>) =>
  promise.then(
    () => ({ code: 'done', message: '' }),
    (error: { code?: string; message: string }) => ({ code: error.code, message: error.message }),
  );

describe('a workspace', () => {
  it('is made by any user, who is its admin', async () => {
    const made = await auth.createWorkspace(as('ann'), ' lab ');
    expect(made).toEqual({
      wsid: made.wsid,
      name: 'lab',
      created_by: 'ann',
      role: 'admin',
      members: [{ user: 'ann', role: 'admin' }],
    });
    expect(await auth.listWorkspaces(as('ann'))).toContainEqual(made);
    expect((await auth.listWorkspaces(as('ben'))).map((one) => one.wsid)).not.toContain(made.wsid);
  });

  it.each(['', '  ', 'a\u0000b', 'x'.repeat(201)])('cannot be called %j', async (name) => {
    expect((await refused(auth.createWorkspace(as('ann'), name))).code).toBe('INVALID_INPUT');
  });

  it('is shared by its admins only, and only with users who are there', async () => {
    const { wsid } = await auth.createWorkspace(as('ann'), 'shared');
    const after = await auth.shareWorkspace(as('ann'), wsid, 'ben', 'write');
    expect(after.members).toEqual([
      { user: 'ann', role: 'admin' },
      { user: 'ben', role: 'write' },
    ]);
    expect((await refused(auth.shareWorkspace(as('ben'), wsid, 'cleo', 'read'))).code).toBe('FORBIDDEN');
    expect((await refused(auth.shareWorkspace(as('ben'), wsid, 'ben', 'admin'))).code).toBe('FORBIDDEN');
    expect((await refused(auth.shareWorkspace(as('cleo'), wsid, 'cleo', 'read'))).code).toBe('FORBIDDEN');
    expect(await refused(auth.shareWorkspace(as('ann'), wsid, 'bne', 'read'))).toMatchObject({
      code: 'NOT_FOUND',
      message: "there is no user 'bne'; a write admin makes one with: reprise token create --user bne",
    });
    expect((await refused(auth.shareWorkspace(as('ann'), 987_654, 'ben', 'read'))).code).toBe('NOT_FOUND');
    expect((await refused(auth.shareWorkspace(as('ann'), 1e300, 'ben', 'read'))).code).toBe('NOT_FOUND');
  });

  it('is left by a member who wants to', async () => {
    const { wsid } = await auth.createWorkspace(as('ann'), 'left');
    await auth.shareWorkspace(as('ann'), wsid, 'ben', 'read');
    await auth.shareWorkspace(as('ben'), wsid, 'ben', 'none');
    expect((await auth.workspaceRights('ben', [wsid])).get(wsid)).toBe('none');
  });

  it('can be read by everyone when it is shared with *, who are not told the names of the members', async () => {
    const { wsid } = await auth.createWorkspace(as('ann'), 'public');
    for (const role of ['write', 'admin'] as const) {
      expect((await refused(auth.shareWorkspace(as('ann'), wsid, '*', role))).code).toBe('INVALID_INPUT');
    }
    await auth.shareWorkspace(as('ann'), wsid, '*', 'read');
    const seen = (await auth.listWorkspaces(as('cleo'))).find((one) => one.wsid === wsid);
    expect(seen).toMatchObject({ role: 'read', members: [{ user: '*', role: 'read' }] });
    expect((await refused(auth.shareWorkspace(as('cleo'), wsid, 'cleo', 'write'))).code).toBe('FORBIDDEN');
    await auth.shareWorkspace(as('ann'), wsid, '*', 'none');
    expect((await auth.workspaceRights('cleo', [wsid])).get(wsid)).toBe('none');
  });
});

describe('the admin role', () => {
  it('works in workspaces only where it is asked for', async () => {
    const { wsid } = await auth.createWorkspace(as('ann'), 'private');
    const asRoot = (asAdmin: boolean) => as('root', 'write', asAdmin);
    expect((await auth.listWorkspaces(asRoot(false))).map((one) => one.wsid)).not.toContain(wsid);
    expect((await auth.listWorkspaces(asRoot(true))).find((one) => one.wsid === wsid)).toMatchObject({
      role: 'none',
      members: [{ user: 'ann', role: 'admin' }],
    });
    expect((await refused(auth.shareWorkspace(asRoot(false), wsid, 'ben', 'read'))).code).toBe('FORBIDDEN');
    expect((await auth.shareWorkspace(asRoot(true), wsid, 'ben', 'read')).members).toHaveLength(2);
  });

  it('is refused to those who do not have it, with the sentences that EE2 has', async () => {
    const { wsid } = await auth.createWorkspace(as('ann'), 'own');
    expect((await refused(auth.listWorkspaces(as('ann', 'none', true)))).message).toBe(
      'Access Denied: You are not an administrator',
    );
    expect((await refused(auth.shareWorkspace(as('ann', 'none', true), wsid, 'ben', 'read'))).message).toBe(
      'Access Denied: You are not an administrator. AdminPermissions.NONE',
    );
    expect((await refused(auth.shareWorkspace(as('ann', 'read', true), wsid, 'ben', 'read'))).message).toBe(
      'Access Denied: You are a read-only admin. This function requires write access',
    );
  });
});

describe('the last admin of a workspace', () => {
  it('cannot be removed or lowered, not even by an admin of the server', async () => {
    const { wsid } = await auth.createWorkspace(as('ann'), 'last');
    const sentence = `ann is the last admin of workspace ${wsid}; make another member admin first`;
    for (const who of [as('ann'), as('root', 'write', true)]) {
      for (const role of ['none', 'read', 'write'] as const) {
        const { code, message } = await refused(auth.shareWorkspace(who, wsid, 'ann', role));
        expect([code, message]).toEqual(['CONFLICT', sentence]);
      }
    }
    await auth.shareWorkspace(as('ann'), wsid, 'ben', 'admin');
    expect((await auth.shareWorkspace(as('ann'), wsid, 'ann', 'none')).role).toBe('none');
  });

  it('stays when two admins remove each other, or themselves, at once', async () => {
    for (const [first, second] of [
      ['ben', 'ann'],
      ['ann', 'ben'],
    ] as const) {
      const { wsid } = await auth.createWorkspace(as('ann'), 'race');
      await auth.shareWorkspace(as('ann'), wsid, 'ben', 'admin');
      const outcomes = await Promise.all([
        refused(auth.shareWorkspace(as('ann'), wsid, first, 'none')),
        refused(auth.shareWorkspace(as('ben'), wsid, second, 'none')),
      ]);
      expect(outcomes.filter((outcome) => outcome.code === 'done')).toHaveLength(1);
    }
  });

  it('is there after any sequence of shares by anyone', async () => {
    const share = fc.record({
      by: fc.constantFrom(...USERS),
      member: fc.constantFrom(...USERS, '*'),
      role: fc.constantFrom('none' as const, 'read' as const, 'write' as const, 'admin' as const),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(share, { maxLength: 12 }), async (shares) => {
        const { wsid } = await auth.createWorkspace(as('ann'), 'any');
        for (const { by, member, role } of shares) {
          const before = (await auth.workspaceRights(by, [wsid])).get(wsid);
          const { code } = await refused(auth.shareWorkspace(as(by), wsid, member, role));
          if (code === 'done') expect(before === 'admin' || (member === by && role === 'none')).toBe(true);
        }
        const rights = await Promise.all(USERS.map((user) => auth.workspaceRights(user, [wsid])));
        expect(rights.map((map) => map.get(wsid))).toContain('admin');
      }),
      { numRuns: 30 },
    );
  });
});
