/** Calls of the one client, from the server's own pages: the session's cookie goes with them, and the header that proves it. */
import { createClient } from '../../../src/client/client.js';
import { RepriseError } from '../../../src/contract/errors.js';
import { operations, type RestName, type RestParams, type RestResult } from '../../../src/contract/operations.js';
import { asAdmin } from './as-admin.js';

const fromOurPages: typeof fetch = (input, init) =>
  fetch(input, { ...init, headers: { ...init?.headers, 'x-reprise-ui': '1' } });

export const client = createClient({ url: location.origin, fetch: fromOurPages });

/** With the admin's switch on, every call that knows it carries it. */
export function call<N extends RestName>(name: N, params: RestParams<N>): Promise<RestResult<N>> {
  const members = operations[name].rest.params.properties;
  return client.call(name, asAdmin() && 'as_admin' in members ? { ...params, as_admin: true } : params);
}

/** Signing in and out is about cookies, so it is not in the table of operations. */
export async function callSession(method: 'POST' | 'DELETE', body?: object): Promise<void> {
  const answer = await fromOurPages('/api/v1/session', { method, body: JSON.stringify(body ?? {}) });
  if (answer.ok) return;
  const { error } = (await answer.json()) as { error: { code: 'UNAUTHENTICATED'; message: string } };
  throw new RepriseError(error.code, error.message);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export const isSignedOut = (error: unknown): boolean =>
  error instanceof RepriseError && error.code === 'UNAUTHENTICATED';

/** Also where the page is not in a secure context, which randomUUID needs. */
export function newRequestId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `ui-${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
