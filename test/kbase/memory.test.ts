import { describe, expect, it } from 'vitest';
import { createMemory } from '../../src/kbase/memory.js';
import { ServiceOutage, ServiceRefusal } from '../../src/kbase/outage.js';

function setUp(o: { freshMs?: number; graceMs?: number; size?: number } = {}) {
  const clock = { now: 0 };
  const memory = createMemory<string>({ now: () => clock.now, freshMs: 100, graceMs: 1000, size: 3, ...o });
  const asked: string[] = [];
  const answer = (key: string, value: string) =>
    memory.get(key, async () => {
      asked.push(key);
      return value;
    });
  const fail = (key: string, error: Error) =>
    memory.get(key, async () => {
      asked.push(key);
      throw error;
    });
  return { clock, memory, asked, answer, fail };
}

describe('a memory of far answers', () => {
  it('asks again only after the answer has aged', async () => {
    const { clock, asked, answer } = setUp();
    expect(await answer('a', 'one')).toBe('one');
    clock.now = 99;
    expect(await answer('a', 'two')).toBe('one');
    clock.now = 100;
    expect(await answer('a', 'two')).toBe('two');
    expect(asked).toEqual(['a', 'a']);
  });

  it('lets one ask for all who want the same at once, also when the answer is a failure', async () => {
    const { memory } = setUp();
    let asks = 0;
    let settle = (_: string) => {};
    const ask = () => {
      asks += 1;
      return new Promise<string>((done) => {
        settle = done;
      });
    };
    const all = Promise.all(Array.from({ length: 50 }, () => memory.get('a', ask)));
    settle('one');
    expect(new Set(await all)).toEqual(new Set(['one']));
    expect(asks).toBe(1);
  });

  it('keeps no failure', async () => {
    const { answer, fail, asked } = setUp();
    await expect(fail('a', new ServiceRefusal('no', 401))).rejects.toThrow('no');
    expect(await answer('a', 'yes')).toBe('yes');
    expect(asked).toHaveLength(2);
  });

  it('goes on with an old answer while nobody can be asked, and not beyond the grace', async () => {
    const { clock, answer, fail } = setUp();
    await answer('a', 'one');
    clock.now = 1099;
    expect(await fail('a', new ServiceOutage('down'))).toBe('one');
    clock.now = 1100;
    await expect(fail('a', new ServiceOutage('down'))).rejects.toThrow('down');
  });

  it('forgets an old answer at once when the service says no', async () => {
    const { clock, answer, fail } = setUp();
    await answer('a', 'one');
    clock.now = 200;
    await expect(fail('a', new ServiceRefusal('revoked', 401))).rejects.toThrow('revoked');
    await expect(fail('a', new ServiceOutage('down'))).rejects.toThrow('down');
  });

  it('keeps so many, and lets go of what was used longest ago', async () => {
    const { answer, asked } = setUp();
    for (const key of ['a', 'b', 'c']) await answer(key, key);
    await answer('a', 'a');
    await answer('d', 'd');
    await answer('a', 'a');
    await answer('b', 'b');
    expect(asked).toEqual(['a', 'b', 'c', 'd', 'b']);
  });
});
