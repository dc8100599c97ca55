import { describe, expect, it } from 'vitest';
import { jobsTold, linesText, rowsTold } from '../../src/cli/refusals.js';

const id = (index: number) => index.toString(16).padStart(24, '0');
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

describe('refused rows', () => {
  const noTag = { sentence: "demo has no tag 'x'", code: 'VERSION_NOT_FOUND' };

  it('with one sentence are one line, wherever they stand', () => {
    const rows = [2, 3, 4, 9].map((subject) => ({ subject, ...noTag }));
    const odd = { subject: 5, sentence: "'n' must be an integer", code: 'PARAMS_REJECTED' };
    expect(rowsTold([odd, ...rows])).toEqual({
      told: [
        { subject: 'lines 2-4, 9 (4)', ...noTag },
        { ...odd, subject: 'line 5' },
      ],
      rest: null,
    });
  });

  it('of many reasons are counted after the twentieth', () => {
    const rows = upTo(25).map((index) => ({ subject: index + 1, sentence: `no ${index}`, code: 'PARAMS_REJECTED' }));
    const { told, rest } = rowsTold([...rows, { ...rows[0]!, subject: 26 }]);
    expect(told).toHaveLength(20);
    expect(told[0]).toMatchObject({ subject: 'lines 1, 26 (2)', sentence: 'no 0' });
    expect(rest).toBe('… and 5 more, for 5 other reasons: --json has all');
  });

  it('that are scattered name the first ranges', () => {
    expect(linesText([7])).toBe('line 7');
    expect(linesText([2, 3, 4, 6, 8, 9])).toBe('lines 2-4, 6, 8-9 (6)');
    const [first, ...others] = upTo(3000).map((index) => 2 * index + 2);
    expect(linesText([first!, ...others])).toBe('lines 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, … (3,000)');
  });
});

describe('refused jobs', () => {
  const withdrawn = (index: number) => ({
    subject: id(index),
    sentence: `Error retrying job ${id(index)}: version abc of demo was withdrawn`,
    code: 'VERSION_WITHDRAWN',
    blockingId: null,
  });

  it('with one sentence but for their ids are one line, which names the first', () => {
    expect(jobsTold(upTo(30).map(withdrawn))).toEqual({
      told: [
        {
          subject: `jobs ${id(0)}, ${id(1)}, ${id(2)}, … (30)`,
          sentence: 'Error retrying job <id>: version abc of demo was withdrawn',
          code: 'VERSION_WITHDRAWN',
        },
      ],
      rest: null,
    });
  });

  it('alone keep their sentence', () => {
    const one = withdrawn(1);
    expect(jobsTold([one]).told).toEqual([{ subject: one.subject, sentence: one.sentence, code: one.code }]);
  });

  it('are alike though other jobs stand in their way, but not with another code', () => {
    const running = upTo(4).map((index) => ({
      subject: id(index),
      sentence: `Error retrying job ${id(index)}: its retry ${id(index + 100)} is running; wait for it or cancel it`,
      code: index === 3 ? 'CONFLICT' : 'IN_FLIGHT',
      blockingId: id(index + 100),
    }));
    const { told } = jobsTold(running);
    expect(told.map(({ subject }) => subject)).toEqual([`jobs ${id(0)}, ${id(1)}, ${id(2)} (3)`, id(3)]);
    expect(told[0]?.sentence).toBe('Error retrying job <id>: its retry <id> is running; wait for it or cancel it');
  });
});
