/** The configuration of a server: a file, over it the environment. What is wrong is told with its place and the way out. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Ajv, type ErrorObject } from 'ajv';
import { RepriseError } from '../contract/errors.js';
import { type Config, ConfigSchema, MEMBERS, type Member } from './schema.js';
import { checkTogether } from './together.js';

export const CONFIG_FILE = 'reprise.config.json';
const SEE = 'see docs/configuration.md';

export interface Sources {
  readonly dataDir: string;
  /** Named by the operator: must exist. Null: `reprise.config.json` of the data directory, if it is there. */
  readonly file: string | null;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const ajv = new Ajv({ strict: false, allErrors: false, validateFormats: false });
const isConfig = ajv.compile(ConfigSchema);

/** Throws INVALID_INPUT. Files that are named in it come back as absolute paths. */
export function readConfig({ dataDir, file, env }: Sources): Config {
  const path = file ?? join(dataDir, CONFIG_FILE);
  const written = file === null && !existsSync(path) ? {} : readFile(path);
  const config = withEnvironment(absoluteFiles(written, dirname(resolve(path))), env);
  checkTogether(config, (sentence) => wrong(`the configuration: ${sentence}`));
  return config;
}

function readFile(path: string): Config {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw wrong(`${path} can not be read: ${(error as Error).message}; name another with --config`);
  }
  const value = parse(path, text.replace(/^\uFEFF/, ''));
  if (isConfig(value)) return value as Config;
  throw wrong(`${path}: ${sentenceOf(isConfig.errors?.[0])}; ${SEE}`);
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw wrong(`${path} is not JSON: ${(error as Error).message}`);
  }
}

function wrong(sentence: string): RepriseError {
  return new RepriseError('INVALID_INPUT', sentence);
}

function sentenceOf(error: ErrorObject | undefined): string {
  if (error === undefined) return 'it is not as it should be';
  const { instancePath, keyword, params, message, propertyName } = error;
  const at = instancePath.slice(1).replaceAll('/', '.');
  const where = at === '' ? 'it' : `'${at}'`;
  if (keyword === 'additionalProperties') {
    const name = String(params.additionalProperty);
    return `there is no member '${at === '' ? name : `${at}.${name}`}'${meant(at, name)}`;
  }
  if (keyword === 'required') return `${where} must have the member '${params.missingProperty}'`;
  if (keyword === 'enum') {
    const known = (params.allowedValues as string[]).join(', ');
    if (propertyName !== undefined) return `${where} has no member '${propertyName}'; it has ${known}`;
    return `${where} must be one of ${known}`;
  }
  if (keyword === 'pattern') return `${where} does not have the form that is wanted`;
  return `${where} ${message ?? 'is not as it should be'}`;
}

/** The member with the most letters in common at the beginning or the end, if there is one that is near. */
function meant(at: string, name: string): string {
  const prefix = at === '' ? '' : `${at}.`;
  const names = MEMBERS.filter((one) => one.path.startsWith(prefix)).map(
    (one) => one.path.slice(prefix.length).split('.')[0],
  );
  const plain = (word: string | undefined) => (word ?? '').toLowerCase().replace(/[^a-z]/g, '');
  const near =
    names.find((one) => plain(one) === plain(name)) ??
    names.find((one) => plain(one).startsWith(plain(name).slice(0, 4)));
  return near === undefined ? '' : ` (is '${prefix}${near}' meant?)`;
}

const FILES = [['token_key_file'], ['kbase', 'admin_token_file']] as const;

/** Relative to the file that names them. */
function absoluteFiles(config: Config, base: string): Config {
  const copy = structuredClone(config) as Record<string, unknown>;
  for (const [first, second] of FILES) {
    const holder = (second === undefined ? copy : copy[first]) as Record<string, unknown> | undefined;
    const name = second ?? first;
    const value = holder?.[name];
    if (holder !== undefined && typeof value === 'string') holder[name] = resolve(base, value);
  }
  return copy as Config;
}

/** Each variable is checked by itself, so that a mistake is told by the variable's name. */
function withEnvironment(config: Config, env: Sources['env']): Config {
  const copy = structuredClone(config) as Record<string, unknown>;
  for (const member of MEMBERS) {
    const text = env[member.env];
    if (text === undefined || text === '') continue;
    const [first = '', second] = member.path.split('.');
    const value = variableOf(member, text);
    if (second === undefined) copy[first] = value;
    else copy[first] = { ...(copy[first] as object | undefined), [second]: value };
  }
  return copy as Config;
}

function variableOf({ env, schema }: Member, text: string): unknown {
  const value = isText(schema) ? text : parseVariable(env, text);
  const validate = ajv.compile(schema);
  if (validate(value)) return value;
  throw wrong(`the variable ${env}: ${sentenceOf(validate.errors?.[0])}; ${SEE}`);
}

const isText = (schema: object) => 'type' in schema && schema.type === 'string';

function parseVariable(env: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw wrong(`the variable ${env} must be JSON, such as 8, true or ["a", "b"]; it is ${JSON.stringify(text)}`);
  }
}
