/**
 * Waits for jobs. What is asked for is the truth; events only say when it is worth asking again, so a lost one costs two
 * seconds, and a server that is started again is found again.
 */
import { RepriseError } from '../contract/errors.js';
import type { BatchView, JobDetail } from '../contract/schemas.js';
import { isTerminal } from '../contract/status.js';
import { sayAtInterrupt } from './interrupt.js';
import { clearProgress, say, showProgress } from './output.js';
import type { Session } from './session.js';
import { progress } from './text.js';

interface Scope {
  readonly job_id?: string;
  readonly batch_id?: string;
  readonly as_admin?: boolean;
}

interface Look<T> {
  /** Undefined until all has ended. */
  readonly ended: T | undefined;
  readonly progress: string;
}

/** With news it is asked at most this often; without, seldomer and seldomer, since short jobs end before news can flow. */
const BUSY_MS = 200;
const QUIET_MS = [0, 100, 200, 400, 800, 1600];

/** Given the jobs that ended since the last look, as far as events told. */
type LookAgain<T> = (endedJobs: readonly string[]) => Promise<Look<T>>;

/** `left` is said at Ctrl-C: what goes on, and how to look again. */
async function waitFor<T>(session: Session, scope: Scope, left: string, look: LookAgain<T>): Promise<T> {
  sayAtInterrupt(left);
  const news = followNews(session, scope);
  let lost = false;
  try {
    for (let round = 0; ; round += 1) {
      const seen = await look(news.endedJobs()).catch(ignoreLostServer);
      if (seen === null && !lost) say('the server does not answer; waiting for it to come back (Ctrl-C stops waiting)');
      if (seen !== null && lost) news.reconnect();
      lost = seen === null;
      if (seen?.ended !== undefined) return seen.ended;
      if (seen !== null) showProgress(seen.progress);
      await pause(BUSY_MS);
      await news.next(QUIET_MS[Math.min(round, QUIET_MS.length - 1)] as number);
    }
  } finally {
    news.stop();
    sayAtInterrupt(undefined);
    clearProgress();
  }
}

function ignoreLostServer(error: unknown): null {
  if (error instanceof RepriseError && error.code === 'UNAVAILABLE') return null;
  throw error;
}

const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

interface News {
  /** Since the last call. */
  endedJobs(): readonly string[];
  /** Resolves when something has happened since the last call, or after `ms`. */
  next(ms: number): Promise<void>;
  /** To where the server is now. */
  reconnect(): void;
  stop(): void;
}

const ENDS: readonly string[] = ['job.completed', 'job.failed', 'job.terminated'];

function followNews(session: Session, scope: Scope): News {
  let stopping = new AbortController();
  let heard = false;
  const ended: string[] = [];
  let wake = () => {};
  const follow = async ({ signal }: AbortController) => {
    try {
      for await (const { kind, job_id } of session.client().events({ ...scope, after: 'now', signal })) {
        heard = true;
        if (job_id !== null && ENDS.includes(kind)) ended.push(job_id);
        wake();
      }
    } catch {
      // without news it is asked every two seconds
    }
  };
  void follow(stopping);
  return {
    endedJobs: () => ended.splice(0),
    async next(ms) {
      if (!heard) {
        await new Promise<void>((done) => {
          const timer = setTimeout(done, ms);
          wake = () => {
            clearTimeout(timer);
            done();
          };
        });
      }
      heard = false;
    },
    reconnect() {
      stopping.abort();
      stopping = new AbortController();
      void follow(stopping);
    },
    stop: () => stopping.abort(),
  };
}

const admin = (asAdmin: boolean) => (asAdmin ? { as_admin: true } : {});

export function waitForBatch(session: Session, batchId: string, asAdmin = false): Promise<BatchView> {
  const scope = { batch_id: batchId, ...admin(asAdmin) };
  const left = `stopped waiting; the jobs go on. Look again with: reprise batch watch ${batchId}`;
  return waitFor(session, scope, left, async () => {
    const batch = await session.call('getBatch', scope);
    const { completed, error, terminated } = batch.counts;
    const ended = completed + error + terminated === batch.items ? batch : undefined;
    return { ended, progress: progress(batch.counts, batch.items) };
  });
}

/** Jobs asked for in one look: those that ended, and in turn some of which no event told. */
const [HEARD_OF, IN_TURN] = [64, 8];

/** In the order of `ids`, each as it had ended. */
export async function waitForJobs(session: Session, ids: readonly string[], asAdmin = false): Promise<JobDetail[]> {
  const ended = new Map<string, JobDetail>();
  let pending = new Set(ids);
  let heardOf: string[] = [];
  const scope = { ...(ids.length === 1 && { job_id: ids[0] as string }), ...admin(asAdmin) };
  const left = `stopped waiting; the jobs go on. Look again with: reprise show ${ids[0]}`;
  await waitFor(session, scope, left, async (endedJobs) => {
    heardOf = [...heardOf, ...endedJobs].filter((id) => pending.has(id));
    const asked = [...new Set([...heardOf.splice(0, HEARD_OF), ...[...pending].slice(0, IN_TURN)])];
    const jobs = await Promise.all(asked.map((id) => session.call('getJob', { job_id: id, ...admin(asAdmin) })));
    for (const job of jobs) if (isTerminal(job.status)) ended.set(job.job_id, job);
    // those asked for come last the next time
    pending = new Set([...pending].filter((id) => !asked.includes(id)).concat(asked.filter((id) => !ended.has(id))));
    return { ended: pending.size === 0 ? true : undefined, progress: progressOfJobs(ids, ended, jobs) };
  });
  return ids.map((id) => ended.get(id) as JobDetail);
}

function progressOfJobs(
  ids: readonly string[],
  ended: ReadonlyMap<string, JobDetail>,
  jobs: readonly JobDetail[],
): string {
  const [job] = jobs;
  if (ids.length === 1 && job !== undefined)
    return `${job.status}${job.wait_reason === null ? '' : `: ${job.wait_reason}`}`;
  const failed = [...ended.values()].filter(({ status }) => status !== 'completed').length;
  return `${ended.size} of ${ids.length} ended${failed === 0 ? '' : `, ${failed} failed`}`;
}
