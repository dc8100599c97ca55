import { expect, it } from 'vitest';
import { nothingText } from '../../src/cli/retry.js';
import type { BatchView } from '../../src/contract/schemas.js';

it('a batch with nothing to retry is told with what it has, and with the states that could be retried', () => {
  const none = { created: 0, estimating: 0, queued: 0, running: 0, completed: 24, error: 0, terminated: 0 };
  const batch = (counts: object) => ({ batch_id: 'b', counts: { ...none, ...counts } }) as BatchView;
  expect(nothingText(batch({}), ['error'])).toBe('no item of batch b is failed (24 completed): nothing to retry');
  expect(nothingText(batch({ terminated: 6 }), ['error'])).toBe(
    'no item of batch b is failed (24 completed, 6 cancelled): nothing to retry; --state cancelled retries the cancelled ones',
  );
  expect(nothingText(batch({ error: 1, running: 2 }), ['terminated', 'queued'])).toBe(
    'no item of batch b is cancelled or queued (24 completed, 1 failed, 2 running): nothing to retry; --state failed retries the failed ones',
  );
});
