/**
 * JSON-RPC 1.1 as KBase's clients speak it (docs/ee2-compatibility.md): any path, any request content type, the raw token in
 * AUTHORIZATION; every failure is HTTP 500 with exactly `application/json` and an error object of four members.
 */
import type { Context } from 'hono';
import { ERRORS, RepriseError } from '../../contract/errors.js';
import { type Ee2Binding, type Ee2Name, operations, type Permission } from '../../contract/operations.js';
import { parseKeepingText, type RawJson, stringifyKeepingText } from '../../contract/raw-json.js';
import type { Actor } from '../../engine/engine.js';
import type { HttpApp } from '../app.js';
import { readBody } from '../body.js';
import { counted } from '../call.js';
import type { ApiDeps } from '../deps.js';
import { toTold } from '../failure.js';
import { jsonReply } from '../reply.js';
import { ee2Handlers } from './handlers.js';
import { actorOfRpc } from './identity.js';
import { checkPositional } from './params.js';

const SERVICE = 'execution_engine2';

export function mountRpc(http: HttpApp, deps: ApiDeps): void {
  http.options('*', (c) => jsonReply(undefined, 200, '', cors(c)));
  http.post('*', (c) => answer(c, deps));
  // EE2 answers a GET as it answers an empty body
  for (const path of ['/services/ee2', '/services/ee2/*', '/services/ee2-nr', '/services/ee2-nr/*']) {
    http.get(path, (c) => failed(c, deps, { id: undefined, version: V11 }, noJson('a GET has no body')));
  }
  http.notFound((c) => {
    const message = `there is no ${c.req.method} ${c.req.path}; REST is below /api/v1 (see /api/v1/docs)`;
    return c.json({ error: { code: 'ROUTE_NOT_FOUND', message } }, 404);
  });
}

function cors(c: Context): Record<string, string> {
  return {
    'Access-Control-Allow-Origin': '*',
    'Access-Control-Allow-Headers': c.req.header('access-control-request-headers') ?? 'authorization',
  };
}

/** What of the request stands in the answer again. An id of `undefined` is left out. */
interface Echo {
  readonly id: unknown;
  readonly version: { readonly version?: '1.1'; readonly jsonrpc?: '2.0' };
}
const V11 = { version: '1.1' } as const;

interface Binding {
  readonly name: Ee2Name;
  readonly ee2: Ee2Binding;
  readonly permission: Permission;
}

const bindings = new Map<string, Binding>(
  Object.entries(operations).flatMap(([name, operation]) =>
    'ee2' in operation
      ? [[`${SERVICE}.${operation.ee2.method}`, { name: name as Ee2Name, ...operation, ee2: operation.ee2 }] as const]
      : [],
  ),
);

async function answer(c: Context, deps: ApiDeps): Promise<Response> {
  let echo: Echo = { id: undefined, version: V11 };
  try {
    const text = await readBody(c.env.incoming, deps.bodyLimit);
    const request = parseRequest(text);
    echo = echoOf(request, text);
    const binding = bindingOf(request);
    const result = await counted(deps.metrics, `ee2.${binding.ee2.method}`, async () => {
      const actor = await actorOfRpc(deps, c.req.header('authorization'), binding);
      return call(deps, binding, actor, positional(request, binding, text));
    });
    if (request.id === null) return jsonReply(undefined, 200, '', cors(c));
    const body = { ...echo.version, result: result === null ? null : [result], id: echo.id };
    return jsonReply(c.req.header('accept-encoding'), 200, stringifyKeepingText(body), cors(c));
  } catch (error) {
    return failed(c, deps, echo, error);
  }
}

function call(deps: ApiDeps, { name }: Binding, actor: Actor | null, params: readonly unknown[]): Promise<unknown> {
  return ee2Handlers[name](deps, actor, params);
}

function failed(c: Context, deps: ApiDeps, echo: Echo, thrown: unknown): Promise<Response> {
  const { error, correlation } = toTold(thrown, deps.log, `${c.req.method} ${c.req.path}`);
  const { rpcCode, rpcName } = ERRORS[error.code];
  const last = echo.version.jsonrpc === undefined ? 'error' : 'data';
  const told = { code: rpcCode, name: rpcName, message: messageOf(error), [last]: correlation };
  const body = stringifyKeepingText({ error: told, id: echo.id, ...echo.version });
  return jsonReply(undefined, 500, body, cors(c));
}

/** EE2 gives no message with an unknown method. */
function messageOf({ code, message }: RepriseError): string | null {
  return code === 'METHOD_NOT_FOUND' ? null : message || null;
}

const noJson = (why: string) => new RepriseError('PARSE_ERROR', `the body is not JSON: ${why}`);

type Request = Readonly<Record<string, unknown>>;

function parseRequest(text: string): Request {
  const request = parseOrRefuse(text);
  if (request !== null && typeof request === 'object' && !Array.isArray(request)) return request as Request;
  throw new RepriseError('INVALID_REQUEST', 'a request is one JSON object; several in one call are not supported');
}

function parseOrRefuse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const { message } = error as Error;
    const unknown = /\b(NaN|Infinity)\b/.test(text) ? ' (NaN and Infinity are not JSON)' : '';
    throw noJson(message + unknown);
  }
}

function echoOf(request: Request, text: string): Echo {
  const { id, version, jsonrpc } = request;
  const echoed = jsonrpc === '2.0' ? ({ jsonrpc: '2.0' } as const) : version === '1.1' ? V11 : {};
  if (id === undefined || id === null || typeof id === 'string') return { id, version: echoed };
  if (typeof id !== 'number') return { id: undefined, version: echoed };
  // 1.0 comes back as 1.0
  return { id: (parseKeepingText(text, [['id']]) as Request).id, version: echoed };
}

function bindingOf({ method, id }: Request): Binding {
  if (id === undefined) throw new RepriseError('INVALID_REQUEST', "the request needs the member 'id'");
  // without a message, as in EE2
  if (typeof id !== 'string' && typeof id !== 'number' && id !== null) throw new RepriseError('INVALID_REQUEST', '');
  if (typeof method !== 'string' || method.split('.').length !== 2) {
    throw new RepriseError('INVALID_REQUEST', `the request needs the member 'method', such as '${SERVICE}.status'`);
  }
  const binding = bindings.get(method);
  if (binding === undefined) throw new RepriseError('METHOD_NOT_FOUND', `there is no method ${method} here`);
  return binding;
}

function positional(request: Request, { ee2 }: Binding, text: string): readonly unknown[] {
  const { params } = request;
  if (params === undefined) throw new RepriseError('INVALID_REQUEST', "the request needs the member 'params', a list");
  if (params === null) return checkPositional(ee2, []);
  if (!Array.isArray(params)) throw new RepriseError('INVALID_PARAMS', 'expected positional params, not keyword');
  checkPositional(ee2, params);
  if (ee2.raw === undefined) return params;
  const kept = parseKeepingText(
    text,
    ee2.raw.map((path) => ['params', ...path]),
  ) as { params: readonly unknown[] | RawJson };
  return kept.params as readonly unknown[];
}
