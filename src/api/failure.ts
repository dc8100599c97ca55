/** What a caller is told of an error: refusals as they are; a defect gets a number under which the log has it. */
import { randomUUID } from 'node:crypto';
import { RepriseError } from '../contract/errors.js';
import type { Log } from '../log.js';

export interface Told {
  readonly error: RepriseError;
  /** Of a defect: where to look in the log. */
  readonly correlation: string | null;
}

export function toTold(thrown: unknown, log: Log, call: string): Told {
  if (thrown instanceof RepriseError) return { error: thrown, correlation: null };
  const correlation = randomUUID();
  log.error({ error: thrown, call, correlation }, 'a call failed by a defect');
  const sentence = `an unexpected error occurred; the server's log has it under ${correlation}`;
  return { error: new RepriseError('INTERNAL', sentence), correlation };
}
