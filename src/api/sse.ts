/**
 * Server-sent events: what is recorded, in commit order, each with a cursor to resume from. The stream reads the record
 * like any list and is only woken by hints, so a lost hint costs a moment, never an event.
 */
import type { Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import { RepriseError } from '../contract/errors.js';
import { stringifyKeepingText } from '../contract/raw-json.js';
import type { Actor, EventFilter } from '../engine/engine.js';
import type { ApiDeps } from './deps.js';

/** Without a hint the record is looked at this often: hints of another process do not reach us. */
const LOOK_MS = 2_000;
/** Keeps proxies from closing an idle stream. */
const SIGN_OF_LIFE_MS = 15_000;
const PAGE = 500;

export interface Streams {
  /** Checks the right to the first page before the stream begins, so that a refusal is an ordinary answer. */
  open(c: Context, reader: () => Promise<Actor>, filter: EventFilter): Promise<Response>;
  end(): void;
}

export function createStreams(deps: ApiDeps): Streams {
  const ending = new AbortController();
  return {
    async open(c, reader, filter) {
      const resumed = { ...filter, after: c.req.header('last-event-id') || filter.after };
      const first = await deps.engine.listEvents(await reader(), { ...resumed, limit: 1 });
      // `now` is where the stream began, not where it looks next
      const from = resumed.after === 'now' ? { ...resumed, after: first.nextCursor } : resumed;
      // one that began now would hold up the stop: it comes back, to the next server
      if (ending.signal.aborted) throw new RepriseError('UNAVAILABLE', 'the server is stopping; connect again');
      const run = (stream: Stream) => {
        const stop = new AbortController();
        const abort = () => stop.abort();
        ending.signal.addEventListener('abort', abort, { once: true });
        stream.onAbort(abort);
        return follow(deps, stream, reader, from, stop.signal).finally(() => {
          abort();
          ending.signal.removeEventListener('abort', abort);
        });
      };
      // a reader whose right ended is cut off; when it comes back it is told why
      return streamSSE(c, run, async (error) => deps.log.debug({ error }, 'an event stream ended'));
    },
    end: () => ending.abort(),
  };
}

type Stream = Parameters<Parameters<typeof streamSSE>[1]>[0];

async function follow(
  deps: ApiDeps,
  stream: Stream,
  reader: () => Promise<Actor>,
  filter: EventFilter,
  stop: AbortSignal,
): Promise<void> {
  const hints = createHints(deps, stop);
  let after = filter.after;
  let alive = Date.now();
  while (!stop.aborted) {
    const read = hints.readSoFar();
    // the reader's token and rights are asked anew each time: a revoked one ends the stream
    const page = await deps.engine.listEvents(await reader(), { ...filter, after, limit: PAGE });
    for (const event of page.items) {
      await stream.writeSSE({ id: event.event_id, data: stringifyKeepingText(event) });
    }
    after = page.items.at(-1)?.event_id ?? after;
    if (page.items.length > 0) alive = Date.now();
    if (Date.now() - alive > SIGN_OF_LIFE_MS) {
      await stream.write(': alive\n\n');
      alive = Date.now();
    }
    if (page.items.length < PAGE) await hints.next(read);
  }
}

/** A hint that comes while the record is read is not lost: it is counted, and `next` sees that it was not read yet. */
function createHints(deps: ApiDeps, stop: AbortSignal) {
  let count = 0;
  let wake = () => {};
  const off = deps.engine.onEvents(() => {
    count += 1;
    wake();
  });
  const end = () => {
    off();
    wake();
  };
  stop.addEventListener('abort', end, { once: true });
  return {
    readSoFar: () => count,
    next: (read: number) =>
      new Promise<void>((resolve) => {
        if (count !== read || stop.aborted) return resolve();
        const timer = setTimeout(() => wake(), LOOK_MS);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      }),
  };
}
