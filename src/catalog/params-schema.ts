/**
 * The JSON Schema of a method's parameters. Apps bring it, and users send what is checked, so: no `$ref` leaves the
 * schema, and patterns are matched in linear time (re2), which leaves out look-around and back-references. `format` is a
 * note, not a check. What a schema can still do is cost time by many nested `anyOf` or by `uniqueItems` on a long list.
 */
import { Ajv, type ErrorObject, type Options, type ValidateFunction } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { RE2JS } from 're2js';

/** Null, or the first reason why the parameters do not fit. */
export type CheckParams = (params: unknown) => string | null;

export class BadSchema extends Error {
  override readonly name = 'BadSchema';
}

type AnyAjv = Ajv | Ajv2019 | Ajv2020;

/** `$schema` without the last `#` → the validator that speaks it. The first is meant when there is none. */
const DIALECTS: ReadonlyMap<string, (options: Options) => AnyAjv> = new Map<string, (options: Options) => AnyAjv>([
  ['https://json-schema.org/draft/2020-12/schema', (options) => new Ajv2020(options)],
  ['https://json-schema.org/draft/2019-09/schema', (options) => new Ajv2019(options)],
  ['http://json-schema.org/draft-07/schema', (options) => new Ajv(options)],
]);
const NEWEST = 'https://json-schema.org/draft/2020-12/schema';

const linearPattern = Object.assign(
  (pattern: string) => {
    const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern));
    return { test: (text: string) => compiled.test(text), toString: () => pattern };
  },
  { code: 'linearPattern' },
);

const OPTIONS: Options = {
  strict: false,
  logger: false,
  validateFormats: false,
  ownProperties: true,
  code: { regExp: linearPattern },
};

/** Throws BadSchema with a sentence; for a schema that was checked once, `isKnownGood` saves time. */
export function compileParamsSchema(schema: unknown, isKnownGood = false): CheckParams {
  if (typeof schema !== 'boolean' && (typeof schema !== 'object' || schema === null || Array.isArray(schema))) {
    throw new BadSchema('it must be a JSON Schema: an object, true or false');
  }
  const dialect = dialectOf(schema);
  if (!isKnownGood) checkAgainstDialect(dialect, schema);
  return explaining(compile(dialect, schema));
}

function dialectOf(schema: object | boolean): string {
  const named = typeof schema === 'object' ? (schema as { $schema?: unknown }).$schema : undefined;
  if (named === undefined) return NEWEST;
  const dialect = String(named).replace(/#$/, '');
  if (DIALECTS.has(dialect)) return dialect;
  throw new BadSchema(`its $schema is '${dialect}'; known are ${[...DIALECTS.keys()].join(', ')}`);
}

const metaSchemas = new Map<string, AnyAjv>();

function checkAgainstDialect(dialect: string, schema: object | boolean): void {
  // compiling an async schema would give a promise, which is true whatever was sent
  if (typeof schema === 'object' && '$async' in schema) throw new BadSchema('it may not have the member $async');
  const ajv = metaSchemas.get(dialect) ?? make(dialect);
  metaSchemas.set(dialect, ajv);
  if (ajv.validateSchema(schema) !== true) throw new BadSchema(sentenceOf('params_schema', ajv.errors?.[0]));
}

function make(dialect: string): AnyAjv {
  return DIALECTS.get(dialect)!(OPTIONS);
}

/** An instance for each: two versions of an app have schemas of one `$id`. */
function compile(dialect: string, schema: object | boolean): ValidateFunction {
  try {
    const ajv = DIALECTS.get(dialect)!({ ...OPTIONS, validateSchema: false });
    return ajv.compile(schema);
  } catch (error) {
    throw new BadSchema(compileSentence(error as Error), { cause: error });
  }
}

function compileSentence(error: Error): string {
  if (error.name === 'RE2JSSyntaxException') {
    return `one of its patterns cannot be matched in linear time or is wrong (no look-around, no back-references): ${error.message}`;
  }
  if ('missingRef' in error) return `it refers to '${error.missingRef}', which is not in it; nothing is fetched`;
  return error.message;
}

function explaining(validate: ValidateFunction): CheckParams {
  return (params) => {
    try {
      return validate(params) ? null : sentenceOf('params', validate.errors?.[0]);
    } catch (error) {
      if (error instanceof RangeError) return 'params is nested too deeply for its schema';
      throw error;
    }
  };
}

function sentenceOf(root: string, error: ErrorObject | undefined): string {
  if (error === undefined) return `${root} is not as its schema says`;
  const { keyword, params, message } = error;
  const where = root + memberPath(error.instancePath);
  if (keyword === 'additionalProperties') return `${where} may not have the member '${params.additionalProperty}'`;
  if (keyword === 'unevaluatedProperties') return `${where} may not have the member '${params.unevaluatedProperty}'`;
  if (keyword === 'required') return `${where} must have the member '${params.missingProperty}'`;
  if (keyword === 'enum') return `${where} must be one of ${JSON.stringify(params.allowedValues).slice(1, -1)}`;
  if (keyword === 'const') return `${where} must be ${JSON.stringify(params.allowedValue)}`;
  if (keyword === 'false schema') return `${where} is not allowed`;
  return `${where} ${message ?? 'is not as its schema says'}`;
}

/** `/a/0/b` → `.a[0].b` */
export function memberPath(pointer: string): string {
  const names = pointer.split('/').slice(1);
  return names
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((name) => (/^\d+$/.test(name) ? `[${name}]` : `.${name}`))
    .join('');
}
