/**
 * Starts nothing: a job becomes `queued` and waits for whoever is authorised to start it. There is no process of ours, so
 * its dispatch ends with the job.
 */
import {
  type Capacity,
  type DispatchRef,
  type DispatchState,
  plainState,
  type Scheduler,
  type Submission,
  type SubmissionOutcome,
} from './scheduler.js';

/** One transaction's worth; the dispatcher comes back for more. */
const AT_ONCE = 10_000;
const ANY = Number.MAX_SAFE_INTEGER;

export function createExternalScheduler(): Scheduler {
  // asked to end, after a crash: of those nothing is left to wait for
  const ended = new Set<string>();
  const accepted = ({ dispatchId }: Submission): SubmissionOutcome => {
    return { dispatchId, outcome: 'accepted', schedulerId: dispatchId, reason: null };
  };
  const stateOf = ({ dispatchId: id }: DispatchRef): [string, DispatchState] => {
    return [id, plainState(ended.has(id) ? 'gone' : 'running')];
  };
  return {
    name: 'external',
    host: null,
    external: true,
    limits: () => ({ cpus: ANY, memoryMb: ANY }),
    start: async () => {},
    stop: async () => {},
    capacity: async (): Promise<Capacity> => ({ cpus: ANY, memoryMb: ANY, jobs: AT_ONCE, reason: null }),
    submitMany: async (submissions) => submissions.map(accepted),
    find: async (refs) => new Map(refs.map(({ dispatchId }) => [dispatchId, dispatchId])),
    poll: async (refs) => new Map(refs.map(stateOf)),
    async cancel(refs) {
      for (const { dispatchId } of refs) ended.add(dispatchId);
    },
    onChange: () => {},
  };
}
