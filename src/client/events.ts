/** Server-sent events as an iterator that survives lost connections. */
import { parseKeepingText } from '../contract/raw-json.js';
import type { EventView } from '../contract/schemas.js';
import { type EventScopeParams, queryOf, toError } from './client.js';

type Send = (path: string, init: RequestInit) => Promise<Response>;

const RECONNECT_MS = [100, 500, 1000, 2000, 5000];

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
    await pause(RECONNECT_MS[Math.min(failures, RECONNECT_MS.length - 1)]!, signal);
    failures += 1;
  }
}

function isRefusal(error: unknown): boolean {
  const code = (error as { code?: string }).code;
  return code !== undefined && code !== 'UNAVAILABLE' && !code.startsWith('UND_ERR') && !code.startsWith('ECONN');
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
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
  let held = '';
  const decoder = new TextDecoder();
  for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
    held += decoder.decode(chunk, { stream: true });
    const messages = held.split('\n\n');
    held = messages.pop() as string;
    for (const message of messages) {
      const data = message.split('\n').find((line) => line.startsWith('data: '));
      if (data !== undefined) yield parseKeepingText(data.slice(6), [['payload']]) as EventView;
    }
  }
}
