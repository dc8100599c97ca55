import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ago,
  clock,
  duration,
  fields,
  lastDrawn,
  oneLine,
  paragraph,
  progress,
  safeLine,
  table,
  truncated,
  wrapped,
} from '../../src/cli/text.js';

const longest = (text: string) => Math.max(...text.split('\n').map((line) => line.length));

describe('a paragraph', () => {
  it('is broken at spaces before column 80 and loses no word', () => {
    const text = 'a sentence of some words '.repeat(20).trim();
    const lines = wrapped(text, '    ');
    expect(longest(lines)).toBeLessThanOrEqual(80);
    expect(lines.split(/\s+/).join(' ').trim()).toBe(text);
  });

  it('keeps a path whole, however long', () => {
    const path = `/${'long/'.repeat(30)}path`;
    expect(wrapped(`see ${path} there`, '  ').split('\n')).toEqual(['  see', `  ${path}`, '  there']);
  });

  it('of foreign text keeps its lines, up to so many', () => {
    expect(paragraph('one\r\ntwo\n\x1b[31mthree\x1b[0m\n', '  ', 80)).toBe('  one\n  two\n  three');
    expect(paragraph('1\n2\n3\n4', '', 80, 2)).toBe('1\n2\n… 2 more lines (--json has all)');
  });
});

describe('a table', () => {
  it('lines numbers up on the right, words on the left, and leaves the last column as it is', () => {
    const rows = [
      ['1', 'a', 'ok'],
      ['100', 'long', 'error'],
      ['-', 'b', ''],
    ];
    expect(table(['n', 'word', 'state'], rows)).toBe(
      ['  n  word  state', '  1  a     ok', '100  long  error', '  -  b'].join('\n'),
    );
  });

  it('fits the width by cutting its last column', () => {
    const text = table(['id', 'what'], [['x'.repeat(24), 'y'.repeat(100)]], { indent: '  ', width: 80 });
    expect(longest(text)).toBe(80);
    expect(text).toMatch(/y…$/);
  });

  it('of any cells has its columns begin at the same place', () => {
    const word = fc.stringMatching(/^[a-z]{1,12}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(word, word, word), { minLength: 1 }), (rows) => {
        const lines = table(['a', 'b', 'c'], rows).split('\n');
        const widths = [0, 1].map((column) => Math.max(1, ...rows.map((row) => row[column]!.length)));
        lines.slice(1).forEach((line, index) => {
          const [a, b, c] = rows[index]!;
          expect(line).toBe(`${a.padEnd(widths[0]!)}  ${b.padEnd(widths[1]!)}  ${c}`);
        });
      }),
    );
  });
});

it('names and values are aligned, absent ones left out, long ones wrapped under themselves', () => {
  const text = fields([
    ['a', 'x'],
    ['longer', `${'word '.repeat(20).trim()}`],
    ['none', null],
  ]);
  const lines = text.split('\n');
  expect(lines[0]).toBe('  a       x');
  expect(lines[1]).toMatch(/^ {2}longer {2}word word/);
  expect(lines[2]).toMatch(/^ {10}word/);
  expect(longest(text)).toBeLessThanOrEqual(80);
  expect(lines).toHaveLength(3);
});

describe('foreign text', () => {
  it.each([
    ['\x1b[2J\x1b[1;1Hgone', 'gone'],
    ['\x1b]0;title\x07after', 'after'],
    ['\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\', 'link'],
    ['\x1bPdata\x1b\\x', 'x'],
    ['\x9b31mred', 'red'],
    ['\x1b', ''],
    ['a\bb\x07', 'a\\x08b\\x07'],
    ['tab\tstays', 'tab\tstays'],
    ['abc\u202edcba', 'abc\\u202edcba'],
    ['é 漢 😀', 'é 漢 😀'],
  ])('%j is shown as %j', (text, shown) => expect(safeLine(text)).toBe(shown));

  it('never has a control character left in it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.constantFrom('\x1b[', '\x1b]', '\x9b', ''), (text, start) => {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
        expect(oneLine(start + text)).not.toMatch(/[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/);
      }),
    );
  });

  it('that a progress bar drew over shows what it drew last', () => {
    expect(lastDrawn('10%\r50%\r100%')).toBe('100%');
    expect(lastDrawn('done\r')).toBe('done');
    expect(lastDrawn('')).toBe('');
  });

  it('of many lines becomes one, and a long one is cut', () => {
    expect(oneLine(' a\n  b\r\n\nc ')).toBe('a b c');
    expect(truncated('abcdef', 4)).toBe('abc…');
    expect(truncated('abcd', 4)).toBe('abcd');
  });
});

it('failed and cancelled jobs are named in the progress only when there are any', () => {
  const none = { created: 1, queued: 1, estimating: 0, running: 2, completed: 3, error: 0, terminated: 0 };
  expect(progress(none, 7)).toBe('3 of 7 completed, 2 running, 2 waiting');
  expect(progress({ ...none, error: 4 }, 11)).toBe('3 of 11 completed, 2 running, 2 waiting, 4 failed');
});

describe('a time', () => {
  it.each([
    [0, '0.0 s'],
    [1234, '1.2 s'],
    [12_400, '12 s'],
    [60_000, '1 min'],
    [200_000, '3 min 20 s'],
    [7_500_000, '2 h 5 min'],
    [90_000_000, '1 d 1 h'],
  ])('of %i ms is %s', (ms, text) => expect(duration(ms)).toBe(text));

  it.each([
    ['2026-01-01T12:00:00.000Z', 'just now'],
    ['2026-01-01T11:59:20.000Z', '40 s ago'],
    ['2026-01-01T11:57:00.000Z', '3 min ago'],
    ['2025-12-30T12:00:00.000Z', '2 d ago'],
    ['2026-01-04T12:00:00.000Z', 'in 3 d'],
  ])('%s is %s', (time, text) => expect(ago(time, new Date('2026-01-01T12:00:00.000Z'))).toBe(text));

  it('of the clock is local', () => {
    const time = new Date(2026, 0, 2, 3, 4, 5);
    expect(clock(time.toISOString())).toBe('2026-01-02 03:04:05');
  });
});
