import { describe, expect, it } from 'vitest';
import { parts } from '../../src/cli/batch-submission.js';
import { groupAlike, withoutNumbers } from '../../src/cli/failures.js';
import { idParts } from '../../src/cli/ids.js';
import { megabytes, milliseconds, natural, positive, splitPair, states } from '../../src/cli/options.js';
import { readableLine } from '../../src/cli/serve-log.js';

describe('options', () => {
  it.each([
    ['512', 512],
    ['512M', 512],
    ['2G', 2048],
    ['1.5GB', 1536],
    ['1GiB', 1024],
    ['0.1m', 1],
    ['1t', 1_048_576],
  ])('a size of %s is %i MB', (text, mb) => expect(megabytes(text)).toBe(mb));

  it.each([
    ['90s', 90_000],
    ['12h', 43_200_000],
    ['30d', 2_592_000_000],
    ['2w', 1_209_600_000],
  ])('a time of %s is %i ms', (text, ms) => expect(milliseconds(text)).toBe(ms));

  it('what is none of these is refused', () => {
    for (const text of ['', '-1', '0', '2X', 'G']) expect(() => megabytes(text)).toThrow('must be a size');
    for (const text of ['', '12', '0d', '1y']) expect(() => milliseconds(text)).toThrow('must be a time');
    for (const text of ['', '1.5', '-1', '1e99']) expect(() => positive(text)).toThrow('whole number');
    expect(natural('0')).toBe(0);
  });

  it('states are joined, and people may say failed and cancelled', () => {
    expect(states('failed,cancelled', states('running,error'))).toEqual(['running', 'error', 'terminated']);
    expect(() => states('odd')).toThrow(/^'odd' is not one of created, .*, terminated, failed, cancelled\.$/);
  });

  it('a pair is split at its first =', () => {
    expect(splitPair('a=b=c', '--meta')).toEqual(['a', 'b=c']);
    expect(splitPair('a=', '--meta')).toEqual(['a', '']);
    expect(() => splitPair('=a', '--meta')).toThrow('write it as --meta name=value');
  });
});

describe('large requests', () => {
  it('are cut by number and by bytes, in order, with at least one row each', () => {
    const rows = ['1', '22', '333', '4444', 'x'.repeat(100), '5'].map((params, index) => ({ line: index + 1, params }));
    const cut = parts(rows, 3, 7).map((part) => part.map(({ line }) => line));
    expect(cut).toEqual([[1, 2, 3], [4], [5], [6]]);
    expect(parts([], 3, 7)).toEqual([]);
  });

  it('of ids too', () => {
    const ids = Array.from({ length: 20_001 }, (_, index) => String(index));
    expect(idParts(ids).map((part) => part.length)).toEqual([10_000, 10_000, 1]);
    expect(idParts(ids).flat()).toEqual(ids);
  });
});

it('failures alike but for numbers are one group, the commonest first', () => {
  const messages = [
    'disk full',
    'no file /tmp/w1.txt',
    'no file /tmp/w22.txt',
    'bad block 0xdeadbeef01 of 6b062ae845834df8',
  ];
  const groups = groupAlike(messages, (message) => message, withoutNumbers);
  expect(groups.map(({ message, members }) => [members.length, message])).toEqual([
    [2, 'no file /tmp/w1.txt'],
    [1, 'disk full'],
    [1, 'bad block 0xdeadbeef01 of 6b062ae845834df8'],
  ]);
});

it('a line of the log reads well at a terminal, and cannot command it', () => {
  const entry = {
    level: 30,
    time: new Date(2026, 0, 2, 3, 4, 5).getTime(),
    pid: 1,
    hostname: 'h',
    msg: 'a job failed',
  };
  const error = { type: 'Error', message: 'gone', stack: '…' };
  expect(readableLine(JSON.stringify({ ...entry, error, why: '\x1b[2Jx\ny', n: 3 }))).toBe(
    '03:04:05 a job failed, error gone, why x y, n 3',
  );
});
