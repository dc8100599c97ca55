import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDispatchTokens } from '../../src/auth/job-token.js';

const secret = randomBytes(32);
const tokens = createDispatchTokens(secret);
const dispatchId = fc.stringMatching(/^[0-9a-f]{24}$/);

describe('a dispatch token', () => {
  it('verifies as the dispatch it was made for, on every server with the same secret', () => {
    fc.assert(
      fc.property(dispatchId, (id) => {
        expect(createDispatchTokens(Uint8Array.from(secret)).verify(tokens.mint(id))).toBe(id);
      }),
    );
  });

  it('is worthless with any character changed, added or left out', () => {
    fc.assert(
      fc.property(dispatchId, fc.nat(70), fc.constantFrom('', 'a', 'B', '_', '-', '\n', '€'), (id, at, other) => {
        const token = tokens.mint(id);
        const changed = token.slice(0, at) + other + token.slice(at + 1);
        fc.pre(changed !== token);
        expect(tokens.verify(changed)).toBeNull();
      }),
    );
  });

  it('cannot be lent to another dispatch, nor made with another secret', () => {
    const [one, other] = ['a'.repeat(24), 'b'.repeat(24)];
    expect(tokens.verify(tokens.mint(one).replace(one, other))).toBeNull();
    expect(tokens.verify(createDispatchTokens(randomBytes(32)).mint(one))).toBeNull();
  });

  it('is not verified from any other text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(tokens.verify(text)).toBeNull();
      }),
    );
  });

  it('is made only for the id of a dispatch, and only with a secret that is one', () => {
    expect(() => tokens.mint('*')).toThrow(/not the id of a dispatch/);
    expect(() => createDispatchTokens(new Uint8Array(8))).toThrow(/it must have 32/);
  });
});
