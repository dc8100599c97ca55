/** Server-sent events as an iterator that survives lost connections, in Node and in browsers. */
import { parseKeepingText } from '../contract/raw-json.js';
import type { EventView } from '../contract/schemas.js';
import { type EventScopeParams, queryOf, toError } from './client.js';

type Send = (path: string, init: RequestInit) => Promise<Response>;

const RECONNECT_MS = [100, 500, 1000, 2000, 5000];
/** The server gives a sign of life every 15 seconds: after this long without one the connection is dead. */
const SILENCE_MS = 45_000;

export async function* followEvents(send: Send, scope: EventScopeParams): AsyncGenerator<EventView> {
  const { signal } = scope;
  let after = scope.after;
  let failures = 0;
  while (!signal?.aborted) {
    try {
      for await (const event of oneConnection(send, scope, after)) {
        failures = 0;
        after = event.event_id;
        yield event;
      }
    } catch (error) {
      if (signal?.aborted) return;
      // a refusal will be one the next time too; only a lost connection is worth another try
      if (isRefusal(error)) throw error;
    }
    if (signal?.aborted) return;
    scope.onConnection?.(false);
    await pause(RECONNECT_MS[Math.min(failures, RECONNECT_MS.length - 1)]!, signal);
    failures += 1;
  }
}

function isRefusal(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  if (typeof code !== 'string') return false;
  return code !== 'UNAVAILABLE' && !code.startsWith('UND_ERR') && !code.startsWith('ECONN');
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}

async function* oneConnection(
  send: Send,
  scope: EventScopeParams,
  after: string | undefined,
): AsyncGenerator<EventView> {
  const { job_id, batch_id, as_admin, signal } = scope;
  const headers = { accept: 'text/event-stream' };
  const path = `/events${queryOf({ job_id, batch_id, as_admin, after })}`;
  const answer = await send(path, { headers, ...(signal !== undefined && { signal }) });
  if (!answer.ok) throw toError(answer.status, await answer.text());
  scope.onConnection?.(true);
  let held = '';
  for await (const text of chunksOf(answer)) {
    held += text;
    const messages = held.split('\n\n');
    held = messages.pop() as string;
    for (const message of messages) {
      const data = message.split('\n').find((line) => line.startsWith('data: '));
      if (data !== undefined) yield parseKeepingText(data.slice(6), [['payload']]) as EventView;
    }
  }
}

/** With a reader, because not every browser can iterate over a body. */
async function* chunksOf(answer: Response): AsyncGenerator<string> {
  const reader = answer.body?.getReader();
  if (reader === undefined) return;
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const { done, value } = await withinSilence(reader.read());
      if (done) return;
      yield decoder.decode(value, { stream: true });
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

async function withinSilence<T>(read: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no sign of life')), SILENCE_MS);
  });
  try {
    return await Promise.race([read, silence]);
  } finally {
    clearTimeout(timer);
  }
}
