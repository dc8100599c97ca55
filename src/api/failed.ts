/** A refusal or a defect as REST tells it. */
import type { Context } from 'hono';
import type { ApiDeps } from './deps.js';
import { toTold } from './failure.js';
import { jsonReply } from './reply.js';

export function failed(
  c: Context,
  deps: Pick<ApiDeps, 'log'>,
  thrown: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  const { error } = toTold(thrown, deps.log, `${c.req.method} ${c.req.path}`);
  const { code, message, details } = error;
  const text = JSON.stringify({ error: { code, message, ...(details !== undefined && { details }) } });
  const all = error.code === 'UNAUTHENTICATED' ? { ...headers, 'www-authenticate': 'Bearer' } : headers;
  return jsonReply(c.req.header('accept-encoding'), error.http, text, all);
}
