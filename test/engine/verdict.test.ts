import { describe, expect, it } from 'vitest';
import { STATUSES, type Status } from '../../src/contract/status.js';
import { judge } from '../../src/engine/verdict.js';

const ROOT = `${'0'.repeat(23)}1`;
const HEAD = `${'0'.repeat(23)}2`;

function verdict(status: Status, head: Status | null, number = 0) {
  return judge({
    job_id: ROOT,
    status,
    retry_number: number,
    head_id: head === null ? ROOT : HEAD,
    head_status: head ?? status,
  });
}

describe('the verdict on a retry', () => {
  it('accepts every job of a lineage whose head failed or was cancelled', () => {
    for (const status of ['error', 'terminated'] as const) {
      expect(verdict(status, null)).toBeNull();
      for (const head of ['error', 'terminated'] as const) expect(verdict(status, head)).toBeNull();
    }
  });

  it("gives EE2's sentence, with the id asked for and its status, to a job that has not failed", () => {
    const unfinished = STATUSES.filter((status) => !['completed', 'error', 'terminated'].includes(status));
    for (const status of unfinished) {
      expect(verdict(status, null)).toEqual({
        code: 'NOT_TERMINAL',
        sentence: `Error retrying job ${ROOT} with status ${status}: can only retry jobs with status 'error' or 'terminated'`,
        blockingId: ROOT,
      });
      expect(verdict(status, null, 2)?.code).toBe('IN_FLIGHT');
    }
    expect(verdict('completed', null)?.code).toBe('ALREADY_SUCCEEDED');
  });

  it('names the unfinished retry that stands in the way', () => {
    expect(verdict('error', 'running')).toEqual({
      code: 'IN_FLIGHT',
      sentence: `Error retrying job ${ROOT}: its retry ${HEAD} is running; wait for it or cancel it`,
      blockingId: HEAD,
    });
  });

  it('names the retry that has completed', () => {
    expect(verdict('terminated', 'completed')).toEqual({
      code: 'ALREADY_SUCCEEDED',
      sentence: `Error retrying job ${ROOT}: its retry ${HEAD} has completed`,
      blockingId: HEAD,
    });
  });
});
