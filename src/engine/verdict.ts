/**
 * The verdict on one asked id, from what is recorded about its lineage. Pure: the single and the bulk path, the dry run
 * and the losers of a race are all judged here.
 *
 * | the job asked for       | the head of its lineage | verdict                                                      |
 * | ----------------------- | ----------------------- | ------------------------------------------------------------ |
 * | completed               | any                     | ALREADY_SUCCEEDED                                            |
 * | unfinished, a root      | itself                  | NOT_TERMINAL                                                 |
 * | unfinished, a retry     | itself                  | IN_FLIGHT                                                    |
 * | error or terminated     | unfinished              | IN_FLIGHT, naming the head                                   |
 * | error or terminated     | completed               | ALREADY_SUCCEEDED, naming the head                           |
 * | error or terminated     | error or terminated     | accepted: the head is retried                                |
 */
import type { RefusalCode } from '../contract/errors.js';
import { isRetryable, isTerminal } from '../contract/status.js';
import type { RetryFactsRow } from '../store/lineages.js';

export interface Refusal {
  readonly code: RefusalCode;
  readonly sentence: string;
  readonly blockingId: string | null;
}

export type Lineage = Pick<RetryFactsRow, 'job_id' | 'status' | 'retry_number' | 'head_id' | 'head_status'>;

/** Null = the head may be retried. */
export function judge(facts: Lineage): Refusal | null {
  if (!isRetryable(facts.status)) return notEnded(facts);
  if (isRetryable(facts.head_status)) return null;
  if (isTerminal(facts.head_status)) return headCompleted(facts.job_id, facts.head_id);
  return headInFlight(facts.job_id, facts.head_id, facts.head_status);
}

function notEnded({ job_id: id, status, retry_number: number }: Lineage): Refusal {
  const unfinished = number === 0 ? 'NOT_TERMINAL' : 'IN_FLIGHT';
  return {
    code: isTerminal(status) ? 'ALREADY_SUCCEEDED' : unfinished,
    sentence: `Error retrying job ${id} with status ${status}: can only retry jobs with status 'error' or 'terminated'`,
    blockingId: id,
  };
}

function headCompleted(id: string, head: string): Refusal {
  const sentence = `Error retrying job ${id}: its retry ${head} has completed`;
  return { code: 'ALREADY_SUCCEEDED', sentence, blockingId: head };
}

function headInFlight(id: string, head: string, status: string): Refusal {
  const sentence = `Error retrying job ${id}: its retry ${head} is ${status}; wait for it or cancel it`;
  return { code: 'IN_FLIGHT', sentence, blockingId: head };
}

/** A second id of one lineage in one call, when nothing is recorded that it could name. */
export function wouldBeInFlight(id: string, first: string): Refusal {
  const sentence = `Error retrying job ${id}: its retry would be made by ${first}, which stands earlier in this request`;
  return { code: 'IN_FLIGHT', sentence, blockingId: null };
}
