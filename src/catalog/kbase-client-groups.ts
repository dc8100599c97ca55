/**
 * What KBase's Catalog says of a method's resources (ee2-compatibility, requirements). An entry is a list of texts in one of
 * two forms: `["njs", "request_cpus=4"]`, or a JSON object that was split at its commas.
 */
import { RepriseError } from '../contract/errors.js';
import { parseKeepingText, RawJson } from '../contract/raw-json.js';
import { type Given, REQUIREMENT_KEYS, requirementValues } from '../contract/requirement-values.js';
import type { SchedulerOptions } from '../contract/settings.js';

export interface Declared {
  readonly clientGroup: string | null;
  readonly cpus: number | null;
  readonly memoryMb: number | null;
  readonly diskGb: number | null;
  readonly options: SchedulerOptions;
}

const NOTHING: Declared = { clientGroup: null, cpus: null, memoryMb: null, diskGb: null, options: {} };

/**
 * `configs`: the answer of `list_client_group_configs` for this one method. Throws INVALID_INPUT with EE2's sentences for
 * what can not be understood.
 */
export function readClientGroups(method: string, configs: unknown): Declared {
  const entries = Array.isArray(configs) ? configs : [];
  if (entries.length > 1) {
    throw wrong(
      `Unexpected result from the Catalog service: more than one client group configuration found for method ${method} ${JSON.stringify(configs)}`,
    );
  }
  const groups: unknown = (entries[0] as { client_groups?: unknown } | null | undefined)?.client_groups;
  if (!Array.isArray(groups) || groups.length === 0) return NOTHING;
  const texts = groups.map(String);
  return declared(
    texts[0]?.includes('{') ? fromJson(texts, method) : fromList(texts, method),
    `catalog method ${method}`,
  );
}

function wrong(sentence: string): RepriseError {
  return new RepriseError('INVALID_INPUT', sentence);
}

/** With the texts of its values: 1 and 1.0 differ. */
function fromJson(texts: readonly string[], method: string): Given {
  const parsed = parseOrNull(texts.join(', '));
  if (parsed === null || typeof parsed !== 'object' || Array.isArray(parsed)) {
    throw wrong(`Unable to parse JSON client group entry from catalog for method ${method}`);
  }
  return Object.fromEntries(Object.entries(parsed).map(([key, value]) => [key.trim(), value as RawJson]));
}

function parseOrNull(text: string): unknown {
  try {
    return parseKeepingText(text, [['*']]);
  } catch {
    return null;
  }
}

function fromList([group, ...rest]: readonly string[], method: string): Given {
  const pairs = rest.map((item): [string, string] => {
    const at = item.indexOf('=');
    if (at < 0) {
      throw wrong(`Malformed requirement. Format is <key>=<value>. Item is '${item}' for catalog method ${method}`);
    }
    return [item.slice(0, at).trim(), item.slice(at + 1).trim()];
  });
  return Object.fromEntries([['client_group', group], ...pairs]);
}

/** Honoured only from a caller. */
const DROPPED = ['bill_to_user', 'ignore_concurrency_limits'];

function declared(given: Given, source: string): Declared {
  const {
    cpus = null,
    memoryMb = null,
    diskGb = null,
    clientGroup = null,
    regex,
    debugMode,
  } = requirementValues(given, source);
  const own = new Set<string>([...REQUIREMENT_KEYS, ...DROPPED]);
  const others = Object.entries(given).flatMap(([key, value]) => (own.has(key) ? [] : [[key, textOf(value)] as const]));
  return {
    clientGroup,
    cpus,
    memoryMb,
    diskGb,
    options: {
      ...(regex !== undefined && { client_group_regex: regex }),
      ...(debugMode !== undefined && { debug_mode: debugMode }),
      ...(others.length > 0 && { scheduler_requirements: Object.fromEntries(others) }),
    },
  };
}

function textOf(value: Given[string]): string {
  const plain = value instanceof RawJson ? value.parse() : value;
  return typeof plain === 'string' ? plain : String(value instanceof RawJson ? value.text : plain);
}
