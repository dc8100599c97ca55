/** The one door for both transports: check the parameters by the table, carry out, count. */
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import type { TSchema } from 'typebox';
import { RepriseError } from '../contract/errors.js';
import type { Metrics } from '../metrics.js';

const ajv = new Ajv({ strict: false, allErrors: false, useDefaults: true, validateFormats: false });
const compiled = new WeakMap<TSchema, ValidateFunction>();

/** Fills in defaults; throws INVALID_PARAMS with a sentence that names the member. */
export function checkParams(schema: TSchema, params: unknown): void {
  let validate = compiled.get(schema);
  if (validate === undefined) {
    validate = ajv.compile(schema);
    compiled.set(schema, validate);
  }
  if (!validate(params)) throw new RepriseError('INVALID_PARAMS', sentenceOf(validate.errors![0]!));
}

function sentenceOf({ instancePath, keyword, params, message }: ErrorObject): string {
  const where = instancePath === '' ? 'the parameters' : `'${instancePath.slice(1).replaceAll('/', '.')}'`;
  if (keyword === 'additionalProperties') return `${where} may not have the member '${params.additionalProperty}'`;
  if (keyword === 'required') return `${where} must have the member '${params.missingProperty}'`;
  if (keyword === 'enum') return `${where} must be one of ${(params.allowedValues as unknown[]).join(', ')}`;
  return `${where} ${message ?? 'is not as it should be'}`;
}

/** Runs `work` and counts it by operation and outcome. */
export async function counted<T>(metrics: Metrics, operation: string, work: () => Promise<T>): Promise<T> {
  const begun = performance.now();
  let code = 'INTERNAL';
  try {
    const result = await work();
    code = 'ok';
    return result;
  } catch (error) {
    if (error instanceof RepriseError) code = error.code;
    throw error;
  } finally {
    metrics.count(operation, code, (performance.now() - begun) / 1000);
  }
}
