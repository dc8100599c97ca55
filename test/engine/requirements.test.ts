/** Who has a say in what a job gets, and what becomes of it on a retry. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MethodSpec } from '../../src/catalog/catalog.js';
import { RawJson } from '../../src/contract/raw-json.js';
import { requirementValues } from '../../src/contract/requirement-values.js';
import { type ClientGroup, DEFAULT_SETTINGS, type ServiceSettings } from '../../src/contract/settings.js';
import type { RunRequest } from '../../src/engine/engine.js';
import { resolveNeeds } from '../../src/engine/requirements.js';
import type { Db } from '../../src/store/db.js';
import { openTestDb } from '../support/databases.js';
import {
  admin,
  alice,
  COMMIT,
  type Harness,
  idsOf,
  openEngine,
  retryIds,
  runAll,
  submitJobs,
} from '../support/engine.js';

const group = (name: string, cpus: number): ClientGroup => ({
  name,
  cpus,
  memoryMb: cpus * 1000,
  diskGb: cpus * 10,
  regex: null,
  debugMode: null,
});
const settings: ServiceSettings = {
  ...DEFAULT_SETTINGS,
  clientGroups: [group('njs', 1), group('bigmem', 2), group('extreme', 3), { ...group('debug', 4), debugMode: true }],
  defaultClientGroup: 'njs',
};
const spec: MethodSpec = {
  module: 'demo',
  method: 'demo.run',
  commit: COMMIT,
  tag: 'release',
  timeoutMs: 1000,
  cpus: null,
  memoryMb: null,
  diskGb: null,
  clientGroup: null,
  checkParams: () => null,
};
const request: RunRequest = { method: 'demo.run' };

describe('the client group', () => {
  it.each([
    ['the caller', { requirements: { client_group: 'extreme' } }, 'bigmem', 'debug', 'extreme'],
    ['the override', {}, 'bigmem', 'debug', 'debug'],
    ['the catalog', {}, 'bigmem', null, 'bigmem'],
    ['the default', {}, null, null, 'njs'],
  ])('is first named by %s', (_, asked, clientGroup, overrideClientGroup, expected) => {
    const needs = resolveNeeds(
      { ...settings, overrideClientGroup },
      { ...spec, clientGroup },
      { ...request, ...asked },
    );
    expect(needs.client_group).toBe(expected);
  });

  it('must be configured, whoever names it', () => {
    const asked = { ...request, requirements: { client_group: 'nowhere' } };
    expect(() => resolveNeeds(settings, spec, asked)).toThrow('No such clientgroup: nowhere');
    expect(() => resolveNeeds(settings, { ...spec, clientGroup: 'nowhere' }, request)).toThrow(
      "Catalog specified illegal client group 'nowhere' for method demo.run",
    );
  });

  it('may be any where none is configured', () => {
    const asked = { ...request, requirements: { client_group: 'any' } };
    expect(resolveNeeds(DEFAULT_SETTINGS, spec, asked)).toEqual({
      cpus: 1,
      memory_mb: 1024,
      disk_gb: null,
      client_group: 'any',
      options: {},
    });
  });
});

describe('resources', () => {
  it('are those of the chosen group, under the catalog, under the caller', () => {
    const catalog = { ...spec, clientGroup: 'bigmem', cpus: 7, memoryMb: 70 };
    const asked = { ...request, requirements: { client_group: 'extreme', memory_mb: 5 } };
    // the catalog's cpus stand although the caller chose another group than the catalog
    expect(resolveNeeds(settings, catalog, asked)).toMatchObject({ cpus: 7, memory_mb: 5, disk_gb: 30 });
  });

  it.each([
    [{ cpus: 0 }, 'CPU count must be at least 1'],
    [{ memory_mb: -1 }, 'memory in MB must be at least 1'],
    [{ disk_gb: 0 }, 'disk space in GB must be at least 1'],
    [{ cpus: 1e12 }, 'CPU count must be at most 2147483647'],
  ])('%j are refused', (requirements, sentence) => {
    expect(() => resolveNeeds(settings, spec, { ...request, requirements })).toThrow(sentence);
  });
});

describe('what concerns the scheduler alone', () => {
  it("is the caller's over the catalog's over the group's", () => {
    const catalog = {
      ...spec,
      clientGroup: 'debug',
      options: { client_group_regex: false, scheduler_requirements: { proc: 'intel', disk: 'fast' } },
    };
    const asked = { ...request, options: { bill_to_user: 'payer', scheduler_requirements: { proc: 'amd' } } };
    expect(resolveNeeds(settings, catalog, asked).options).toEqual({
      client_group_regex: false,
      bill_to_user: 'payer',
      scheduler_requirements: { proc: 'amd', disk: 'fast' },
      debug_mode: true,
    });
  });
});

describe('a value as EE2 writes it', () => {
  const raw = (members: Record<string, string>) =>
    Object.fromEntries(Object.entries(members).map(([key, text]) => [key, new RawJson(text)]));

  it.each([
    [
      { request_cpus: '4', request_memory: '2000', request_disk: '7' },
      { cpus: 4, memoryMb: 2000, diskGb: 7 },
    ],
    [
      { request_cpus: '" 4 "', request_memory: '"2000M"', request_disk: '"7GB"' },
      { cpus: 4, memoryMb: 2000, diskGb: 7 },
    ],
    [{ request_memory: '"2000MB"' }, { memoryMb: 2000 }],
    [
      { client_group: '" njs "', client_group_regex: '"False"', debug_mode: '1' },
      { clientGroup: 'njs', regex: false, debugMode: true },
    ],
    [{ request_cpus: 'null', request_memory: '" "', client_group: '""' }, {}],
  ])('%j is read', (given, expected) => {
    expect(requirementValues(raw(given as Record<string, string>), 'input job')).toEqual(expected);
  });

  it.each([
    ['request_cpus', '1.0', "Found illegal cpu request '1.0' in job requirements from input job"],
    ['request_cpus', 'true', "Found illegal cpu request 'true' in job requirements from input job"],
    ['request_memory', '"1G"', "Found illegal memory request '1G' in job requirements from input job"],
    ['request_disk', '[1]', "Found illegal disk request '[1]' in job requirements from input job"],
    ['client_group', '5', "Found illegal client group '5' in job requirements from input job"],
    ['client_group_regex', '"yes"', "Found illegal client group regex 'yes' in job requirements from input job"],
    ['debug_mode', '0.5', "Found illegal debug mode '0.5' in job requirements from input job"],
  ])('%s of %s is refused', (key, text, sentence) => {
    expect(() => requirementValues(raw({ [key]: text }), 'input job')).toThrow(sentence);
  });
});

describe('options of a job', () => {
  let db: Db;
  let h: Harness;
  beforeAll(async () => {
    db = await openTestDb();
    h = openEngine(db, { settings });
  });
  afterAll(() => db.close());

  const options = {
    client_group_regex: false,
    bill_to_user: 'payer',
    ignore_concurrency_limits: true,
    scheduler_requirements: { proc: 'amd' },
    debug_mode: true,
  };
  const given = (jobId: string) => [...h.scheduler.given.values()].find((one) => one.jobId === jobId)!;

  it('reach its scheduler, and that of its retry; another pays again only if an admin says so', async () => {
    const [id] = idsOf(
      await submitJobs(h, 1, { job: { options, app_id: 'demo/app', requirements: { cpus: 2 } } as never }),
    ) as [string];
    await runAll(h, () => 'fail');
    expect(given(id)).toMatchObject({
      options,
      clientGroup: 'njs',
      cpus: 2,
      diskGb: 10,
      labels: { method: 'demo.run', appId: 'demo/app', batchId: null, parentJobId: null, wsid: null },
    });
    const { bill_to_user: _, ignore_concurrency_limits: __, ...own } = options;
    for (const [actor, expected] of [
      [admin, options],
      [alice, own],
      [admin, own],
    ] as const) {
      const { receipts } = await retryIds(h, [id], { actor });
      await runAll(h, () => 'fail');
      expect(given(receipts[0]!.retry_id!)).toMatchObject({ options: expected, clientGroup: 'njs', cpus: 2 });
      expect(given(receipts[0]!.retry_id!).options).toEqual(expected);
    }
  });
});
