/**
 * Browser sessions. The cookie is the caller's own API token, sealed with a key of the server: nothing is stored, every
 * replica and every restart can read it, and revoking the token ends the session with the next call. It is looked at
 * below `/api/v1` only; JSON-RPC never takes identity from a cookie.
 */
import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import type { Context } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { RepriseError } from '../contract/errors.js';

export interface SessionOptions {
  /** 32 bytes, the same for every replica. */
  readonly key: Uint8Array;
  readonly now: () => Date;
  readonly randomBytes: (size: number) => Uint8Array;
}

export interface Sessions {
  readonly cookieName: string;
  seal(token: string): string;
  /** Null for what we did not seal, or too long ago. */
  open(sealed: string): string | null;
  /** A code that signs in once, within ten minutes, at this process, with the token that is then given. */
  offer(token: () => Promise<string>): { readonly code: string; readonly until: Date };
  /** Null for a code that is unknown, used or too old. */
  redeem(code: string): Promise<string | null>;
}

export const SESSION_MS = 14 * 24 * 3600 * 1000;
const OFFER_MS = 10 * 60 * 1000;
/** Codes are few: whoever makes more than this by accident loses the oldest. */
const OFFERS_AT_MOST = 1000;

/** The header that a page of another origin cannot send without asking first, which we never allow. */
export const SESSION_HEADER = 'x-reprise-ui';

export function createSessions({ key, now, randomBytes }: SessionOptions): Sessions {
  const offers = new Map<string, { token: () => Promise<string>; until: number }>();
  return {
    // cookies do not know ports: two servers on one machine must not sign each other's users out
    cookieName: `reprise_${createHash('sha256').update(key).digest('hex').slice(0, 8)}`,
    seal(token) {
      const iv = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', key, iv);
      const text = JSON.stringify([now().getTime() + SESSION_MS, token]);
      const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url');
    },
    open(sealed) {
      const opened = unseal(key, Buffer.from(sealed, 'base64url'));
      return opened === null || opened[0] < now().getTime() ? null : opened[1];
    },
    offer(token) {
      const code = Buffer.from(randomBytes(24)).toString('base64url');
      const until = now().getTime() + OFFER_MS;
      offers.set(digest(code), { token, until });
      if (offers.size > OFFERS_AT_MOST) offers.delete(offers.keys().next().value as string);
      return { code, until: new Date(until) };
    },
    async redeem(code) {
      const found = offers.get(digest(code));
      // taken out before it is judged: two redeems of one code cannot both win
      offers.delete(digest(code));
      return found === undefined || found.until < now().getTime() ? null : found.token();
    },
  };
}

const digest = (code: string) => createHash('sha256').update(code).digest('hex');

function unseal(key: Uint8Array, bytes: Buffer): [number, string] | null {
  if (bytes.length < 29) return null;
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12));
    decipher.setAuthTag(bytes.subarray(12, 28));
    const text = Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8');
    return JSON.parse(text) as [number, string];
  } catch {
    // forged, cut short, or sealed with another key
    return null;
  }
}

export function openSession(c: Context, sessions: Sessions, token: string): void {
  const secure = new URL(c.req.url).protocol === 'https:' || c.req.header('x-forwarded-proto') === 'https';
  setCookie(c, sessions.cookieName, sessions.seal(token), {
    httpOnly: true,
    sameSite: 'Strict',
    secure,
    path: '/api/v1',
    maxAge: SESSION_MS / 1000,
  });
}

export function closeSession(c: Context, sessions: Sessions): void {
  deleteCookie(c, sessions.cookieName, { path: '/api/v1' });
}

/** The token of the caller's session, if there is one; refuses a call that a page of another origin may have made. */
export function sessionTokenOf(c: Context, sessions: Sessions): string | undefined {
  const sealed = getCookie(c, sessions.cookieName);
  const token = sealed === undefined ? null : sessions.open(sealed);
  if (token === null) return undefined;
  requireOwnOrigin(c);
  return token;
}

/**
 * | call            | accepted when                                                                  |
 * | --------------- | ------------------------------------------------------------------------------ |
 * | any             | the browser says it comes from our own origin, or was typed; or says nothing   |
 * | other than GET  | and it carries the header that only our own pages can send                     |
 *
 * SameSite=Strict already keeps the cookie away from other sites; this also holds for another port of the same host,
 * which counts as the same site.
 */
export function requireOwnOrigin(c: Context): void {
  const site = c.req.header('sec-fetch-site');
  const origin = c.req.header('origin');
  const hosts = [c.req.header('host'), c.req.header('x-forwarded-host')];
  const foreignSite = site !== undefined && site !== 'same-origin' && site !== 'none';
  const foreignOrigin = site === undefined && origin !== undefined && !isOneOf(hosts, origin);
  const reads = c.req.method === 'GET' || c.req.method === 'HEAD';
  if (foreignSite || foreignOrigin || (!reads && c.req.header(SESSION_HEADER) === undefined)) {
    throw new RepriseError(
      'FORBIDDEN',
      `a browser session is for this server's own pages; from elsewhere send the header Authorization: Bearer <token>`,
    );
  }
}

/** An origin of no host (`null`: a sandboxed frame, a file) is nobody's own. */
function isOneOf(hosts: readonly (string | undefined)[], origin: string): boolean {
  return URL.canParse(origin) && hosts.includes(new URL(origin).host);
}
