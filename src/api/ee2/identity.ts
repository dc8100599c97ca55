/** Who calls by JSON-RPC: the raw token of a user, or of one dispatch for the calls that a worker makes. */
import { RepriseError } from '../../contract/errors.js';
import type { Ee2Binding, Permission } from '../../contract/operations.js';
import { Secret } from '../../contract/secret.js';
import type { Actor } from '../../engine/engine.js';
import type { ApiDeps } from '../deps.js';

/** The tail is what KBase's auth service says; clients show it. */
const REFUSED = 'Token validation failed: Error connecting to auth service: 401 Unauthorized\n10020 Invalid token';

/** Null for the calls that look at no token. `as_admin` is set by the handler, from the parameters. */
export async function actorOfRpc(
  deps: ApiDeps,
  header: string | undefined,
  { permission, ee2 }: { readonly permission: Permission; readonly ee2: Ee2Binding },
): Promise<Actor | null> {
  if (permission === 'none') return null;
  if (header === undefined) {
    throw new RepriseError(
      'UNAUTHENTICATED',
      'Authentication required for execution_engine2 but no authentication header was passed',
    );
  }
  const token = header.trim();
  if (token === '') throw new RepriseError('UNAUTHENTICATED', 'Token validation failed: Must supply token');
  const dispatchId = ee2.worker === true ? deps.dispatchTokens.verify(token) : null;
  if (dispatchId !== null) return { user: '', admin: 'none', asAdmin: false, dispatchId };
  const identity = await deps.identify(token);
  if (identity === null) throw new RepriseError('UNAUTHENTICATED', REFUSED);
  return { user: identity.user, admin: identity.admin, asAdmin: false, token: new Secret(token) };
}
