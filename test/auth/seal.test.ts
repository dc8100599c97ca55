import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createSeal } from '../../src/auth/seal.js';

const key = randomBytes(32);

it('gives back any text, and seals the same text differently each time', () => {
  const seal = createSeal(key);
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const [one, two] = [seal.close(text), seal.close(text)];
      expect(seal.open(one)).toBe(text);
      expect(Buffer.from(one).equals(Buffer.from(two))).toBe(false);
      if (text.length > 3) expect(Buffer.from(one).includes(text)).toBe(false);
    }),
  );
});

it('opens nothing that was changed anywhere, cut, or sealed with another key', () => {
  const seal = createSeal(key);
  const sealed = Buffer.from(seal.close('hush'));
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = Buffer.from(sealed);
    changed[at] = (changed[at] as number) ^ 1;
    expect(() => seal.open(changed)).toThrow();
    expect(() => seal.open(sealed.subarray(0, at))).toThrow();
  }
  expect(() => createSeal(randomBytes(32)).open(sealed)).toThrow();
});

it('takes no short key', () => {
  expect(() => createSeal(randomBytes(31))).toThrow('it must have 32');
});
