/** REST: every route comes from the table of operations. */
import type { Context } from 'hono';
import type { TSchema } from 'typebox';
import { RepriseError } from '../contract/errors.js';
import { operations, type RestBinding, type RestName } from '../contract/operations.js';
import { parseKeepingText, stringifyKeepingText } from '../contract/raw-json.js';
import { checkStorable } from '../contract/storable.js';
import type { Actor } from '../engine/engine.js';
import type { HttpApp } from './app.js';
import { readBody } from './body.js';
import { checkParams, counted } from './call.js';
import { mountCheckouts } from './checkouts.js';
import type { ApiDeps } from './deps.js';
import { docsPage } from './docs-page.js';
import { failed } from './failed.js';
import { eventFilter, restHandlers } from './handlers-rest.js';
import { actorOf, bearerOf } from './identity.js';
import { openApiDocument } from './openapi.js';
import { jsonReply } from './reply.js';
import { sessionTokenOf } from './session.js';
import type { Streams } from './sse.js';

const PREFIX = '/api/v1';
const NOBODY: Actor = { user: '', admin: 'none', asAdmin: false };

interface Route {
  readonly name: RestName;
  readonly binding: RestBinding;
  readonly permission: 'none' | 'user' | 'dispatch';
}

export function mountRest(http: HttpApp, deps: ApiDeps, streams: Streams): void {
  const document = JSON.stringify(openApiDocument(deps.version));
  http.get(`${PREFIX}/openapi.json`, (c) => jsonReply(c.req.header('accept-encoding'), 200, document));
  http.get(`${PREFIX}/docs`, (c) => c.html(docsPage(deps.version)));
  mountCheckouts(http, deps);
  const routes = restRoutes();
  for (const route of routes) {
    http.on(route.binding.method, honoPath(route.binding), (c) => answer(c, deps, streams, route));
  }
  for (const path of new Set(routes.map(({ binding }) => honoPath(binding)))) {
    const allowed = routes.filter(({ binding }) => honoPath(binding) === path).map(({ binding }) => binding.method);
    http.all(path, (c) => failed(c, deps, methodNotAllowed(c.req.method, allowed), { allow: allowed.join(', ') }));
  }
  http.all(`${PREFIX}/*`, (c) => failed(c, deps, routeNotFound(c.req.method, c.req.path)));
}

function restRoutes(): Route[] {
  return Object.entries(operations).flatMap(([name, operation]) =>
    'rest' in operation ? [{ name: name as RestName, binding: operation.rest, permission: operation.permission }] : [],
  );
}

const honoPath = (binding: RestBinding) => PREFIX + binding.path.replace(/\{(\w+)\}/g, ':$1');

async function answer(c: Context, deps: ApiDeps, streams: Streams, route: Route): Promise<Response> {
  try {
    return await counted(deps.metrics, route.name, async () => {
      // who asks is known before a body is read
      const caller = await callerOf(c, deps, route, false);
      const params = await paramsOf(c, deps, route.binding);
      checkParams(route.binding.params, params);
      // of runners' reports one bad character would refuse those of all the others; the engine mends it
      if (route.permission !== 'dispatch') checkStorable(params);
      const asAdmin = params.as_admin === true;
      if (route.binding.stream && (c.req.header('accept') ?? '').includes('text/event-stream')) {
        return streams.open(c, () => callerOf(c, deps, route, asAdmin), eventFilter(params));
      }
      const handler = restHandlers[route.name] as (d: ApiDeps, a: Actor, p: unknown) => Promise<unknown>;
      const text = stringifyKeepingText(await handler(deps, { ...caller, asAdmin }, params));
      return jsonReply(c.req.header('accept-encoding'), 200, text);
    });
  } catch (error) {
    return failed(c, deps, error);
  }
}

async function callerOf(c: Context, deps: ApiDeps, { permission }: Route, asAdmin: boolean): Promise<Actor> {
  if (permission !== 'user') return NOBODY;
  const token = bearerOf(c.req.header('authorization')) ?? sessionTokenOf(c, deps.sessions);
  return actorOf(deps, token, asAdmin);
}

function methodNotAllowed(method: string, allowed: readonly string[]): RepriseError {
  return new RepriseError('METHOD_NOT_ALLOWED', `${method} is not for this route; it takes ${allowed.join(', ')}`);
}

function routeNotFound(method: string, path: string): RepriseError {
  return new RepriseError('ROUTE_NOT_FOUND', `there is no ${method} ${path}; the routes are at ${PREFIX}/docs`);
}

type Params = Record<string, unknown>;

/** From the path, and the query or the body. The path wins; a header Idempotency-Key is the member `request_id`. */
async function paramsOf(c: Context, deps: ApiDeps, binding: RestBinding): Promise<Params> {
  const members = (binding.params as { properties?: Record<string, TSchema> }).properties ?? {};
  const inPath = coerced(
    Object.entries(c.req.param()).map(([name, value]) => [name, [value as string]]),
    members,
  );
  const takesBody = binding.method === 'POST' || binding.method === 'PUT';
  const rest = takesBody ? await bodyOf(c, deps, binding) : coerced(Object.entries(c.req.queries()), members);
  return withRequestId({ ...rest, ...inPath }, c.req.header('idempotency-key'), 'request_id' in members);
}

async function bodyOf(c: Context, deps: ApiDeps, binding: RestBinding): Promise<Params> {
  const text = await readBody(c.env.incoming, deps.bodyLimit);
  if (text.trim() === '') return {};
  const body = parsed(text, binding);
  if (Array.isArray(body) && binding.list !== undefined) return { [binding.list]: body };
  if (body !== null && typeof body === 'object' && !Array.isArray(body)) return body as Params;
  const forms = binding.list === undefined ? 'a JSON object' : 'a JSON object or a list';
  throw new RepriseError('INVALID_PARAMS', `the body of this route must be ${forms}`);
}

function parsed(text: string, binding: RestBinding): unknown {
  try {
    return parseKeepingText(text, binding.raw ?? []);
  } catch (error) {
    throw new RepriseError('PARSE_ERROR', `the body is not JSON: ${(error as Error).message}`);
  }
}

function withRequestId(params: Params, header: string | undefined, takesIt: boolean): Params {
  if (header === undefined || !takesIt) return params;
  const inBody = params.request_id;
  if (inBody !== undefined && inBody !== header) {
    throw new RepriseError('INVALID_PARAMS', "the header Idempotency-Key and the member 'request_id' differ; send one");
  }
  return { ...params, request_id: header };
}

/** Texts of a path or query as their schema's types; what does not fit stays text and is refused by the check. */
function coerced(entries: readonly (readonly [string, readonly string[]])[], members: Record<string, TSchema>): Params {
  return Object.fromEntries(entries.map(([name, values]) => [name, typed(values, members[name])]));
}

function typed(values: readonly string[], schema: TSchema | undefined): unknown {
  const { type, items } = (schema ?? {}) as { type?: string; items?: TSchema };
  if (type === 'array') {
    const all = values.flatMap((value) => value.split(',')).filter((value) => value !== '');
    return all.map((value) => typed([value], items));
  }
  const [value] = values as [string];
  if (values.length > 1) return values;
  if (type === 'integer' && /^-?\d{1,15}$/.test(value)) return Number(value);
  if (type === 'boolean' && /^(true|1)$/.test(value)) return true;
  if (type === 'boolean' && /^(false|0)$/.test(value)) return false;
  return value;
}
