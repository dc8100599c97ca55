/**
 * Parameters out of texts: `--param name=value` and the cells of a CSV file become the members of one JSON object.
 *
 * | the schema allows a member to be  | the text becomes                                           |
 * | --------------------------------- | ---------------------------------------------------------- |
 * | a string only                     | that string, as it stands: 007 stays 007                   |
 * | not a string                      | JSON; anything else is an error                            |
 * | both                              | JSON if it is of an allowed type that is no string, else a string |
 * | anything, or there is no schema   | JSON, else a string                                        |
 *
 * Built as text, so that numbers come out as they went in: 1.0, 9007199254740993.
 */

export type ParamsSchema = unknown;

type JsonType = 'null' | 'boolean' | 'number' | 'integer' | 'string' | 'array' | 'object';
type Schema = Readonly<Record<string, unknown>>;

/** Builds the text of one object. Throws an Error with a sentence if a text does not fit its member's type. */
export function buildParams(pairs: readonly (readonly [string, string])[], schema: ParamsSchema): string {
  const seen = new Set<string>();
  const members = pairs.map(([name, text]) => {
    if (seen.has(name)) throw new Error(`'${name}' is given twice`);
    seen.add(name);
    return `${JSON.stringify(name)}:${valueText(name, text, typesOf(schema, name))}`;
  });
  return `{${members.join(',')}}`;
}

/** `null`: any type. */
function valueText(name: string, text: string, types: ReadonlySet<JsonType> | null): string {
  const json = jsonText(text);
  if (types === null) return json?.text ?? JSON.stringify(text);
  if (json !== null && json.type !== 'string' && types.has(json.type)) return json.text;
  if (json?.type === 'integer' && types.has('number')) return json.text;
  // 1.0 is an integer to JSON Schema; the server has the last word on 1.5
  if (json?.type === 'number' && types.has('integer')) return json.text;
  if (types.has('string')) return JSON.stringify(text);
  // spreadsheets write TRUE and FALSE
  if (types.has('boolean') && /^(true|false)$/i.test(text.trim())) return text.trim().toLowerCase();
  throw new Error(`'${name}' must be ${[...types].map(described).join(' or ')}, not '${shortened(text)}'`);
}

const described = (type: JsonType): string =>
  type === 'null' ? 'null' : `${/^[aio]/.test(type) ? 'an' : 'a'} ${type}`;
const shortened = (text: string): string => (text.length > 40 ? `${text.slice(0, 39)}…` : text);

/** The text of a JSON value other than a quoted string where a plain one is allowed; null if it is no JSON. */
function jsonText(text: string): { text: string; type: JsonType } | null {
  const trimmed = text.trim();
  try {
    return { text: trimmed, type: typeOf(JSON.parse(trimmed) as unknown) };
  } catch {
    return null;
  }
}

function typeOf(value: unknown): JsonType {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value as JsonType;
}

/** The types that `schema` allows its member `name` to have; null = it does not say. */
function typesOf(schema: ParamsSchema, name: string): ReadonlySet<JsonType> | null {
  const found = memberSchemas(schema, schema, name, 0).map((member) => allowedTypes(member, schema, 0));
  const known = found.filter((types) => types !== null);
  if (known.length === 0) return null;
  const [first, ...others] = known as [ReadonlySet<JsonType>, ...ReadonlySet<JsonType>[]];
  return new Set([...first].filter((type) => others.every((types) => types.has(type) || fitsNumber(type, types))));
}

const fitsNumber = (type: JsonType, types: ReadonlySet<JsonType>): boolean => type === 'integer' && types.has('number');

/** A schema may reach a member through `$ref` and the parts of `allOf`; deeper than this it is going in circles. */
const MAX_DEPTH = 20;

function memberSchemas(schema: unknown, root: ParamsSchema, name: string, depth: number): unknown[] {
  if (!isSchema(schema) || depth > MAX_DEPTH) return [];
  const deeper = [...referred(schema, root), ...listOf(schema.allOf)];
  return [...own(schema, name), ...deeper.flatMap((part) => memberSchemas(part, root, name, depth + 1))];
}

function own(schema: Schema, name: string): unknown[] {
  const { properties, patternProperties, additionalProperties } = schema;
  if (isSchema(properties) && Object.hasOwn(properties, name)) return [properties[name]];
  const patterns = isSchema(patternProperties) ? Object.entries(patternProperties) : [];
  const matching = patterns.filter(([pattern]) => matches(pattern, name)).map(([, member]) => member);
  if (matching.length > 0) return matching;
  return isSchema(additionalProperties) ? [additionalProperties] : [];
}

function matches(pattern: string, name: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(name);
  } catch {
    return false;
  }
}

/** What one schema says about types; alternatives are joined, and a part that says nothing allows everything. */
function allowedTypes(schema: unknown, root: ParamsSchema, depth: number): ReadonlySet<JsonType> | null {
  if (!isSchema(schema) || depth > MAX_DEPTH) return null;
  const { type } = schema;
  if (type !== undefined) return new Set(listOf(type).length > 0 ? (listOf(type) as JsonType[]) : [type as JsonType]);
  if ('const' in schema) return new Set([typeOf(schema.const)]);
  if (Array.isArray(schema.enum)) return new Set(schema.enum.map(typeOf));
  const alternatives = [...listOf(schema.anyOf), ...listOf(schema.oneOf)];
  const parts = alternatives.length > 0 ? alternatives : [...referred(schema, root), ...listOf(schema.allOf)];
  const types = parts.map((part) => allowedTypes(part, root, depth + 1));
  if (alternatives.length > 0) return types.includes(null) ? null : new Set(types.flatMap((set) => [...(set ?? [])]));
  return types.find((set) => set !== null) ?? null;
}

/** Only references within the schema are followed. */
function referred(schema: Schema, root: ParamsSchema): unknown[] {
  const { $ref } = schema;
  if (typeof $ref !== 'string' || !$ref.startsWith('#')) return [];
  const steps = decodeURIComponent($ref.slice(1)).split('/').slice(1);
  return [steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~')).reduce<unknown>(memberOf, root)];
}

const memberOf = (value: unknown, name: string): unknown =>
  value !== null && typeof value === 'object' && Object.hasOwn(value, name) ? (value as Schema)[name] : undefined;
const isSchema = (value: unknown): value is Schema =>
  value !== null && typeof value === 'object' && !Array.isArray(value);
const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** The exact text of one JSON document, without a byte order mark and the space around it. */
export function exactJson(text: string): string {
  const trimmed = text.replace(/^\ufeff/, '').trim();
  JSON.parse(trimmed);
  return trimmed;
}
