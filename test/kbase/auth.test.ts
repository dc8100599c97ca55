/** What is particular to KBase's identity: caches, outages, one call for many, the caller's own token, its sentences. */
import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createKbaseAuth } from '../../src/auth/kbase.js';
import { createKbaseWorkspaces } from '../../src/auth/kbase-workspaces.js';
import { Secret } from '../../src/contract/secret.js';
import { createHttp } from '../../src/kbase/http.js';
import { KbaseFake } from '../support/kbase-fake.js';

let kbase: KbaseFake;
let clock: number;
const http = createHttp({ timeoutMs: 10_000, tries: 2, random: () => 0 });
beforeAll(async () => {
  kbase = await new KbaseFake().start();
});
afterAll(() => kbase.stop());
beforeEach(() => {
  clock = 0;
  kbase.calls.length = 0;
  kbase.faults.clear();
  kbase.users.clear();
  kbase.users.set('ANN', 'ann');
});

const open = () =>
  createKbaseAuth({
    http,
    loginUrl: `${kbase.url}/auth/api/legacy/KBase/Sessions/Login`,
    authUrl: `${kbase.url}/auth/`,
    now: () => clock,
    freshMs: 300_000,
    graceMs: 3_600_000,
  });

describe('identity by KBase', () => {
  it('asks once for many calls of a runner, and once for those that come at the same time', async () => {
    const auth = open();
    await Promise.all(Array.from({ length: 20 }, () => auth.identify('ANN')));
    for (let n = 0; n < 20; n += 1) await auth.identify('ANN');
    expect(kbase.calls).toEqual(['login', 'me']);
  });

  it('asks again about a token that was refused: it may be good by now', async () => {
    const auth = open();
    expect(await auth.identify('BOB')).toBeNull();
    kbase.users.set('BOB', 'bob');
    expect(await auth.identify('BOB')).toEqual({ user: 'bob', admin: 'none' });
  });

  it('refuses a revoked token as soon as what is kept has aged', async () => {
    const auth = open();
    await auth.identify('ANN');
    kbase.users.delete('ANN');
    clock = 299_999;
    expect(await auth.identify('ANN')).not.toBeNull();
    clock = 300_000;
    expect(await auth.identify('ANN')).toBeNull();
  });

  it('lets those it knows go on while the auth service is down, tells others that it is, and recovers', async () => {
    const auth = open();
    await auth.identify('ANN');
    clock = 1_000_000;
    kbase.fail('', 'refuse', Number.POSITIVE_INFINITY);
    expect(await auth.identify('ANN')).toEqual({ user: 'ann', admin: 'none' });
    await expect(auth.identify('NEW')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(
        /^Token validation failed: Error connecting to auth service: .*can not be reached/,
      ),
    });
    kbase.faults.clear();
    kbase.users.delete('ANN');
    expect(await auth.identify('ANN')).toBeNull();
  });

  it('gives who has both roles the greater one', async () => {
    kbase.roles.set('ann', ['EE2_ADMIN_RO', 'OTHER', 'EE2_ADMIN']);
    expect(await open().identify('ANN')).toEqual({ user: 'ann', admin: 'write' });
  });
});

describe('rights by KBase', () => {
  const workspaces = () => createKbaseWorkspaces({ http, url: `${kbase.url}/ws` });
  const ann = new Secret('ANN');

  it('asks one question for any number of workspaces, with the token of the user', async () => {
    for (const wsid of [1, 2, 3]) kbase.workspaces.set(wsid, new Map([['ann', 'w']]));
    expect([...(await workspaces().workspaceRights('ann', [3, 1, 2, 1], ann)).values()]).toEqual([
      'write',
      'write',
      'write',
    ]);
    expect(kbase.calls).toEqual(['Workspace.get_permissions_mass']);
    await expect(workspaces().workspaceRights('ann', [1], new Secret('OTHER'))).rejects.toMatchObject({
      code: 'FORBIDDEN',
      message:
        "('An error occurred while fetching user permissions from the Workspace', ServerError('Token validation failed!'))",
    });
    await expect(workspaces().workspaceRights('ann', [1], undefined)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('tells the message of the Workspace about a single workspace, and lets a dead one hide no other', async () => {
    kbase.workspaces.set(1, new Map([['ann', 'a']]));
    await expect(workspaces().workspaceRights('ann', [77], ann)).rejects.toMatchObject({
      message:
        "('An error occurred while fetching user permissions from the Workspace', ServerError('No workspace with id 77 exists'))",
    });
    expect([...(await workspaces().workspaceRights('ann', [77, 1], ann))]).toEqual([
      [77, 'none'],
      [1, 'admin'],
    ]);
  });

  it('is unavailable while the Workspace is down, and never says yes', async () => {
    kbase.fail('Workspace', 'html', 99);
    await expect(workspaces().workspaceRights('ann', [1, 2], ann)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(workspaces().unreadableObjects('ann', ['1/1/1'], ann)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('asks for no more at once than the service takes', async () => {
    for (let wsid = 1; wsid <= 2500; wsid += 1) kbase.workspaces.set(wsid, new Map([['ann', 'r']]));
    const wsids = Array.from({ length: 2500 }, (_, at) => at + 1);
    const rights = await workspaces().workspaceRights('ann', wsids, ann);
    expect([...rights.values()].filter((right) => right === 'read')).toHaveLength(2500);
    expect(kbase.calls).toHaveLength(3);
  });

  it('sees a right that was taken from the next call on', async () => {
    kbase.workspaces.set(5, new Map([['ann', 'r']]));
    const rights = workspaces();
    expect((await rights.workspaceRights('ann', [5], ann)).get(5)).toBe('read');
    kbase.workspaces.set(5, new Map());
    expect((await rights.workspaceRights('ann', [5], ann)).get(5)).toBe('none');
  });

  it('names the objects that the user can not read, in one question', async () => {
    kbase.workspaces.clear();
    kbase.workspaces.set(6, new Map([['*', 'r']]));
    const refs = ['6/1/1', '6/2/1', '99/1/1', '6/1/1'];
    kbase.unreadable.add('6/2/1');
    expect(await workspaces().unreadableObjects('ann', refs, ann)).toEqual(new Set(['6/2/1', '99/1/1']));
    expect(kbase.calls).toEqual(['Workspace.get_object_info3']);
  });
});

it('a secret tells nothing of itself unless it is asked to', () => {
  const token = new Secret('hush');
  expect(
    [`${token}`, JSON.stringify({ token }), inspect({ a: [token] }, { showHidden: true, depth: 9 })].join(),
  ).not.toContain('hush');
  expect(token.reveal()).toBe('hush');
});
