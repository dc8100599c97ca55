/** The one client: every call is made from the table of operations. Works in Node and in browsers. */
import { ERRORS, type ErrorCode, RepriseError } from '../contract/errors.js';
import {
  operations,
  type RestBinding,
  type RestName,
  type RestParams,
  type RestResult,
} from '../contract/operations.js';
import { parseKeepingText, stringifyKeepingText } from '../contract/raw-json.js';
import type { EventView } from '../contract/schemas.js';
import { followEvents } from './events.js';

export interface ClientOptions {
  /** e.g. `http://127.0.0.1:7878` */
  readonly url: string;
  readonly token?: string;
  readonly fetch?: typeof globalThis.fetch;
}

export interface EventScopeParams {
  readonly job_id?: string;
  readonly batch_id?: string;
  /** An `event_id` to read on from; `now` = only what comes. */
  readonly after?: string;
  readonly as_admin?: boolean;
  readonly signal?: AbortSignal;
  /** True when a connection stands, false when it was lost and another is tried. */
  readonly onConnection?: (stands: boolean) => void;
}

export interface Client {
  /** Throws RepriseError with the server's code, sentence and details; `UNAVAILABLE` if it cannot be reached. */
  call<N extends RestName>(name: N, params: RestParams<N>): Promise<RestResult<N>>;
  /** Goes on through lost connections, after the last event that was given out. Ends with `signal`. */
  events(scope: EventScopeParams): AsyncIterable<EventView>;
}

export function createClient({ url, token, fetch = globalThis.fetch }: ClientOptions): Client {
  const base = `${url.replace(/\/+$/, '')}/api/v1`;
  const authorization: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const send = async (path: string, init: RequestInit) => {
    try {
      const headers = { ...authorization, ...(init.headers as Record<string, string>) };
      return await fetch(base + path, { ...init, headers });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw new RepriseError('UNAVAILABLE', `no Reprise server answers at ${url}; is it running?`, undefined, {
        cause: error,
      });
    }
  };
  return {
    async call(name, params) {
      const binding: RestBinding = operations[name].rest;
      const { path, init } = toRequest(binding, params as Record<string, unknown>);
      const answer = await send(path, init);
      const text = await readText(answer, url);
      if (!answer.ok) throw toError(answer.status, text);
      // of a call without a body, the marked members are those of the answer
      return parseKeepingText(text, init.body === undefined ? (binding.raw ?? []) : []) as never;
    },
    events: (scope) => followEvents(send, scope),
  };
}

/** A connection that breaks in the middle of an answer is as good as no answer. */
async function readText(answer: Response, url: string): Promise<string> {
  try {
    return await answer.text();
  } catch (error) {
    throw new RepriseError('UNAVAILABLE', `the connection to ${url} broke before the answer was complete`, undefined, {
      cause: error,
    });
  }
}

function toRequest(binding: RestBinding, params: Record<string, unknown>): { path: string; init: RequestInit } {
  const rest = { ...params };
  const path = binding.path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = rest[name];
    delete rest[name];
    return encodeURIComponent(String(value));
  });
  if (binding.method === 'GET' || binding.method === 'DELETE') {
    return { path: path + queryOf(rest), init: { method: binding.method } };
  }
  const headers = { 'content-type': 'application/json' };
  return { path, init: { method: binding.method, headers, body: stringifyKeepingText(rest) } };
}

export function queryOf(params: Record<string, unknown>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) query.append(name, String(one));
  }
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}

export function toError(status: number, text: string): RepriseError {
  try {
    const { code, message, details } = (
      JSON.parse(text) as { error: { code: ErrorCode; message: string; details?: object } }
    ).error;
    if (code in ERRORS) return new RepriseError(code, message, details as Record<string, unknown> | undefined);
  } catch {
    // not one of our answers: a proxy, or another server
  }
  return new RepriseError(
    'UNAVAILABLE',
    `the server answered HTTP ${status} and no Reprise error; is a proxy between?`,
  );
}
