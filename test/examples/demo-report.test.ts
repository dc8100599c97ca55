import { describe, expect, test } from 'vitest';
import { failuresByReason, progress, table, wrapped } from '../../src/cli/demo-report.js';
import type { JobSummary } from '../../src/contract/schemas.js';

const longest = (text: string) => Math.max(...text.split('\n').map((line) => line.length));

describe('text of the demo', () => {
  test('is broken at spaces before column 80 and loses no word', () => {
    const text = 'a sentence of some words '.repeat(20).trim();
    const lines = wrapped(text, '    ');
    expect(longest(lines)).toBeLessThanOrEqual(80);
    expect(lines.split(/\s+/).join(' ').trim()).toBe(text);
  });

  test('keeps a path whole, however long', () => {
    const path = `/${'long/'.repeat(30)}path`;
    expect(wrapped(`see ${path} there`, '  ').split('\n')).toEqual(['  see', `  ${path}`, '  there']);
  });

  test('lines columns up on the right, the last one on the left', () => {
    expect(
      table(
        ['n', 'state'],
        [
          ['1', 'ok'],
          ['100', 'error'],
        ],
      ),
    ).toBe('    n  state\n    1  ok\n  100  error');
  });

  test('names failed and cancelled jobs in the progress only when there are any', () => {
    const none = { created: 1, queued: 1, estimating: 0, running: 2, completed: 3, error: 0, terminated: 0 };
    expect(progress(none, 7)).toBe('3 of 7 completed, 2 running, 2 waiting');
    expect(progress({ ...none, error: 4 }, 11)).toBe('3 of 11 completed, 2 running, 2 waiting, 4 failed');
  });

  test('groups failed jobs by what they said, the commonest first', () => {
    const job = (root_id: string, message: string) =>
      ({ root_id, failure: { failure_class: 'app', exit_code: 3, message } }) as JobSummary;
    const jobs = [job('2', 'rare'), job('5', 'common'), job('3', 'common')];
    expect(failuresByReason(jobs, Number)).toBe(
      '  2 x class app, exit code 3, windows 3, 5:\n    common\n  1 x class app, exit code 3, windows 2:\n    rare',
    );
  });
});
