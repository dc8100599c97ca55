import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { connect } from '../../src/cli/session.js';

const dataDir = mkdtempSync(join(tmpdir(), 'reprise-session-'));
afterAll(() => rmSync(dataDir, { recursive: true }));
afterEach(() => vi.unstubAllEnvs());

describe('REPRISE_URL', () => {
  it.each(['127.0.0.1:7878', 'localhost:7878', 'nonsense', 'http://', 'ftp://host'])(
    'of %j is told as what it is, before any call',
    (url) => {
      vi.stubEnv('REPRISE_URL', url);
      expect(() => connect({ dataDir })).toThrow(
        `REPRISE_URL is '${url}', which is not an address: write it with http://`,
      );
    },
  );

  it.each(['http://127.0.0.1:7878', 'https://jobs.example.org/reprise/'])('may be %s', (url) => {
    vi.stubEnv('REPRISE_URL', url);
    expect(connect({ dataDir }).url).toBe(url);
  });
});

describe('a token that the server does not know', () => {
  const body = JSON.stringify({ error: { code: 'UNAUTHENTICATED', message: 'the token is unknown' } });
  const server = createServer((_, answer) => void answer.writeHead(401).end(body));
  beforeAll(() => new Promise<void>((listening) => void server.listen(0, '127.0.0.1', listening)));
  afterAll(() => void server.close());

  it('is told with where it came from, and what is used without it', async () => {
    vi.stubEnv('REPRISE_URL', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    vi.stubEnv('REPRISE_TOKEN', 'wrong');
    const call = () => connect({ dataDir }).call('version', {});
    await expect(call()).rejects.toThrow(/^the token is unknown; the one sent came from REPRISE_TOKEN$/);
    writeFileSync(join(dataDir, 'admin-token'), 'right');
    await expect(call()).rejects.toThrow(
      `; without REPRISE_TOKEN, ${join(dataDir, 'admin-token')} is used on the server's machine`,
    );
  });
});
