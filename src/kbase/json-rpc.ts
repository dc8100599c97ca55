/** One call of a KBase service by JSON-RPC 1.1, as the KBase SDK speaks it: the token raw, every failure HTTP 500. */
import { randomInt } from 'node:crypto';
import type { Http } from './http.js';
import { ServiceOutage, ServiceRefusal } from './outage.js';

export interface ServiceCall {
  readonly url: string;
  /** `Module.function` */
  readonly method: string;
  readonly params: readonly unknown[];
  readonly token?: string;
  readonly repeatable: boolean;
}

/** The first return value, or null where there is none. */
export async function callService(http: Http, call: ServiceCall): Promise<unknown> {
  const { url, method, params, token, repeatable } = call;
  const id = String(randomInt(1, 2 ** 47));
  const { status, body } = await http({
    url,
    method: 'POST',
    ...(token !== undefined && { headers: { Authorization: token } }),
    body: JSON.stringify({ method, params, version: '1.1', id }),
    repeatable,
  });
  const answer = (body ?? {}) as { result?: unknown; error?: { message?: unknown; name?: unknown } };
  if (status === 200 && Array.isArray(answer.result)) return answer.result[0] ?? null;
  if (status === 200 && answer.result === null) return null;
  if (answer.error !== undefined && answer.error !== null && typeof answer.error === 'object') {
    throw new ServiceRefusal(String(answer.error.message ?? answer.error.name ?? `HTTP ${status}`), status);
  }
  throw new ServiceOutage(`${new URL(url).host} answered HTTP ${status} without a result`);
}
