import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
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
