/**
 * What KBase's Catalog says of a method's resources (ee2-compatibility, requirements). An entry is a list of texts in one of
 * two forms: `["njs", "request_cpus=4"]`, or a JSON object that was split at its commas.
 */
import type { SchedulerOptions } from '../contract/settings.js';

export interface Declared {
  readonly clientGroup: string | null;
  readonly cpus: number | null;
  readonly memoryMb: number | null;
  readonly diskGb: number | null;
  readonly options: SchedulerOptions;
}

/** The catalog's entry can not be understood; the sentence is EE2's. */
export class BadClientGroups extends Error {
  override readonly name = 'BadClientGroups';
}

type Members = ReadonlyMap<string, unknown>;

const NOTHING: Declared = { clientGroup: null, cpus: null, memoryMb: null, diskGb: null, options: {} };

/** `configs`: the answer of `list_client_group_configs` for this one method. */
export function readClientGroups(method: string, configs: unknown): Declared {
  const entries = Array.isArray(configs) ? configs : [];
  if (entries.length > 1) {
    throw new BadClientGroups(
      `Unexpected result from the Catalog service: more than one client group configuration found for method ${method} ${JSON.stringify(configs)}`,
    );
  }
  const groups: unknown = (entries[0] as { client_groups?: unknown } | null | undefined)?.client_groups;
  if (!Array.isArray(groups) || groups.length === 0) return NOTHING;
  const texts = groups.map(String);
  const members = texts[0]?.includes('{') ? fromJson(texts, method) : fromList(texts, method);
  return declared(members, `catalog method ${method}`);
}

function fromJson(texts: readonly string[], method: string): Members {
  const parsed = parseOrNull(texts.join(', '));
  if (parsed === null || typeof parsed !== 'object' || Array.isArray(parsed)) {
    throw new BadClientGroups(`Unable to parse JSON client group entry from catalog for method ${method}`);
  }
  return new Map(Object.entries(parsed).map(([key, value]) => [key.trim(), value]));
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function fromList([group, ...rest]: readonly string[], method: string): Members {
  const pairs = rest.map((item): [string, unknown] => {
    const at = item.indexOf('=');
    if (at < 0) {
      const sentence = `Malformed requirement. Format is <key>=<value>. Item is '${item}' for catalog method ${method}`;
      throw new BadClientGroups(sentence);
    }
    return [item.slice(0, at).trim(), item.slice(at + 1).trim()];
  });
  return new Map([['client_group', group], ...pairs]);
}

const RESOURCES = ['client_group', 'request_cpus', 'request_memory', 'request_disk'];
const SWITCHES = ['client_group_regex', 'debug_mode'];
/** Honoured only from a caller. */
const DROPPED = ['bill_to_user', 'ignore_concurrency_limits'];

function declared(members: Members, source: string): Declared {
  const regex = flag(members.get('client_group_regex'), 'client group regex', source);
  const debug = flag(members.get('debug_mode'), 'debug mode', source);
  const own = new Set([...RESOURCES, ...SWITCHES, ...DROPPED]);
  const others = [...members].filter(([key]) => !own.has(key)).map(([key, value]) => [key, String(value)] as const);
  return {
    clientGroup: group(members.get('client_group'), source),
    cpus: amount(members.get('request_cpus'), /^\d+$/, 'cpu request', source),
    memoryMb: amount(members.get('request_memory'), /^\d+(MB?)?$/, 'memory request', source),
    diskGb: amount(members.get('request_disk'), /^\d+(GB)?$/, 'disk request', source),
    options: {
      ...(regex !== null && { client_group_regex: regex }),
      ...(debug !== null && { debug_mode: debug }),
      ...(others.length > 0 && { scheduler_requirements: Object.fromEntries(others) }),
    },
  };
}

const isBlank = (value: unknown) => value === undefined || value === null || String(value).trim() === '';

function group(value: unknown, source: string): string | null {
  if (isBlank(value)) return null;
  if (typeof value !== 'string' || value.includes('=')) return illegal('client group', value, source);
  return value.trim();
}

function amount(value: unknown, form: RegExp, what: string, source: string): number | null {
  if (isBlank(value)) return null;
  const text = String(value).trim();
  const number = Number.parseInt(text, 10);
  return form.test(text) && number >= 1 ? number : illegal(what, value, source);
}

function flag(value: unknown, what: string, source: string): boolean | null {
  if (isBlank(value)) return null;
  const text = String(value).trim().toLowerCase();
  if (text === 'true' || text === 'false') return text === 'true';
  return typeof value === 'number' && Number.isInteger(value) ? value !== 0 : illegal(what, value, source);
}

function illegal(what: string, value: unknown, source: string): never {
  const shown = typeof value === 'string' ? value : JSON.stringify(value);
  throw new BadClientGroups(`Found illegal ${what} '${shown}' in job requirements from ${source}`);
}
