/** What every identity must do: say who a token is, and which rights a user has in workspaces. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

type Role = 'read' | 'write' | 'admin';

export interface AuthHarness {
  readonly auth: {
    identify(token: string): Promise<{ user: string; admin: 'none' | 'read' | 'write' } | null>;
    workspaceRights(user: string, wsids: readonly number[]): Promise<Map<number, 'none' | Role>>;
  };
  /** A good token of this user, who is made if unknown. */
  giveToken(user: string, admin?: 'read' | 'write'): Promise<string>;
  /** Makes a token bad, at its source. */
  takeToken(token: string): Promise<void>;
  /** A workspace with these members; `*` is everyone. */
  makeWorkspace(members: Readonly<Record<string, Role>>): Promise<number>;
  setMember(wsid: number, member: string, role: Role | 'none'): Promise<void>;
  /** How long a change at the source may go unseen, in ms; 0 = at once. */
  readonly mayLag: number;
  close(): Promise<void>;
}

export function authConformance(name: string, open: () => Promise<AuthHarness>): void {
  describe(`identity: ${name}`, () => {
    let h: AuthHarness;
    beforeAll(async () => {
      h = await open();
    });
    afterAll(() => h.close());

    it('names the user of a token, and their admin role', async () => {
      expect(await h.auth.identify(await h.giveToken('ann'))).toEqual({ user: 'ann', admin: 'none' });
      expect(await h.auth.identify(await h.giveToken('rita', 'read'))).toEqual({ user: 'rita', admin: 'read' });
      expect(await h.auth.identify(await h.giveToken('wanda', 'write'))).toEqual({ user: 'wanda', admin: 'write' });
    });

    it('knows several tokens of one user, and tells them apart from one that is bad', async () => {
      const [first, second] = [await h.giveToken('bert'), await h.giveToken('bert')];
      expect(first).not.toBe(second);
      await h.takeToken(first);
      if (h.mayLag === 0) expect(await h.auth.identify(first)).toBeNull();
      expect(await h.auth.identify(second)).toEqual({ user: 'bert', admin: 'none' });
    });

    it.each([
      ['empty', ''],
      ['a blank', ' '],
      ['a word', 'admin'],
      ['of another kind', `rpd_${'a'.repeat(24)}_${'b'.repeat(43)}`],
      ['with control characters', 'rp_\u0000\n\r'],
      ['very long', 'x'.repeat(1_000_000)],
      ['not of this world', '\u{1f511}\ud800'],
    ])('does not know a token that is %s', async (_, token) => {
      expect(await h.auth.identify(token)).toBeNull();
    });

    it('does not know a good token with one character changed or added', async () => {
      const token = await h.giveToken('carl');
      const last = token.endsWith('A') ? 'B' : 'A';
      for (const near of [token.slice(0, -1), token + last, token.slice(0, -1) + last, `${token}\n`]) {
        expect(await h.auth.identify(near)).toBeNull();
      }
    });

    it('gives a right for each workspace asked for: own before everyone, none where there is nothing', async () => {
      await Promise.all(['dora', 'emil', 'fred'].map((user) => h.giveToken(user)));
      const closed = await h.makeWorkspace({ dora: 'admin', emil: 'write' });
      const open = await h.makeWorkspace({ dora: 'admin', emil: 'write', '*': 'read' });
      const missing = 999_999;
      const rightsOf = async (user: string) =>
        [...(await h.auth.workspaceRights(user, [missing, open, closed, open]))].sort(([a], [b]) => a - b);
      const expected = (inClosed: string, inOpen: string) =>
        [
          [closed, inClosed],
          [open, inOpen],
          [missing, 'none'],
        ].sort(([a], [b]) => Number(a) - Number(b));
      expect(await rightsOf('dora')).toEqual(expected('admin', 'admin'));
      expect(await rightsOf('emil')).toEqual(expected('write', 'write'));
      expect(await rightsOf('fred')).toEqual(expected('none', 'read'));
      expect(await rightsOf('nobody-at-all')).toEqual(expected('none', 'read'));
    });

    it('sees a member who came, changed and left', async () => {
      await Promise.all(['gerd', 'hans'].map((user) => h.giveToken(user)));
      const wsid = await h.makeWorkspace({ gerd: 'admin' });
      for (const role of ['read', 'write', 'admin', 'none'] as const) {
        await h.setMember(wsid, 'hans', role);
        expect((await h.auth.workspaceRights('hans', [wsid])).get(wsid)).toBe(role);
      }
    });

    it('answers nothing to no question, and none to numbers that are no workspace', async () => {
      expect(await h.auth.workspaceRights('ann', [])).toEqual(new Map());
      const odd = [0, -1, 1.5, 1e300, Number.MAX_SAFE_INTEGER];
      expect([...(await h.auth.workspaceRights('ann', odd)).values()]).toEqual(odd.map(() => 'none'));
    });
  });
}
