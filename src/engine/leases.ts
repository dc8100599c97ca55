/**
 * Signs of life of workers. Every worker call renews the lease of its dispatch: in memory, because there are two calls a
 * second and job, and written in bulk. Killed before a flush, a lease is as old as the flush before; the next call of the
 * worker, a second later, renews it.
 */
import type { Db } from '../store/db.js';
import { renewLeases } from '../store/dispatches.js';

export interface Leases {
  /** Of one dispatch: its own token was used. */
  renew(dispatchId: string): void;
  /** Of whatever dispatch of the job is open: a user's token was used, as KBase's job runner does. */
  renewOfJob(jobId: string): void;
  /** Writes what was renewed since the last time. */
  flush(): Promise<void>;
}

export function createLeases(db: Db): Leases {
  const dispatches = new Set<string>();
  const jobs = new Set<string>();
  const taken = (ids: Set<string>) => {
    const all = [...ids];
    ids.clear();
    return all;
  };
  return {
    renew: (dispatchId) => void dispatches.add(dispatchId),
    renewOfJob: (jobId) => void jobs.add(jobId),
    async flush() {
      const renewed = { dispatchIds: taken(dispatches), jobIds: taken(jobs) };
      if (renewed.dispatchIds.length + renewed.jobIds.length === 0) return;
      try {
        await renewLeases(db, renewed);
      } catch (error) {
        for (const id of renewed.dispatchIds) dispatches.add(id);
        for (const id of renewed.jobIds) jobs.add(id);
        throw error;
      }
    },
  };
}
