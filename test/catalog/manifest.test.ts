import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseManifest } from '../../src/catalog/manifest.js';

const command = ['sh', '{app}/x.sh'];
const manifest = (method: object, top: object = {}) =>
  JSON.stringify({ module: 'phix', methods: { stats: { command, ...method } }, ...top });
const refused = (text: string) => {
  try {
    parseManifest(text);
    return 'taken';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('reprise.json', () => {
  it('says for each method the command, the time, the needs, the environment and the schema', () => {
    const text = manifest({
      description: 'counts',
      timeout: '10m',
      requirements: { cpus: 2, memory_mb: 256, disk_gb: 3, client_group: 'big' },
      env: { LANG: 'C' },
      params_schema: { type: 'object' },
    });
    expect(parseManifest(text).methods.get('stats')).toEqual({
      command,
      timeoutMs: 600_000,
      cpus: 2,
      memoryMb: 256,
      diskGb: 3,
      clientGroup: 'big',
      stated: { cpus: 2, memoryMb: 256 },
      env: { LANG: 'C' },
      paramsSchema: { type: 'object' },
    });
  });

  it('needs a command only; the rest has a default', () => {
    expect(parseManifest(manifest({})).methods.get('stats')).toEqual({
      command,
      timeoutMs: 12 * 3_600_000,
      cpus: 1,
      memoryMb: 1024,
      diskGb: null,
      clientGroup: null,
      stated: { cpus: null, memoryMb: null },
      env: {},
      paramsSchema: undefined,
    });
  });

  it.each([
    ['{', /^it is not JSON: /],
    ['[]', /^the whole must be object$/],
    ['null', /^the whole must be object$/],
    ['{}', /^the whole lacks the member 'module'$/],
    ['{"module":"a"}', /^the whole lacks the member 'methods'$/],
    ['{"module":"a","methods":{}}', /^methods must not be empty$/],
    ['{"module":"a","methods":[]}', /^methods must be object$/],
    ['{"module":"a.b","methods":{"m":{"command":["x"]}}}', /^module must be up to 64 letters/],
    ['{"module":"../a","methods":{"m":{"command":["x"]}}}', /^module must be up to 64 letters/],
    ['{"module":"-a","methods":{"m":{"command":["x"]}}}', /^module must be up to 64 letters/],
    ['{"module":"a","methods":{"m.n":{"command":["x"]}}}', /^methods has the name "m\.n", which must be up to 64/],
    ['{"module":"a","methods":{"__proto__":{"command":["x"]}}}', /^methods has the name "__proto__"/],
    [
      '{"module":"a","methods":{"m":{"command":["x"]}},"metods":1}',
      /^the whole has the unknown member 'metods'; known are description, module, methods$/,
    ],
    ['{"module":"a","methods":{"m":{}}}', /^methods\.m lacks the member 'command'$/],
    ['{"module":"a","methods":{"m":{"command":[]}}}', /^methods\.m\.command must not be empty$/],
    ['{"module":"a","methods":{"m":{"command":"x"}}}', /^methods\.m\.command must be array$/],
    ['{"module":"a","methods":{"m":{"command":["x",1]}}}', /^methods\.m\.command\[1\] must be string$/],
    ['{"module":"a","methods":{"m":{"command":[""]}}}', /^methods\.m\.command\[0\] must name a program$/],
    ['{"module":"a","methods":{"m":{"command":["a\\u0000b"]}}}', /^a text at '0' has a NUL or half a character in it$/],
  ])('%j is refused with a sentence that names the member', (text, sentence) => {
    expect(refused(text)).toMatch(sentence);
  });

  it.each([
    [{ comand: ['x'] }, /^methods\.stats has the unknown member 'comand'; known are description, command, timeout, /],
    [{ requirements: { cpu: 1 } }, /^methods\.stats\.requirements has the unknown member 'cpu'; known are cpus, /],
    [{ requirements: { cpus: 0 } }, /^methods\.stats\.requirements\.cpus must be >= 1$/],
    [{ requirements: { memory_mb: 1.5 } }, /^methods\.stats\.requirements\.memory_mb must be integer$/],
    [{ requirements: { memory_mb: 3e9 } }, /^methods\.stats\.requirements\.memory_mb must be <= 2147483647$/],
    [{ env: { 'A=B': 'x' } }, /^methods\.stats\.env has the name "A=B", which must be the name of a variable/],
    [{ env: { REPRISE_URL: 'x' } }, /^methods\.stats\.env has the name "REPRISE_URL"/],
    [{ env: { A: 1 } }, /^methods\.stats\.env\.A must be string$/],
    [{ description: 'a\u0000' }, /^a text at 'description' has a NUL/],
    [{ params_schema: { properties: { '\ud800': true } } }, /half a character in it$/],
    [{ params_schema: [] }, /^methods\.stats\.params_schema: it must be a JSON Schema/],
    [{ params_schema: { type: 'objekt' } }, /^methods\.stats\.params_schema: params_schema\.type must be/],
  ])('a method with %j is refused with a sentence that names the member', (method, sentence) => {
    expect(refused(manifest(method))).toMatch(sentence);
  });

  it.each(['', '10', '10 m', '-1m', '1w', 'm', '1e3s', '0s', '0.1ms', '25d', '99999999999999999999h', 0, -5, 2 ** 31])(
    'the timeout %j is refused with examples',
    (timeout) => {
      expect(refused(manifest({ timeout }))).toMatch(
        /^methods\.stats\.timeout is .*; give a number with ms, s, m, h or d/,
      );
    },
  );

  it('takes a timeout as a number of ms or with a unit, and both mean the same', () => {
    const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 24 }), fc.constantFrom(...Object.entries(units)), (amount, [unit, ms]) => {
        const timeouts = [`${amount}${unit}`, amount * ms].map(
          (timeout) => parseManifest(manifest({ timeout })).methods.get('stats')!.timeoutMs,
        );
        expect(timeouts).toEqual([amount * ms, amount * ms]);
      }),
    );
    expect(parseManifest(manifest({ timeout: '1.5h' })).methods.get('stats')!.timeoutMs).toBe(5_400_000);
  });

  it('is taken or refused with a sentence, whatever it holds', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(refused(text)).not.toMatch(/undefined|\[object/);
      }),
    );
  });

  it('is documented: the example of docs/apps.md is one, and the table has every member', () => {
    const page = readFileSync(resolve(import.meta.dirname, '../../docs/apps.md'), 'utf8');
    const example = /```json\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
    expect(parseManifest(example).methods.get('stats')).toMatchObject({ timeoutMs: 600_000, clientGroup: 'small' });
    const known = [manifest({ x: 1 }), manifest({}, { x: 1 })].flatMap((text) =>
      refused(text).split('known are ')[1]!.split(', '),
    );
    for (const member of known) expect(page).toMatch(new RegExp(`^\\| \`${member}\``, 'm'));
  });
});
