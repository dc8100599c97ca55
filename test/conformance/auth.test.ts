import { randomBytes } from 'node:crypto';
import { createBuiltinAuth } from '../../src/auth/builtin.js';
import { openTestDb } from '../support/databases.js';
import { authConformance } from './auth.js';

const root = { user: 'root', admin: 'write', asAdmin: true } as const;

authConformance('built in', async () => {
  const db = await openTestDb();
  const auth = createBuiltinAuth({ db, now: () => new Date(), randomBytes });
  await auth.createToken(root, { user: 'root' });
  const ids = new Map<string, string>();
  return {
    auth,
    mayLag: 0,
    async giveToken(user, admin) {
      const made = await auth.createToken(root, { user, ...(admin !== undefined && { admin }) });
      ids.set(made.token, made.token_id);
      return made.token;
    },
    async takeToken(token) {
      await auth.revokeToken(root, ids.get(token) ?? '');
    },
    async makeWorkspace(members) {
      const { wsid } = await auth.createWorkspace(root, 'a workspace');
      for (const [member, role] of Object.entries(members)) await auth.shareWorkspace(root, wsid, member, role);
      await auth.shareWorkspace(root, wsid, 'root', 'none');
      return wsid;
    },
    async setMember(wsid, member, role) {
      await auth.shareWorkspace(root, wsid, member, role);
    },
    close: () => db.close(),
  };
});
