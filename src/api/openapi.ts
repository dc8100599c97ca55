/** The OpenAPI 3.1 document, printed from the table of operations. Nouns of the contract are its components. */
import { type TSchema, Type } from 'typebox';
import { operations, type Permission, type RestBinding } from '../contract/operations.js';
import * as schemas from '../contract/schemas.js';

type Json = Record<string, unknown>;

const ErrorBody = Type.Object({
  error: Type.Object({
    code: Type.String({ description: 'Stable; listed in docs/errors.md' }),
    message: Type.String({ description: 'A sentence that names the thing and the way out' }),
    details: Type.Optional(Type.Object({}, { additionalProperties: true })),
  }),
});

/** Exported objects by identity, so that a schema used in many places is written once. */
const components = new Map<unknown, string>([
  [ErrorBody, 'Error'],
  ...Object.entries(schemas)
    .filter(([, schema]) => typeof schema === 'object' && (schema as { type?: string }).type === 'object')
    .map(([name, schema]) => [schema, name] as const),
]);

export interface RestOperation {
  readonly name: string;
  readonly summary: string;
  readonly permission: Permission;
  readonly rest: RestBinding;
}

export function restOperations(): RestOperation[] {
  return Object.entries(operations).flatMap(([name, operation]) =>
    'rest' in operation ? [{ name, ...operation, rest: operation.rest as RestBinding }] : [],
  );
}

export function openApiDocument(version: string): Json {
  const paths: Record<string, Json> = {};
  for (const operation of restOperations()) {
    paths[operation.rest.path] = {
      ...paths[operation.rest.path],
      [operation.rest.method.toLowerCase()]: describe(operation),
    };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Reprise',
      version,
      description: 'Runs jobs in batches and keeps the books when they are retried.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/api/v1' }],
    security: [{ token: [] }],
    tags: [...new Set(restOperations().map(({ rest }) => rest.tag))].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'An API token' } },
      schemas: Object.fromEntries([...components].map(([schema, name]) => [name, written(schema, true)])),
    },
  };
}

function describe({ name, summary, permission, rest }: RestOperation): Json {
  const { inPath, others, required } = membersOf(rest);
  const takesBody = rest.method === 'POST' || rest.method === 'PUT';
  return {
    operationId: name,
    summary,
    tags: [rest.tag],
    ...(permission !== 'user' && { security: [] }),
    parameters: [
      ...inPath.map(([member, schema]) => parameter(member, schema, 'path', true)),
      ...(takesBody ? [] : others.map(([member, schema]) => parameter(member, schema, 'query', required.has(member)))),
      ...(others.some(([member]) => member === 'request_id') ? [IDEMPOTENCY_KEY] : []),
      ...(rest.stream ? [LAST_EVENT_ID] : []),
    ],
    ...(takesBody && others.length > 0 && { requestBody: requestBody(rest, others, required) }),
    responses: {
      '200': { description: 'Done', content: answerContent(rest) },
      default: { description: 'Refused', content: { 'application/json': { schema: written(ErrorBody) } } },
    },
  };
}

const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'Makes the call repeatable for 7 days: the same key and body give the first answer again.',
  schema: { type: 'string', maxLength: 200 },
};
const LAST_EVENT_ID = {
  name: 'Last-Event-ID',
  in: 'header',
  required: false,
  description: 'With Accept: text/event-stream: resume after this event.',
  schema: { type: 'string' },
};

export function membersOf({ path, params }: RestBinding) {
  const { properties = {}, required = [] } = params as { properties?: Record<string, TSchema>; required?: string[] };
  const names = new Set([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
  const all = Object.entries(properties);
  return {
    inPath: all.filter(([name]) => names.has(name)),
    others: all.filter(([name]) => !names.has(name)),
    required: new Set(required),
  };
}

function parameter(name: string, schema: TSchema, where: 'path' | 'query', required: boolean): Json {
  const { description } = schema as { description?: string };
  return { name, in: where, required, ...(description !== undefined && { description }), schema: written(schema) };
}

function requestBody(rest: RestBinding, others: [string, TSchema][], required: ReadonlySet<string>): Json {
  const object = {
    type: 'object',
    properties: Object.fromEntries(others.map(([name, schema]) => [name, written(schema)])),
    required: others.map(([name]) => name).filter((name) => required.has(name)),
    additionalProperties: false,
  };
  const list = others.find(([name]) => name === rest.list);
  const schema = list === undefined ? object : { anyOf: [object, written(list[1])] };
  return { required: object.required.length > 0, content: { 'application/json': { schema } } };
}

function answerContent(rest: RestBinding): Json {
  const json = { 'application/json': { schema: written(rest.result) } };
  return rest.stream ? { ...json, 'text/event-stream': { schema: { type: 'string' } } } : json;
}

/** A plain copy; components become references, but for the one that is being written itself. */
function written(schema: unknown, itself = false): unknown {
  const name = components.get(schema);
  if (name !== undefined && !itself) return { $ref: `#/components/schemas/${name}` };
  if (Array.isArray(schema)) return schema.map((item) => written(item));
  if (schema === null || typeof schema !== 'object') return schema;
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, written(value)]));
}
