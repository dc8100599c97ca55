/** Which implementation stands behind each seam: what is KBase's, and what stays here. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/schema.js';
import { settingsOf } from '../../src/config/settings.js';
import { connect } from '../../src/connect.js';
import type { Db } from '../../src/store/db.js';
import { openTestDb } from '../support/databases.js';
import { KbaseFake } from '../support/kbase-fake.js';

let db: Db;
let kbase: KbaseFake;
const dataDir = mkdtempSync(join(tmpdir(), 'reprise-connect-'));
beforeAll(async () => {
  [db, kbase] = await Promise.all([openTestDb(), new KbaseFake().start()]);
});
afterAll(async () => {
  await Promise.all([db.close(), kbase.stop()]);
  rmSync(dataDir, { recursive: true });
});

const open = (config: Config) =>
  connect({ config, db, dataDir, settings: settingsOf(config, () => ''), runnerUrl: () => '', log: () => {} });
const file = (name: string, text: string) => {
  writeFileSync(join(dataDir, name), text);
  return join(dataDir, name);
};

describe("KBase's users with workspaces of ours", () => {
  it('make and share workspaces without ever having had a token here', async () => {
    const { people, workspaces, builtinAuth } = await open({ auth: 'kbase', kbase: { url: kbase.url } });
    const ann = { user: 'ann', admin: 'none', asAdmin: false } as const;
    const { wsid } = await people.createWorkspace(ann, 'shared');
    await people.shareWorkspace(ann, wsid, 'bob', 'write');
    await people.shareWorkspace(ann, wsid, '*', 'read');
    expect((await workspaces.workspaceRights('bob', [wsid], undefined)).get(wsid)).toBe('write');
    expect((await workspaces.workspaceRights('eve', [wsid], undefined)).get(wsid)).toBe('read');
    await expect(people.shareWorkspace(ann, wsid, 'no user\n', 'read')).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
    await expect(people.createToken(ann, {})).rejects.toMatchObject({
      code: 'CONFLICT',
      message: `tokens are made by KBase: ${kbase.url}/auth`,
    });
    expect(builtinAuth).toBeNull();
  });
});

describe('files of secrets', () => {
  it.each([
    [{ kbase: { admin_token_file: '/nonexistent' } }, /^kbase\.admin_token_file: ENOENT/],
    [{ kbase: { admin_token_file: file('two', 'one\ntwo\n') } }, /two must hold one token and nothing else$/],
    [
      { runner: { command: ['true'] }, token_key_file: file('short', 'abcd') },
      /short must hold 64 hex digits and nothing else; make one with: openssl rand -hex 32$/,
    ],
  ])('%j is refused with a sentence', async (config, sentence) => {
    await expect(open(config)).rejects.toThrow(sentence);
  });

  it('seal with their key, so that a server with another key can not open what this one sealed', async () => {
    const key = (digit: string) => ({ runner: { command: ['true'] }, token_key_file: file(digit, digit.repeat(64)) });
    const [one, same, other] = [await open(key('1')), await open(key('1')), await open(key('2'))];
    const sealed = one.otherRunner?.seal.close('hush') as Uint8Array;
    expect(same.otherRunner?.seal.open(sealed)).toBe('hush');
    expect(() => other.otherRunner?.seal.open(sealed)).toThrow();
  });

  it('without one the key is in the database, the same for every server on it', async () => {
    const config = { runner: { command: ['true'] } };
    const [one, two] = [await open(config), await open(config)];
    expect(two.otherRunner?.seal.open(one.otherRunner?.seal.close('hush') as Uint8Array)).toBe('hush');
  });
});

it('statistics are sent only where there is a Catalog and a token for it', async () => {
  const token = file('token', 'ADMIN');
  const there = {
    catalog: 'kbase',
    scheduler: 'external',
    kbase: { url: kbase.url, admin_token_file: token },
  } as const;
  expect((await open(there)).statistics).not.toBeNull();
  expect((await open({ ...there, catalog: 'builtin' })).statistics).toBeNull();
  expect((await open({ ...there, kbase: { url: kbase.url } })).statistics).toBeNull();
});
