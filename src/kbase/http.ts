/** HTTP to a KBase service: bounded in time, and repeated with jitter where repeating does no harm. */
import { ServiceOutage } from './outage.js';

export interface HttpOptions {
  /** ms for one try. */
  readonly timeoutMs: number;
  /** How often a read is tried in all. */
  readonly tries: number;
  /** 0 ≤ x < 1, for the jitter. */
  readonly random: () => number;
  readonly sleep?: (ms: number) => Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface Ask {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Only a read may be tried again: a write whose answer was lost may have happened. */
  readonly repeatable: boolean;
}

export type Http = (ask: Ask) => Promise<Answer>;

const FIRST_PAUSE_MS = 200;
const ANSWER_LIMIT = 64 * 1024 * 1024;

export function createHttp({ timeoutMs, tries, random, sleep = pause }: HttpOptions): Http {
  return async (ask) => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await once(ask, timeoutMs);
      } catch (error) {
        if (!(error instanceof ServiceOutage) || !ask.repeatable || attempt >= tries) throw error;
        // full jitter: many callers who saw the same outage do not come back together
        await sleep(random() * FIRST_PAUSE_MS * 2 ** attempt);
      }
    }
  };
}

const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

/** A redirect is not followed: it would carry the caller's token to wherever it points. */
async function once({ url, method, headers, body }: Ask, timeoutMs: number): Promise<Answer> {
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const answer = await fetch(url, {
      method,
      headers: { ...headers },
      signal,
      redirect: 'manual',
      ...(body !== undefined && { body }),
    });
    return { status: answer.status, body: parsed(await textOf(answer, url), answer.status, url) };
  } catch (error) {
    if (error instanceof ServiceOutage) throw error;
    throw new ServiceOutage(`${hostOf(url)} ${reasonOf(error, timeoutMs)}`, { cause: error });
  }
}

async function textOf(answer: Response, url: string): Promise<string> {
  const length = Number(answer.headers.get('content-length') ?? 0);
  if (length > ANSWER_LIMIT) throw new ServiceOutage(`${hostOf(url)} answered with ${length} bytes, which is too much`);
  return answer.text();
}

/** A proxy in front of a dead service answers in HTML, with whatever status: that is not the service's word. */
function parsed(text: string, status: number, url: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new ServiceOutage(`${hostOf(url)} answered HTTP ${status} and no JSON`);
  }
}

function reasonOf(error: unknown, timeoutMs: number): string {
  const { name, cause } = error as { name?: string; cause?: { code?: string } };
  if (name === 'TimeoutError') return `did not answer within ${timeoutMs / 1000} s`;
  return `can not be reached (${cause?.code ?? (error as Error).message})`;
}

/** Without path and query: enough to know who, and nothing that a query may carry. */
function hostOf(url: string): string {
  return new URL(url).host;
}
