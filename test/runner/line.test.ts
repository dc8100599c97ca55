import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Line, type Place, type Size } from '../../src/runner/line.js';

const turned = () => new Promise((done) => setImmediate(done));
const small: Size = { cpus: 1, memoryMb: 10 };

/** What has become of a place: had its turn, got its slot. */
function watch(place: Place) {
  const seen = { place, turn: false, slot: false };
  void place.turn
    .then(() => {
      seen.turn = true;
      return place.slot();
    })
    .then(() => {
      seen.slot = true;
    });
  return seen;
}

describe('the line', () => {
  it('never gives out more cpus or memory than there are, and everybody gets a slot in order', async () => {
    const job = fc.record({ cpus: fc.integer({ min: 1, max: 4 }), memoryMb: fc.integer({ min: 1, max: 100 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(job, { maxLength: 20 }), fc.infiniteStream(fc.nat()), async (jobs, choices) => {
        const line = new Line(
          { cpus: 4, memoryMb: 100 },
          () => 0,
          () => {},
        );
        const all = jobs.map((size) => ({ size, ...{ seen: watch(line.join(size)) } }));
        const running = () => all.filter(({ seen }) => seen.slot && !left.has(seen));
        const left = new Set<object>();
        const order: number[] = [];
        for (;;) {
          await turned();
          all.forEach(({ seen }, at) => {
            if (seen.slot && !order.includes(at)) order.push(at);
          });
          const now = running();
          expect(now.reduce((sum, { size }) => sum + size.cpus, 0)).toBeLessThanOrEqual(4);
          expect(now.reduce((sum, { size }) => sum + size.memoryMb, 0)).toBeLessThanOrEqual(100);
          if (now.length === 0) break;
          const one = now[(choices.next().value as number) % now.length]!;
          left.add(one.seen);
          one.seen.place.leave();
        }
        expect(order).toEqual(jobs.map((_, at) => at));
      }),
      { numRuns: 50 },
    );
  });

  it('lets nobody start ahead of a free slot while jobs are long, though many end at once', async () => {
    let now = 0;
    const line = new Line(
      { cpus: 8, memoryMb: 100 },
      () => now,
      () => {},
    );
    const first = Array.from({ length: 8 }, () => watch(line.join(small)));
    await turned();
    now += 3_600_000;
    const next = Array.from({ length: 16 }, () => watch(line.join(small)));
    for (const one of first) one.place.leave();
    await turned();
    await turned();
    expect(next.map((one) => one.turn)).toEqual(next.map((_, at) => at < 8));
  });

  it('lets some start ahead when slots become free quickly, more the quicker, and none some time after', async () => {
    let now = 0;
    const line = new Line(
      { cpus: 1, memoryMb: 100 },
      () => now,
      () => {},
    );
    for (let n = 0; n < 100; n += 1) {
      const one = watch(line.join(small));
      await turned();
      now += 2;
      one.place.leave();
    }
    const waiting = Array.from({ length: 200 }, () => watch(line.join(small)));
    await turned();
    const ahead = waiting.filter((one) => one.turn && !one.slot).length;
    expect(ahead).toBeGreaterThan(10);
    expect(ahead).toBeLessThan(100);
    now += 10_000;
    const late = watch(line.join(small));
    await turned();
    expect(late.turn).toBe(false);
    expect(waiting.filter((one) => one.slot)).toHaveLength(1);
  });

  it('has room for its largest job when it is idle, one in reserve, and room again when one leaves the line', async () => {
    const line = new Line(
      { cpus: 4, memoryMb: 100 },
      () => 0,
      () => {},
    );
    expect(line.capacity().cpus).toBeGreaterThanOrEqual(4);
    expect(line.capacity().memoryMb).toBeGreaterThanOrEqual(100);
    const places = Array.from({ length: 5 }, () => line.join(small));
    for (const place of places) watch(place);
    await turned();
    expect(line.capacity().jobs).toBe(0);
    places[4]!.leave();
    expect(line.capacity().jobs).toBe(1);
    expect(line.capacity(true).jobs).toBe(0);
  });

  it('takes another size while slots are held', async () => {
    const line = new Line(
      { cpus: 1, memoryMb: 100 },
      () => 0,
      () => {},
    );
    const all = Array.from({ length: 3 }, () => watch(line.join(small)));
    await turned();
    line.resize({ cpus: 2, memoryMb: 100 });
    await turned();
    await turned();
    expect(all.map((one) => one.slot)).toEqual([true, true, false]);
  });
});
