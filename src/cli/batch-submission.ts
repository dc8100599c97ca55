/**
 * Rows of a file as jobs of one batch, in calls of bounded size: a batch, then more jobs for it. Each call has a request
 * id made from the command's, so the whole command can be repeated after any break: what was recorded is answered
 * again, the rest is added. With several calls everything is checked first, so that a bad row stops all of it.
 */
import { RepriseError } from '../contract/errors.js';
import type { RestParams } from '../contract/operations.js';
import { RawJson } from '../contract/raw-json.js';
import type { SubmitItem, SubmitResult } from '../contract/schemas.js';
import type { Row } from './jobs-file.js';
import type { Session } from './session.js';

type JobRequest = RestParams<'submitBatch'>['jobs'][number];

export interface Submission {
  /** All members of a job but its parameters. */
  readonly job: Omit<JobRequest, 'params'>;
  readonly rows: readonly Row[];
  /** A batch that exists, or what a new one gets. */
  readonly target: { readonly batchId: string } | Pick<RestParams<'submitBatch'>, 'name' | 'wsid' | 'meta'>;
  readonly requestId: string;
  readonly asAdmin: boolean;
  /** Refused rows are left out instead of stopping all. */
  readonly partial: boolean;
  /** Told after each call: rows so far, of all. */
  readonly onProgress: (done: number, total: number) => void;
}

const MOST_JOBS = 5000;
const MOST_BYTES = 8 * 1024 * 1024;

/** In order; a part has at most so many rows and bytes, but always one row. */
export function parts(rows: readonly Row[], mostJobs = MOST_JOBS, mostBytes = MOST_BYTES): Row[][] {
  const made: Row[][] = [];
  let bytes = 0;
  for (const row of rows) {
    const size = Buffer.byteLength(row.params);
    const last = made.at(-1);
    if (last === undefined || last.length === mostJobs || bytes + size > mostBytes) {
      made.push([row]);
      bytes = size;
    } else {
      last.push(row);
      bytes += size;
    }
  }
  return made;
}

/** Verdicts on all rows, with nothing recorded. Indices count through all parts. */
export async function checkRows(session: Session, submission: Submission): Promise<SubmitResult> {
  return inParts(submission, (part) => callPart(session, submission, part, { dry_run: true }));
}

/** A refusal of the whole is thrown with `details.items` unless `partial`; `onBatch` is told the id once it is known. */
export async function submitRows(
  session: Session,
  submission: Submission,
  onBatch: (id: string) => void,
): Promise<SubmitResult> {
  let batchId: string | undefined;
  return inParts(submission, async (part) => {
    const all = submission.partial ? {} : { all_or_nothing: true as const };
    const result = await callPart(session, submission, part, all, batchId).catch((error) => {
      // nothing of this part: the others may still be good
      if (submission.partial) return refusedPart(error);
      throw interrupted(error, part.before, submission, batchId);
    });
    if (batchId === undefined && result.batch_id !== null) onBatch(result.batch_id);
    batchId ??= result.batch_id ?? undefined;
    return result;
  });
}

interface Part {
  readonly rows: readonly Row[];
  readonly number: number;
  /** Rows of the parts before. */
  readonly before: number;
}

async function inParts(s: Submission, send: (part: Part) => Promise<SubmitResult>): Promise<SubmitResult> {
  const items: SubmitItem[] = [];
  let [first, batchId]: [SubmitResult | undefined, string | null] = [undefined, null];
  for (const [index, rows] of parts(s.rows).entries()) {
    const before = items.length;
    const result = await send({ rows, number: index + 1, before });
    first ??= result;
    batchId ??= result.batch_id;
    items.push(...result.items.map((item) => ({ ...item, index: item.index + before })));
    s.onProgress(items.length, s.rows.length);
  }
  const refused = items.filter((item) => !item.accepted).length;
  const dry = first?.dry_run ?? false;
  return { request_id: s.requestId, dry_run: dry, batch_id: batchId, accepted: items.length - refused, refused, items };
}

function callPart(
  session: Session,
  s: Submission,
  { rows, number: part }: Part,
  how: { dry_run?: true; all_or_nothing?: true },
  batchId?: string,
): Promise<SubmitResult> {
  const request = { id: s.requestId, part };
  const common = {
    jobs: rows.map((row) => ({ ...s.job, params: new RawJson(row.params) })),
    ...how,
    ...(s.asAdmin && { as_admin: true }),
  };
  const target = 'batchId' in s.target ? s.target.batchId : batchId;
  if (target !== undefined) return session.repeatably('extendBatch', { batch_id: target, ...common }, request);
  const described = s.target as Pick<RestParams<'submitBatch'>, 'name'>;
  return session.repeatably('submitBatch', { ...described, ...common }, request);
}

function refusedPart(error: unknown): SubmitResult {
  const items = error instanceof RepriseError ? error.details?.items : undefined;
  if (items === undefined) throw error;
  const refused = items as SubmitItem[];
  return { request_id: null, dry_run: false, batch_id: null, accepted: 0, refused: refused.length, items: refused };
}

/** Broken in the middle, the command can be repeated; the way is part of the sentence. */
function interrupted(error: unknown, done: number, s: Submission, batchId: string | undefined): unknown {
  if (done === 0 || !(error instanceof RepriseError)) return error;
  const where = batchId === undefined ? '' : ` are in batch ${batchId}`;
  const sentence = `${error.message}; ${done} of ${s.rows.length} jobs${where}: repeat the command with --request-id ${s.requestId} to add the rest`;
  return new RepriseError(error.code, sentence, error.details, { cause: error });
}
