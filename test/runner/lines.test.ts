import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLineSplitter } from '../../src/runner/lines.js';

function linesOf(chunks: readonly Buffer[], most?: number): string[] {
  const splitter = createLineSplitter(most);
  return [...chunks.flatMap((chunk) => splitter.push(chunk)), ...splitter.end()];
}

/** Cuts where the numbers say. */
function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const cuts = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...cuts, bytes.length].map((end, at) => bytes.subarray(at === 0 ? 0 : cuts[at - 1], end));
}

describe('lines', () => {
  it('do not depend on where the chunks are cut, in the middle of characters too', () => {
    const text = fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('\n', '\n\n', 'é', '🧬', '\r\n')));
    fc.assert(
      fc.property(text, fc.array(fc.nat(500)), (parts, places) => {
        const bytes = Buffer.from(parts.join('').replaceAll('\0', ''));
        const whole = bytes
          .toString()
          .split('\n')
          .map((line) => line.replace(/\r$/, ''));
        if (bytes.length === 0 || bytes.at(-1) === 0x0a) whole.pop();
        expect(linesOf(cutAt(bytes, places))).toEqual(whole);
      }),
    );
  });

  it('of any bytes are the text with replacements, the same however they come', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.array(fc.nat(500)), (bytes, places) => {
        expect(linesOf(cutAt(Buffer.from(bytes), places))).toEqual(linesOf([Buffer.from(bytes)]));
      }),
    );
    expect(linesOf([Buffer.from([0x61, 0xff, 0x00, 0x62, 0x0a])])).toEqual(['a\uFFFD\uFFFDb']);
  });

  it('that are too long are split between characters, and lose nothing', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', 'é', '€', '🧬'), { minLength: 1, maxLength: 200 }),
        fc.array(fc.nat(500)),
        (word, places) => {
          const bytes = Buffer.from(word.join(''));
          const lines = linesOf(cutAt(bytes, places), 16);
          expect(lines.join('')).toBe(word.join(''));
          for (const line of lines) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(16);
        },
      ),
    );
  });

  it('of a stream without any newline hold a bounded part of it', () => {
    const splitter = createLineSplitter();
    const chunk = Buffer.alloc(64 * 1024, 'x');
    let characters = 0;
    for (let n = 0; n < 200; n += 1) for (const line of splitter.push(chunk)) characters += line.length;
    expect(characters).toBeGreaterThan(198 * chunk.length);
  });
});
