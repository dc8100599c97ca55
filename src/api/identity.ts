/** Who asks. JSON-RPC has the raw token in AUTHORIZATION; REST also takes `Bearer`, and session.ts the cookie of a page. */
import { RepriseError } from '../contract/errors.js';
import { Secret } from '../contract/secret.js';
import type { Actor } from '../engine/engine.js';
import type { ApiDeps } from './deps.js';

export function bearerOf(header: string | undefined): string | undefined {
  return header?.replace(/^Bearer\s+/i, '').trim();
}

/** Refuses a missing or bad token. */
export async function actorOf(
  deps: Pick<ApiDeps, 'identify'>,
  token: string | undefined,
  asAdmin: boolean,
): Promise<Actor> {
  if (token === undefined || token === '') {
    throw new RepriseError('UNAUTHENTICATED', 'this call needs a token: send the header Authorization: Bearer <token>');
  }
  const identity = await deps.identify(token);
  if (identity === null) {
    throw new RepriseError(
      'UNAUTHENTICATED',
      'the token is unknown, expired or revoked; make one with: reprise token create',
    );
  }
  return { user: identity.user, admin: identity.admin, asAdmin, token: new Secret(token) };
}
