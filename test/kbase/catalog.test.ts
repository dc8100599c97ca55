/** What is particular to KBase's Catalog: how often it is asked, what an outage means, and its forms of client groups. */
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createKbaseCatalog } from '../../src/catalog/kbase.js';
import { readClientGroups } from '../../src/catalog/kbase-client-groups.js';
import { createHttp } from '../../src/kbase/http.js';
import { KbaseFake } from '../support/kbase-fake.js';

const [ONE, TWO] = ['1'.repeat(40), '2'.repeat(40)];
const VERSION = 'Catalog.get_module_version';
const GROUPS = 'Catalog.list_client_group_configs';
let kbase: KbaseFake;
let clock: number;
const http = createHttp({ timeoutMs: 10_000, tries: 2, random: () => 0 });
beforeAll(async () => {
  kbase = await new KbaseFake().start();
});
afterAll(() => kbase.stop());
beforeEach(() => {
  clock = 1_000_000;
  kbase.calls.length = 0;
  kbase.faults.clear();
  kbase.modules.set('demo', [
    { commit: ONE, tags: ['release'] },
    { commit: TWO, tags: ['dev'] },
  ]);
});

const open = () => createKbaseCatalog({ http, url: `${kbase.url}/catalog`, now: () => clock });
const of = (method: string, version?: string) => ({ method, version });

describe("KBase's catalog", () => {
  it('is asked once for the version and once for the requirements of a batch of equal methods', async () => {
    const answers = await open().resolve(Array.from({ length: 500 }, () => of('demo.run', 'dev')));
    expect(answers.every((answer) => answer.ok && answer.spec.commit === TWO)).toBe(true);
    expect(kbase.calls.sort()).toEqual([VERSION, GROUPS]);
  });

  it('is asked once by calls that come together, and anew for a tag that may have moved', async () => {
    const catalog = open();
    await Promise.all(Array.from({ length: 30 }, () => catalog.resolve([of('demo.run')])));
    expect(kbase.calls.sort()).toEqual([VERSION, GROUPS]);
    kbase.modules.set('demo', [{ commit: TWO, tags: ['release'] }]);
    expect(await catalog.resolve([of('demo.run')])).toMatchObject([{ spec: { commit: TWO } }]);
    expect([kbase.countOf(VERSION), kbase.countOf(GROUPS)]).toEqual([2, 1]);
  });

  it('need not be asked for a commit it named before: retries go on through an outage, new runs of a tag are told', async () => {
    const catalog = open();
    await catalog.resolve([of('demo.run')]);
    clock += 30 * 60_000;
    kbase.fail('Catalog', 'refuse', Number.POSITIVE_INFINITY);
    expect(await catalog.resolve([of('demo.run', ONE)])).toMatchObject([
      { ok: true, spec: { commit: ONE, tag: null } },
    ]);
    await expect(catalog.resolve([of('demo.run')])).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/^the Catalog can not be asked which version to run: .*; try again later$/),
    });
  });

  it('does not remember that a version was missing', async () => {
    const catalog = open();
    const three = '3'.repeat(40);
    expect(await catalog.resolve([of('demo.run', three)])).toMatchObject([{ ok: false, code: 'VERSION_NOT_FOUND' }]);
    kbase.modules.set('demo', [{ commit: three, tags: [] }]);
    expect(await catalog.resolve([of('demo.run', three)])).toMatchObject([{ ok: true }]);
  });

  it('tells its own sentence about a module it does not have', async () => {
    expect(await open().resolve([of('nope.run')])).toEqual([
      {
        ok: false,
        code: 'UNKNOWN_METHOD',
        sentence: 'Module cannot be found based on module_name or git_url parameters.',
      },
    ]);
  });

  it('refuses one method whose entry makes no sense, and no other', async () => {
    kbase.clientGroups.set('demo.odd', [['njs', 'nonsense']]);
    expect(await open().resolve([of('demo.odd'), of('demo.run')])).toMatchObject([
      {
        ok: false,
        code: 'INVALID_INPUT',
        sentence: "Malformed requirement. Format is <key>=<value>. Item is 'nonsense' for catalog method demo.odd",
      },
      { ok: true },
    ]);
  });
});

describe('an entry of client groups', () => {
  const read = (...groups: string[]) => readClientGroups('m.f', [{ client_groups: groups }]);
  const nothing = { clientGroup: null, cpus: null, memoryMb: null, diskGb: null, options: {} };

  it('says nothing when there is none', () => {
    for (const none of [[], [{}], [{ client_groups: [] }], null])
      expect(readClientGroups('m.f', none)).toEqual(nothing);
  });

  it('is a list of a group and key=value, split at the first =', () => {
    expect(
      read('bigmem', 'request_cpus=8', 'request_memory=2000M', 'request_disk=30GB', ' k = a=b ', 'debug_mode=TRUE'),
    ).toEqual({
      clientGroup: 'bigmem',
      cpus: 8,
      memoryMb: 2000,
      diskGb: 30,
      options: { debug_mode: true, scheduler_requirements: { k: 'a=b' } },
    });
  });

  it('is a JSON object that was split at its commas, whatever it held', () => {
    const entry = {
      client_group: 'njs',
      request_cpus: 4,
      request_memory: '23000MB',
      client_group_regex: false,
      ' zone ': 'a',
    };
    expect(read(...JSON.stringify(entry).split(','))).toEqual({
      ...nothing,
      clientGroup: 'njs',
      cpus: 4,
      memoryMb: 23000,
      options: { client_group_regex: false, scheduler_requirements: { zone: 'a' } },
    });
  });

  it('gives nobody the right to bill others or to pass limits', () => {
    expect(read('njs', 'bill_to_user=x', 'ignore_concurrency_limits=true').options).toEqual({});
  });

  it.each([
    [
      ['{"client_group": "njs"', '"request_cpus": 4'],
      'Unable to parse JSON client group entry from catalog for method m.f',
    ],
    [['a=b'], "Found illegal client group 'a=b' in job requirements from catalog method m.f"],
    [['njs', 'request_cpus=1.0'], "Found illegal cpu request '1.0' in job requirements from catalog method m.f"],
    [
      ['{"client_group": "njs"', '"request_cpus": 1.0}'],
      "Found illegal cpu request '1.0' in job requirements from catalog method m.f",
    ],
    [['njs', 'request_memory=4GB'], "Found illegal memory request '4GB' in job requirements from catalog method m.f"],
    [['njs', 'request_disk=4MB'], "Found illegal disk request '4MB' in job requirements from catalog method m.f"],
    [['njs', 'debug_mode=maybe'], "Found illegal debug mode 'maybe' in job requirements from catalog method m.f"],
  ])('%j is refused with the sentence that EE2 has', (groups, sentence) => {
    expect(() => read(...groups)).toThrow(sentence);
  });

  it('must be the only one', () => {
    expect(() => readClientGroups('m.f', [{}, {}])).toThrow(
      'Unexpected result from the Catalog service: more than one client group configuration found for method m.f [{},{}]',
    );
  });

  it('reads the same from either form, for any resources', () => {
    const natural = fc.integer({ min: 1, max: 1_000_000 });
    fc.assert(
      fc.property(natural, natural, natural, fc.boolean(), (cpus, memory, disk, regex) => {
        const json = {
          client_group: 'g',
          request_cpus: cpus,
          request_memory: `${memory}M`,
          request_disk: `${disk}`,
          client_group_regex: regex,
        };
        const list = Object.entries(json).map(([key, value]) => (key === 'client_group' ? 'g' : `${key}=${value}`));
        expect(read(...list)).toEqual(read(...JSON.stringify(json).split(',')));
      }),
    );
  });
});
