import { createKbaseAuth } from '../../src/auth/kbase.js';
import { createKbaseWorkspaces } from '../../src/auth/kbase-workspaces.js';
import { Secret } from '../../src/contract/secret.js';
import { createHttp } from '../../src/kbase/http.js';
import { startKbase } from '../support/kbase-fake.js';
import { authConformance } from './auth.js';

const LETTER = { read: 'r', write: 'w', admin: 'a', none: 'n' } as const;
const ROLE = { read: 'EE2_ADMIN_RO', write: 'EE2_ADMIN' } as const;

authConformance('KBase', async () => {
  const kbase = await startKbase();
  const http = createHttp({ timeoutMs: 5000, tries: 3, random: Math.random });
  const freshMs = 300_000;
  const { identify } = createKbaseAuth({
    http,
    loginUrl: `${kbase.url}/auth/api/legacy/KBase/Sessions/Login`,
    authUrl: `${kbase.url}/auth`,
    now: Date.now,
    freshMs,
    graceMs: 0,
  });
  const workspaces = createKbaseWorkspaces({ http, url: `${kbase.url}/ws` });
  /** Every caller has a token over there; the services judge by it. */
  const tokenOf = (user: string) => {
    const known = [...kbase.users].find(([, owner]) => owner === user)?.[0] ?? `TOKENOF${user}`;
    kbase.users.set(known, user);
    return new Secret(known);
  };
  let made = 0;
  return {
    auth: {
      identify,
      workspaceRights: (user, wsids) => workspaces.workspaceRights(user, wsids, tokenOf(user)),
    },
    mayLag: freshMs,
    async giveToken(user, admin) {
      made += 1;
      const token = `${made}TOKEN`.padStart(32, 'K');
      kbase.users.set(token, user);
      if (admin !== undefined) kbase.roles.set(user, [ROLE[admin]]);
      return token;
    },
    async takeToken(token) {
      kbase.users.delete(token);
    },
    async makeWorkspace(members) {
      const wsid = kbase.workspaces.size + 1;
      kbase.workspaces.set(wsid, new Map(Object.entries(members).map(([user, role]) => [user, LETTER[role]])));
      return wsid;
    },
    async setMember(wsid, member, role) {
      kbase.workspaces.get(wsid)?.set(member, LETTER[role]);
    },
    close: () => kbase.stop(),
  };
});
