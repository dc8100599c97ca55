/**
 * Job ids: 24 lower-case hex characters in the layout of a Mongo ObjectId (4 bytes seconds, 5 bytes random per process,
 * 3 bytes counter), strictly increasing within a process whatever the clock does.
 */

export const JOB_ID_PATTERN = '^[0-9a-f]{24}$';
const PATTERN = new RegExp(JOB_ID_PATTERN);

export function isJobId(text: unknown): text is string {
  return typeof text === 'string' && PATTERN.test(text);
}

/** Seconds since the epoch, from the id; EE2's `created` is this × 1000. */
export function idSeconds(jobId: string): number {
  return Number.parseInt(jobId.slice(0, 8), 16);
}

export interface IdSource {
  /** A new id, greater than every id this source gave before and than `floor` (a retry's id follows its lineage's). */
  next(floor?: string): string;
}

export function createIdSource(now: () => number, randomBytes: (size: number) => Uint8Array): IdSource {
  const process = Buffer.from(randomBytes(5)).toString('hex');
  let seconds = 0;
  let counter = 0;
  const format = () => seconds.toString(16).padStart(8, '0') + process + counter.toString(16).padStart(6, '0');
  const advanceTo = (second: number) => {
    seconds = second;
    counter = 0;
  };
  return {
    next(floor) {
      const current = Math.floor(now() / 1000);
      if (current > seconds) advanceTo(current);
      else if (counter === 0xffffff) advanceTo(seconds + 1);
      else counter += 1;
      // another replica's clock may be ahead of ours: go past its second rather than below its id
      if (floor !== undefined && format() <= floor) advanceTo(Math.max(seconds, idSeconds(floor)) + 1);
      return format();
    },
  };
}
