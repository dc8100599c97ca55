import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Ask, type Call, canBeOrdered, type Lineage, step } from './model.js';

const call = (asked: Ask, answer: Call['answer'], from: number, to: number): Call => ({
  client: 0,
  asked,
  answer,
  from,
  to,
});
const finish: Ask = { ask: 'finish', number: 0, well: false };
const retried = (number: number) => ({ answer: 'retried', number }) as const;

describe('the checker of histories', () => {
  it('accepts two retries at once of which one is in flight', () => {
    const history = [
      call(finish, { answer: 'done' }, 0, 1),
      call({ ask: 'retry' }, retried(1), 2, 5),
      call({ ask: 'retry' }, { answer: 'in flight' }, 3, 4),
    ];
    expect(canBeOrdered(history)).toBe(true);
  });

  it('refuses two retries that were both made, in order or at once', () => {
    const failed = call(finish, { answer: 'done' }, 0, 1);
    for (const number of [1, 2]) {
      const twice = [failed, call({ ask: 'retry' }, retried(1), 2, 5), call({ ask: 'retry' }, retried(number), 3, 4)];
      expect(canBeOrdered(twice)).toBe(false);
    }
  });

  it('refuses an answer from the past: a check that comes after an end and does not see it', () => {
    const history = [
      call(finish, { answer: 'done' }, 0, 1),
      call({ ask: 'check', number: 0 }, { answer: 'live' }, 2, 3),
    ];
    expect(canBeOrdered(history)).toBe(false);
  });

  it('lets a call without an answer have been carried out, later too, or never', () => {
    const lost = call(finish, null, 0, Infinity);
    const before = call({ ask: 'check', number: 0 }, { answer: 'live' }, 1, 2);
    const after = call({ ask: 'check', number: 0 }, { answer: 'failed' }, 3, 4);
    expect(canBeOrdered([lost, before, after])).toBe(true);
    expect(canBeOrdered([lost, before])).toBe(true);
    expect(canBeOrdered([before, after])).toBe(false);
  });

  it('accepts every history of the machine itself, whatever overlaps', () => {
    const ask = fc.oneof(
      fc.constant<Ask>({ ask: 'retry' }),
      fc.record({ ask: fc.constant('cancel' as const), number: fc.nat(2) }),
      fc.record({ ask: fc.constant('finish' as const), number: fc.nat(2), well: fc.boolean() }),
      fc.record({ ask: fc.constant('check' as const), number: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(ask, fc.nat(3), fc.nat(3), fc.boolean()), { maxLength: 14 }), (asked) => {
        let lineage: Lineage = { number: 0, head: 'live' };
        const history = asked.map(([one, early, late, isLost], at) => {
          const { answer, next } = step(lineage, one);
          lineage = next;
          // carried out at 10 · at, asked before that, answered after
          const to = isLost ? Infinity : 10 * at + 1 + 7 * late;
          return call(one, isLost ? null : answer, 10 * at - 7 * early, to);
        });
        expect(canBeOrdered(history)).toBe(true);
      }),
    );
  });
});
