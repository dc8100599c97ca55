/**
 * Identity by KBase's auth service. Users and roles are kept for some minutes, since runners call twice a second: a token
 * that is revoked over there is refused here as soon as what is kept has aged (`kbase.token_cache_seconds`). While the
 * service can not be asked, who was known goes on (`kbase.outage_grace_seconds`): its outage must not end running jobs.
 */
import { createHash } from 'node:crypto';
import { RepriseError } from '../contract/errors.js';
import type { Http } from '../kbase/http.js';
import { createMemory } from '../kbase/memory.js';
import { ServiceOutage, ServiceRefusal } from '../kbase/outage.js';

export interface KbaseIdentity {
  readonly user: string;
  readonly admin: 'none' | 'read' | 'write';
}

export interface KbaseAuthOptions {
  readonly http: Http;
  /** The legacy login, e.g. `https://kbase.us/services/auth/api/legacy/KBase/Sessions/Login`. */
  readonly loginUrl: string;
  /** The auth service itself, e.g. `https://kbase.us/services/auth`. */
  readonly authUrl: string;
  readonly now: () => number;
  readonly freshMs: number;
  readonly graceMs: number;
}

const MOST_KEPT = 2000;
/** Of KBase's custom roles; who has both is a write admin. */
const ROLES = { write: 'EE2_ADMIN', read: 'EE2_ADMIN_RO' } as const;

/** Null for a token that KBase refuses; throws UNAVAILABLE if nobody can say. */
export function createKbaseAuth(options: KbaseAuthOptions) {
  const { now, freshMs, graceMs } = options;
  const memory = createMemory<KbaseIdentity>({ now, freshMs, graceMs, size: MOST_KEPT });
  return {
    async identify(token: string): Promise<KbaseIdentity | null> {
      // a header can not carry it, so no service knows it
      if (!/^[\x21-\x7e]+$/.test(token)) return null;
      const key = createHash('sha256').update(token).digest('base64');
      try {
        return await memory.get(key, () => ask(options, token));
      } catch (error) {
        if (error instanceof ServiceRefusal) return null;
        throw error instanceof ServiceOutage ? unavailable(error) : error;
      }
    },
  };
}

async function ask(options: KbaseAuthOptions, token: string): Promise<KbaseIdentity> {
  const user = await userOf(options, token);
  return { user, admin: await roleOf(options, token) };
}

async function userOf({ http, loginUrl }: KbaseAuthOptions, token: string): Promise<string> {
  const body = new URLSearchParams({ token, fields: 'user_id' }).toString();
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
  const answer = await http({ url: loginUrl, method: 'POST', headers, body, repeatable: true });
  const { user_id: user } = judged(answer, 'the login') as { user_id?: unknown };
  if (typeof user === 'string' && user !== '') return user;
  throw new ServiceOutage('the auth service answered a login without a user_id');
}

async function roleOf({ http, authUrl }: KbaseAuthOptions, token: string): Promise<KbaseIdentity['admin']> {
  const url = `${authUrl.replace(/\/$/, '')}/api/V2/me`;
  const answer = await http({ url, method: 'GET', headers: { Authorization: token }, repeatable: true });
  const { customroles: roles } = judged(answer, 'the roles') as { customroles?: unknown };
  if (!Array.isArray(roles)) throw new ServiceOutage('the auth service answered without customroles');
  if (roles.includes(ROLES.write)) return 'write';
  return roles.includes(ROLES.read) ? 'read' : 'none';
}

/** 4xx is the service's no; anything else that is not 200 may be over in a moment. */
function judged({ status, body }: { status: number; body: unknown }, what: string): object {
  if (status >= 200 && status < 300 && body !== null && typeof body === 'object') return body;
  const told = (body as { error?: { message?: unknown } } | null)?.error?.message;
  if (status >= 400 && status < 500 && status !== 429)
    throw new ServiceRefusal(String(told ?? `HTTP ${status}`), status);
  throw new ServiceOutage(`the auth service answered HTTP ${status} when it was asked for ${what}`);
}

function unavailable(error: ServiceOutage): RepriseError {
  const sentence = `Token validation failed: Error connecting to auth service: ${error.message}`;
  return new RepriseError('UNAVAILABLE', sentence, undefined, { cause: error });
}
