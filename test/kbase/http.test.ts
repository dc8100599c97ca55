/** Calls to a KBase service: bounded, repeated where that does no harm, and clear about who failed. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createHttp } from '../../src/kbase/http.js';
import { callService } from '../../src/kbase/json-rpc.js';
import { ServiceOutage, ServiceRefusal } from '../../src/kbase/outage.js';
import { KbaseFake } from '../support/kbase-fake.js';

let kbase: KbaseFake;
let pauses: number[];
/** An answer of the fake takes a moment; one that is waited for in vain takes the whole time. */
const httpWith = (timeoutMs: number) =>
  createHttp({
    timeoutMs,
    tries: 3,
    random: () => 0.5,
    sleep: async (ms) => {
      pauses.push(ms);
    },
  });
const http = httpWith(10_000);
const hasty = httpWith(1000);
beforeAll(async () => {
  kbase = await new KbaseFake().start();
  kbase.modules.set('demo', [{ commit: 'c'.repeat(40), tags: ['release'] }]);
});
afterAll(() => kbase.stop());
beforeEach(() => {
  pauses = [];
  kbase.calls.length = 0;
});
afterEach(() => kbase.faults.clear());

const VERSION = 'Catalog.get_module_version';
const ask = (repeatable = true, by = http) =>
  callService(by, {
    url: `${kbase.url}/catalog`,
    method: VERSION,
    params: [{ module_name: 'demo', version: 'release' }],
    repeatable,
  });

describe('a read', () => {
  it.each(['refuse', 'html', 'hang'] as const)(
    'is tried again after a failure by "%s", later each time',
    async (fault) => {
      kbase.fail(VERSION, fault, 2);
      expect(await ask(true, fault === 'hang' ? hasty : http)).toMatchObject({ git_commit_hash: 'c'.repeat(40) });
      expect(kbase.countOf(VERSION)).toBe(3);
      expect(pauses).toEqual([200, 400]);
    },
  );

  it('fails as an outage that names the host and the reason when every try failed', async () => {
    kbase.fail(VERSION, 'hang', 9);
    const error = await ask(true, hasty).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ServiceOutage);
    expect((error as Error).message).toBe(`${new URL(kbase.url).host} did not answer within 1 s`);
    expect(kbase.countOf(VERSION)).toBe(3);
  });

  it('is not tried again when the service itself says no', async () => {
    kbase.fail(VERSION, 'service error', 1);
    const error = await ask().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ServiceRefusal);
    expect((error as Error).message).toBe('something is wrong over here');
    expect(kbase.countOf(VERSION)).toBe(1);
  });
});

describe('a write', () => {
  it('is never tried again: its lost answer may have been a yes', async () => {
    kbase.fail(VERSION, 'refuse', 1);
    await expect(ask(false)).rejects.toBeInstanceOf(ServiceOutage);
    expect(kbase.countOf(VERSION)).toBe(1);
  });
});

it('a service that nobody listens for is an outage', async () => {
  const call = { url: 'http://127.0.0.1:9/x', method: VERSION, params: [], repeatable: false };
  await expect(callService(http, call)).rejects.toThrow(/127\.0\.0\.1:9 can not be reached/);
});
