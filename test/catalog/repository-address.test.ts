import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBuiltinCatalog } from '../../src/catalog/builtin.js';
import { parseRepositoryAddress } from '../../src/catalog/repository-address.js';
import type { Db } from '../../src/store/db.js';
import { openTestDb } from '../support/databases.js';

const tried = (address: string) => {
  try {
    return parseRepositoryAddress(address);
  } catch (error) {
    return (error as { code?: string }).code;
  }
};

const HOSTILE = [
  'ext::sh -c "touch /tmp/owned"',
  'ext::sh%20-c%20id',
  'fd::17',
  'transport::https://example.org/x',
  'foo.bar+baz::x',
  '-uhttps://example.org/x.git',
  '--upload-pack=touch /tmp/owned',
  '-oProxyCommand=touch /tmp/owned',
  'x.org:@-oProxyCommand=id',
  '--',
  '-',
  'file:///etc',
  'file://localhost/etc',
  'FILE:///etc',
  'file:/etc',
  'http://example.org/x.git',
  'git://example.org/x.git',
  'ftp://example.org/x.git',
  'ftps://example.org/x.git',
  'javascript://x/y',
  'ssh+git://example.org/x',
  'ssh://-oProxyCommand=touch/x',
  'ssh://-oProxyCommand=touch@example.org/x',
  'ssh://git@-oProxyCommand=touch/x',
  'ssh://git:secret@example.org/x',
  'ssh://example.org/-x',
  'ssh://example.org/x\n--upload-pack=y',
  '-oProxyCommand=touch:x',
  'git@-oProxyCommand=touch:x',
  'git@example.org:-x',
  'git@@example.org:x',
  'git@exa mple.org:x',
  'git@example.org:',
  ':x',
  '::1',
  'https://',
  'https:///x',
  'https://example.org',
  'https://example.org/',
  'https://user:secret@example.org/x',
  'https://token@example.org/x',
  'https://example.org/x?y=1',
  'https://example.org/x#y',
  'https://example.org/a b',
  'https://example.org/a\\b',
  'https://-x.example.org/x',
  'HTTPS://example.org/x',
  'x.git',
  './x',
  '../x',
  '~/x',
  'a/b:c',
  './a:b',
  ' /tmp/x',
  '/tmp/x ',
  '/tmp/x\u0000y',
  '/tmp/x\ny',
  '/tmp/\u2028',
  '',
];

describe('a repository address', () => {
  it.each(HOSTILE)('%j is refused', (address) => {
    expect(tried(address)).toBe('REPOSITORY_REFUSED');
  });

  it.each([
    ['https://git.example.org/phix.git', 'https', 'https://git.example.org/phix.git'],
    ['https://git.example.org:8443/a/b/', 'https', 'https://git.example.org:8443/a/b'],
    ['https://[::1]:8443/a', 'https', 'https://[::1]:8443/a'],
    ['ssh://git@example.org/a/b.git', 'ssh', 'ssh://git@example.org/a/b.git'],
    ['ssh://example.org:2222/~ann/b', 'ssh', 'ssh://example.org:2222/~ann/b'],
    ['git@github.com:org/app.git', 'ssh', 'git@github.com:org/app.git'],
    ['build-01:apps/app', 'ssh', 'build-01:apps/app'],
    ['/srv/git/app.git', 'file', '/srv/git/app.git'],
    ['/srv//git/../git/app.git/', 'file', '/srv/git/app.git'],
    ["/srv/über uns/o'app", 'file', "/srv/über uns/o'app"],
    ['/srv/a:b::c', 'file', '/srv/a:b::c'],
  ])('%j is fetched by %s', (address, transport, text) => {
    expect(tried(address)).toEqual({ transport, text });
  });

  it('that is taken never looks like an option or a helper program, whatever is sent', () => {
    const piece = fc.constantFrom(
      'https',
      'ssh',
      'ext',
      'file',
      ':',
      '::',
      '/',
      '//',
      '-',
      '@',
      'git',
      'x.org',
      ' ',
      '\n',
      '%',
    );
    const address = fc.oneof(
      fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
      fc.string(),
    );
    fc.assert(
      fc.property(address, (given) => {
        const taken = tried(given);
        if (typeof taken !== 'object') return;
        expect(taken.text).not.toMatch(/^-|\p{Cc}/u);
        if (taken.transport === 'file') expect(taken.text.startsWith('/')).toBe(true);
        else expect(taken.text).not.toMatch(/^[^/:]*::|^(?:[a-z]+:\/\/)?(?:[^@/]*@)?-/);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('adding an app from a hostile address', () => {
  let db: Db;
  const directory = mkdtempSync(join(tmpdir(), 'reprise-hostile-'));
  beforeAll(async () => {
    db = await openTestDb();
  });
  afterAll(async () => {
    await db.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it('runs nothing and records nothing', async () => {
    const catalog = createBuiltinCatalog({ db, appsDir: join(directory, 'apps'), log: () => {} });
    const flag = join(directory, 'owned');
    const run = `sh -c touch% ${flag}`;
    const addresses = [
      `ext::${run}`,
      `--upload-pack=touch ${flag}`,
      `-utouch ${flag}`,
      `ssh://-oProxyCommand=touch ${flag}/x`,
    ];
    for (const repository of addresses) {
      await expect(catalog.addApp({ repository }, 'ann')).rejects.toMatchObject({ code: 'REPOSITORY_REFUSED' });
    }
    expect(existsSync(flag)).toBe(false);
    expect(await catalog.listApps()).toEqual([]);
  });
});
