import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createIdSource, idSeconds, isJobId } from '../../src/contract/ids.js';

const bytes = (size: number) => new Uint8Array(size).fill(7);

describe('job ids', () => {
  it('grow strictly, whatever the clock does', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 4_000_000_000_000 }), { minLength: 2 }), (times) => {
        let at = 0;
        const ids = createIdSource(() => times[at++ % times.length]!, bytes);
        const made = times.map(() => ids.next());
        expect(made.every(isJobId)).toBe(true);
        expect(made).toEqual([...new Set(made)].sort());
      }),
    );
  });

  it('of a retry follow its lineage even if another machine with a clock ahead made it', () => {
    const ids = createIdSource(() => 1_000_000, bytes);
    const ahead = createIdSource(
      () => 9_000_000,
      () => new Uint8Array(5).fill(255),
    ).next();
    const retry = ids.next(ahead);
    expect(retry > ahead).toBe(true);
    expect(ids.next() > retry).toBe(true);
  });

  it('carry their time in whole seconds', () => {
    expect(idSeconds(createIdSource(() => 1_700_000_000_999, bytes).next())).toBe(1_700_000_000);
  });
});
