/** Sessions of browsers: whose calls they carry, whose not, and when they end. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSessions } from '../../src/api/session.js';
import { startTestServer, type TestServer } from '../support/server.js';

let s: TestServer;
let cookie: string;
beforeAll(async () => {
  s = await startTestServer();
  cookie = (await post('/api/v1/session', { token: s.token })).headers.get('set-cookie')!.split(';')[0]!;
});
afterAll(() => s.close());

const ours = { 'x-reprise-ui': '1' };
const post = (path: string, body: object, headers: Record<string, string> = ours) =>
  fetch(s.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
const me = (headers: Record<string, string>) => fetch(`${s.url}/api/v1/me`, { headers });
const codeOf = async (answer: Response) => ((await answer.json()) as { error?: { code: string } }).error?.code ?? 'ok';

describe('a session', () => {
  it('is the cookie’s owner below /api/v1, and nobody in JSON-RPC', async () => {
    expect(await (await me({ cookie })).json()).toEqual({ user: 'admin', admin: 'write' });
    const answer = await fetch(`${s.url}/services/ee2`, {
      method: 'POST',
      headers: { ...ours, cookie },
      body: '{"method":"execution_engine2.check_job","params":[{"job_id":"1"}],"version":"1.1","id":"1"}',
    });
    expect(answer.status).toBe(500);
    expect(await answer.text()).toMatch(/token|auth/i);
  });

  it('changes nothing without the header that only our own pages can send', async () => {
    const workspace = { name: 'forged' };
    expect(await codeOf(await post('/api/v1/workspaces', workspace, { cookie }))).toBe('FORBIDDEN');
    expect(await codeOf(await post('/api/v1/workspaces', workspace, { cookie, ...ours }))).toBe('ok');
  });

  it('is refused to a page of another site or port, whatever it asks', async () => {
    const host = new URL(s.url).host;
    const foreign: Record<string, string>[] = [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site', origin: 'http://127.0.0.1:1' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
    ];
    for (const headers of foreign) {
      expect([headers, await codeOf(await me({ cookie, ...ours, ...headers }))]).toEqual([headers, 'FORBIDDEN']);
      expect(await codeOf(await post('/api/v1/session', { token: s.token }, { ...ours, ...headers }))).toBe(
        'FORBIDDEN',
      );
    }
    const own: Record<string, string>[] = [
      { 'sec-fetch-site': 'same-origin' },
      { 'sec-fetch-site': 'none' },
      { origin: `http://${host}` },
      { origin: 'https://jobs.example', 'x-forwarded-host': 'jobs.example' },
    ];
    for (const headers of own) expect(await codeOf(await me({ cookie, ...ours, ...headers }))).toBe('ok');
  });

  it('is not needed by who sends a token, and does not stand in for a bad one', async () => {
    expect(await codeOf(await me({ authorization: `Bearer ${s.token}`, origin: 'https://elsewhere.example' }))).toBe(
      'ok',
    );
    expect(await codeOf(await me({ cookie, authorization: 'Bearer nonsense' }))).toBe('UNAUTHENTICATED');
  });

  it('ends when its token is revoked', async () => {
    const made = await s.client.call('createToken', { user: 'short' });
    const answer = await post('/api/v1/session', { token: made.token });
    const theirs = answer.headers.get('set-cookie')!.split(';')[0]!;
    expect(await codeOf(await me({ cookie: theirs }))).toBe('ok');
    await s.client.call('revokeToken', { token_id: made.token_id });
    expect(await codeOf(await me({ cookie: theirs }))).toBe('UNAUTHENTICATED');
  });

  it('does not begin with a bad token, a bad link or a bad body', async () => {
    expect(await codeOf(await post('/api/v1/session', { token: 'no' }))).toBe('UNAUTHENTICATED');
    expect(await codeOf(await post('/api/v1/session', { once: 'no' }))).toBe('UNAUTHENTICATED');
    expect(await codeOf(await post('/api/v1/session', {}))).toBe('INVALID_PARAMS');
  });

  it('forgets its cookie on sign-out', async () => {
    const answer = await fetch(`${s.url}/api/v1/session`, { method: 'DELETE', headers: { ...ours, cookie } });
    expect(answer.headers.get('set-cookie')).toMatch(/^reprise_[0-9a-f]{8}=;.*Max-Age=0/);
  });
});

describe('a sealed cookie', () => {
  const key = randomBytes(32);
  let now = new Date('2030-01-01T00:00:00Z');
  const sessions = createSessions({ key, now: () => now, randomBytes });

  it('opens with its own key only, whole, and within 14 days', () => {
    const sealed = sessions.seal('the token');
    expect(sealed).not.toContain('token');
    expect(sessions.open(sealed)).toBe('the token');
    const other = createSessions({ key: randomBytes(32), now: () => now, randomBytes });
    expect(other.open(sealed)).toBeNull();
    expect(other.cookieName).not.toBe(sessions.cookieName);
    const bytes = Buffer.from(sealed, 'base64url');
    bytes[20] = bytes[20]! ^ 1;
    for (const forged of [bytes.toString('base64url'), sealed.slice(0, 30), '', 'x']) {
      expect(sessions.open(forged)).toBeNull();
    }
    now = new Date('2030-01-15T00:00:01Z');
    expect(sessions.open(sealed)).toBeNull();
  });

  it('has links that are good once, for ten minutes', async () => {
    const first = sessions.offer(async () => 'a');
    const both = await Promise.all([sessions.redeem(first.code), sessions.redeem(first.code)]);
    expect(both).toEqual(['a', null]);
    const second = sessions.offer(async () => 'b');
    now = new Date(second.until.getTime() + 1);
    expect(await sessions.redeem(second.code)).toBeNull();
  });
});

describe('a page', () => {
  it('is the same for every address, allows only our own files, and is not framed', async () => {
    const answer = await fetch(`${s.url}/batches/whatever`, { headers: { accept: 'text/html' } });
    expect(answer.status).toBe(200);
    const policy = answer.headers.get('content-security-policy')!;
    const nonce = /style-src 'self' 'nonce-([^']+)'/.exec(policy)![1]!;
    expect(await answer.text()).toContain(nonce);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('referrer-policy')).toBe('no-referrer');
    const again = await fetch(`${s.url}/batches/whatever`, { headers: { accept: 'text/html' } });
    expect(again.headers.get('content-security-policy')).not.toBe(policy);
  });

  it('does not hide that a route or an asset is missing', async () => {
    const missing = await fetch(`${s.url}/api/v1/nope`, { headers: { accept: 'text/html' } });
    expect(await codeOf(missing)).toBe('ROUTE_NOT_FOUND');
    expect((await fetch(`${s.url}/assets/nope.js`, { headers: { accept: 'text/html' } })).status).toBe(404);
  });
});
