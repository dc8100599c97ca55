/**
 * Requirements as EE2's callers, its catalog and its configuration write them, as values of ours. The sentences are
 * EE2's; `source` says whose values they are: `input job`, `concierge parameters`, and the like.
 */
import { RepriseError } from './errors.js';
import { RawJson } from './raw-json.js';
import { isStorable } from './storable.js';

/** Texts as they are, other JSON with its text kept: 1 and 1.0 differ here. */
export type Given = Readonly<Record<string, RawJson | string | undefined>>;

/** A member that is absent was not given, or was null or blank. */
export interface RequirementValues {
  readonly cpus?: number;
  readonly memoryMb?: number;
  readonly diskGb?: number;
  readonly clientGroup?: string;
  readonly regex?: boolean;
  readonly debugMode?: boolean;
}

export const REQUIREMENT_KEYS = [
  'request_cpus',
  'request_memory',
  'request_disk',
  'client_group',
  'client_group_regex',
  'debug_mode',
] as const;

/** Whether the amounts are at least 1 is judged later, when all sources are known. */
export function requirementValues(given: Given, source: string): RequirementValues {
  const clientGroup = groupName(given.client_group, source);
  const cpus = amount(given.request_cpus, /^([+-]?\d+)$/, 'cpu request', source);
  const memoryMb = amount(given.request_memory, /^([+-]?\d+)\s*(?:MB?)?$/i, 'memory request', source);
  const diskGb = amount(given.request_disk, /^([+-]?\d+)\s*(?:GB)?$/i, 'disk request', source);
  const regex = flag(given.client_group_regex, 'client group regex', source);
  const debugMode = flag(given.debug_mode, 'debug mode', source);
  return {
    ...(cpus !== undefined && { cpus }),
    ...(memoryMb !== undefined && { memoryMb }),
    ...(diskGb !== undefined && { diskGb }),
    ...(clientGroup !== undefined && { clientGroup }),
    ...(regex !== undefined && { regex }),
    ...(debugMode !== undefined && { debugMode }),
  };
}

/** A text without blanks around it, other JSON as its text; undefined for null, blank and absent. */
function decoded(given: RawJson | string | undefined): { isText: boolean; text: string } | undefined {
  if (given === undefined) return undefined;
  const value = given instanceof RawJson ? given.parse() : given;
  if (value === null) return undefined;
  if (typeof value !== 'string') return { isText: false, text: (given as RawJson).text };
  return value.trim() === '' ? undefined : { isText: true, text: value.trim() };
}

function groupName(given: Given[string], source: string): string | undefined {
  const value = decoded(given);
  if (value === undefined) return undefined;
  if (value.isText && !value.text.includes('=') && isStorable(value.text)) return value.text;
  return illegal('client group', value.text, source);
}

/** A whole number or a text of one, with its unit. A float is refused, also 1.0. */
function amount(given: Given[string], form: RegExp, what: string, source: string): number | undefined {
  const value = decoded(given);
  if (value === undefined) return undefined;
  const digits = (value.isText ? form : /^(-?\d+)$/).exec(value.text)?.[1];
  return digits === undefined ? illegal(what, value.text, source) : Number(digits);
}

function flag(given: Given[string], what: string, source: string): boolean | undefined {
  const value = decoded(given);
  if (value === undefined) return undefined;
  if (/^true$/i.test(value.text)) return true;
  if (/^false$/i.test(value.text)) return false;
  if (!value.isText && /^-?\d+$/.test(value.text)) return Number(value.text) !== 0;
  return illegal(what, value.text, source);
}

function illegal(what: string, value: string, source: string): never {
  throw new RepriseError('INVALID_INPUT', `Found illegal ${what} '${value}' in job requirements from ${source}`);
}
