import { describe, expect, test } from 'vitest';
import { failuresByReason } from '../../src/cli/demo-report.js';
import type { JobSummary } from '../../src/contract/schemas.js';

describe('text of the demo', () => {
  test('groups failed jobs by what they said, the commonest first', () => {
    const job = (root_id: string, message: string) =>
      ({ root_id, failure: { failure_class: 'app', exit_code: 3, message } }) as JobSummary;
    const jobs = [job('2', 'rare'), job('5', 'common'), job('3', 'common')];
    expect(failuresByReason(jobs, Number)).toBe(
      '  2 x class app, exit code 3, windows 3, 5:\n    common\n  1 x class app, exit code 3, windows 2:\n    rare',
    );
  });
});
