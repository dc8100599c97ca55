/**
 * The web UI: its files, and signing in and out. To be mounted before REST, whose last route answers everything below
 * `/api/v1`.
 *
 * | call                     | does                                                      |
 * | ------------------------ | --------------------------------------------------------- |
 * | `POST /api/v1/session`   | `{token}` or `{once}` becomes a cookie; answers who it is |
 * | `DELETE /api/v1/session` | forgets the cookie                                        |
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { serveStatic } from '@hono/node-server/serve-static';
import type { Context, Next } from 'hono';
import { RepriseError } from '../contract/errors.js';
import type { HttpApp } from './app.js';
import { readBody } from './body.js';
import type { ApiDeps } from './deps.js';
import { toTold } from './failure.js';
import { actorOf } from './identity.js';
import { jsonReply } from './reply.js';
import { closeSession, openSession, requireOwnOrigin } from './session.js';

export type UiDeps = Pick<ApiDeps, 'identify' | 'log' | 'sessions' | 'webDir'>;

const SESSION = '/api/v1/session';
const SIGN_IN_LIMIT = 64 * 1024;

export function mountUi(http: HttpApp, deps: UiDeps): void {
  http.post(SESSION, (c) => told(c, deps, () => signIn(c, deps)));
  http.delete(SESSION, (c) => told(c, deps, () => signOut(c, deps)));
  http.get(
    '/assets/*',
    async (c, next) => {
      await next();
      guard(c);
      // the name of an asset has a hash of its content
      if (c.res.ok) c.header('cache-control', 'public, max-age=31536000, immutable');
    },
    serveStatic({ root: deps.webDir, precompressed: true }),
  );
  for (const name of ['/favicon.svg', '/robots.txt']) http.get(name, serveStatic({ root: deps.webDir }));
  http.get('*', pageOf(deps));
}

/** Every address that a browser asks a page for is the same page; which view it shows is the page's matter. */
function pageOf({ webDir }: UiDeps) {
  const file = join(webDir, 'index.html');
  const page = existsSync(file) ? readFileSync(file, 'utf8') : null;
  return async (c: Context, next: Next) => {
    const { path } = c.req;
    const wantsPage = (c.req.header('accept') ?? '').includes('text/html');
    if (!wantsPage || /^\/(api|services|assets|metrics|healthz)(\/|$)/.test(path)) return next();
    if (page === null) return c.text('The web UI was not built. Run: npm run build\n', 503);
    const nonce = randomBytes(16).toString('base64');
    guard(c, nonce);
    return c.html(page.replaceAll('__NONCE__', nonce), 200, { 'cache-control': 'no-store' });
  };
}

/**
 * Nothing but our own files runs or is loaded. Styles need a nonce: the component library writes its colours into a
 * style element, and log lines must not be able to bring one of their own.
 */
function guard(c: Context, nonce?: string): void {
  const styles = nonce === undefined ? `'self'` : `'self' 'nonce-${nonce}'`;
  const policy = [
    `default-src 'none'`,
    `script-src 'self'`,
    `style-src ${styles}`,
    `img-src 'self' data:`,
    `font-src 'self'`,
    `connect-src 'self'`,
    `form-action 'self'`,
    `base-uri 'none'`,
    `frame-ancestors 'none'`,
  ];
  c.header('content-security-policy', policy.join('; '));
  c.header('x-frame-options', 'DENY');
  c.header('x-content-type-options', 'nosniff');
  c.header('referrer-policy', 'no-referrer');
  c.header('cross-origin-opener-policy', 'same-origin');
}

async function signIn(c: Context, deps: UiDeps): Promise<object> {
  requireOwnOrigin(c);
  const { token, once } = parsed(await readBody(c.env.incoming, SIGN_IN_LIMIT));
  const offered = once === undefined ? token?.trim() : await deps.sessions.redeem(once);
  if (offered === null) {
    const again = 'it was used or is older than ten minutes; make a new one with: reprise ui';
    throw new RepriseError('UNAUTHENTICATED', `this sign-in link is no longer good: ${again}`);
  }
  const { user, admin } = await actorOf(deps, offered, false);
  openSession(c, deps.sessions, offered as string);
  return { user, admin };
}

async function signOut(c: Context, deps: UiDeps): Promise<object> {
  requireOwnOrigin(c);
  closeSession(c, deps.sessions);
  return {};
}

/** In the fragment, which browsers send to no server and write into no log. */
export const signInPath = (code: string): string => `/sign-in#once=${code}`;

function parsed(text: string): { token?: string; once?: string } {
  try {
    const { token, once } = JSON.parse(text) as Record<string, unknown>;
    if (typeof token === 'string') return { token };
    if (typeof once === 'string') return { once };
  } catch {
    // told below
  }
  throw new RepriseError('INVALID_PARAMS', `the body must be {"token": "…"} or {"once": "…"}`);
}

async function told(c: Context, deps: UiDeps, work: () => Promise<object>): Promise<Response> {
  const [status, body] = await work().then(
    (result) => [200, result] as const,
    (thrown) => {
      const { error } = toTold(thrown, deps.log, `${c.req.method} ${c.req.path}`);
      return [error.http, { error: { code: error.code, message: error.message } }] as const;
    },
  );
  const reply = await jsonReply(c.req.header('accept-encoding'), status, JSON.stringify(body));
  const cookie = c.res.headers.get('set-cookie');
  if (cookie !== null) reply.headers.set('set-cookie', cookie);
  return reply;
}
