/**
 * Starts nothing: a job becomes `queued` and waits for whoever is authorised to start it. There is no process of ours, so
 * its dispatch ends with the job.
 */
import type { Capacity, DispatchState, Scheduler, Submission, SubmissionOutcome } from './scheduler.js';

/** A message's worth; the dispatcher comes back for more. */
const AT_ONCE = 10_000;
const ANY = Number.MAX_SAFE_INTEGER;

export function createExternalScheduler(): Scheduler {
  // asked to end, after a crash: of those nothing is left to wait for
  const ended = new Set<string>();
  const accepted = ({ dispatchId }: Submission): SubmissionOutcome => {
    return { dispatchId, outcome: 'accepted', schedulerId: dispatchId, reason: null };
  };
  const stateOf = (id: string): [string, DispatchState] => [id, ended.has(id) ? 'gone' : 'running'];
  return {
    name: 'external',
    host: null,
    external: true,
    limits: () => ({ cpus: ANY, memoryMb: ANY }),
    start: async () => {},
    stop: async () => {},
    capacity: async (): Promise<Capacity> => ({ cpus: ANY, memoryMb: ANY, jobs: AT_ONCE, reason: null }),
    submitMany: async (submissions) => submissions.map(accepted),
    find: async (ids) => new Map(ids.map((id) => [id, id])),
    poll: async (ids) => new Map(ids.map(stateOf)),
    async cancel(ids) {
      for (const id of ids) ended.add(id);
    },
    onChange: () => {},
  };
}
