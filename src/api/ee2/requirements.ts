/** `job_requirements` and the concierge's parameters: what EE2's callers write, as the engine takes it. */
import { RepriseError } from '../../contract/errors.js';
import { parseKeepingText, RawJson } from '../../contract/raw-json.js';
import { type RequirementValues, requirementValues } from '../../contract/requirement-values.js';
import { checkStorable } from '../../contract/storable.js';
import type { Actor, RunRequest } from '../../engine/engine.js';
import { truthy } from './params.js';

export type Asked = Pick<RunRequest, 'requirements' | 'options'>;
type Members = Readonly<Record<string, RawJson | undefined>>;

/** Only write admins who say so may ask for any. */
export function askedOfCaller(value: unknown, actor: Actor): Asked {
  const given = membersOf(value);
  if (given === null) return {};
  const values = requirementValues(given, 'input job');
  if (needsAdmin(values, given) && !(actor.asAdmin && actor.admin === 'write')) {
    throw new RepriseError('FORBIDDEN', 'In order to specify job requirements you must be a full admin');
  }
  return asked(values, {
    billTo: textOf(given.bill_to_user, 'bill_to_user must be a string'),
    ignoreLimits: isTruthy(given.ignore_concurrency_limits),
    matching: matchingOf(given.scheduler_requirements),
  });
}

/** Takes the place of `job_requirements` and needs no role: the caller was recognised by name. */
export function askedOfConcierge(value: unknown): Asked {
  const given = membersOf(value) ?? {};
  const values = requirementValues(given, 'concierge parameters');
  return asked(
    { ...values, clientGroup: values.clientGroup ?? 'concierge' },
    {
      billTo: textOf(given.account_group, 'account_group must be a string'),
      ignoreLimits: given.ignore_concurrency_limits === undefined || isTruthy(given.ignore_concurrency_limits),
      matching: matchingOfList(given.requirements_list),
    },
  );
}

/** Each member with its text; null for null and absent. */
function membersOf(value: unknown): Members | null {
  if (value === undefined || value === null) return null;
  const parsed = value instanceof RawJson ? parseKeepingText(value.text, [['*']]) : value;
  if (parsed === null) return null;
  if (typeof parsed === 'object' && !Array.isArray(parsed) && !(parsed instanceof RawJson)) return parsed as Members;
  throw new RepriseError('INVALID_INPUT', 'job_requirements must be a mapping');
}

function needsAdmin(values: RequirementValues, given: Members): boolean {
  const { debugMode, ...others } = values;
  return (
    Object.keys(others).length > 0 ||
    debugMode === true ||
    isTruthy(given.bill_to_user) ||
    isTruthy(given.ignore_concurrency_limits) ||
    isTruthy(given.scheduler_requirements)
  );
}

const isTruthy = (value: RawJson | undefined) => value !== undefined && truthy(value.parse());

interface Beyond {
  readonly billTo: string | undefined;
  readonly ignoreLimits: boolean;
  readonly matching: Readonly<Record<string, string>>;
}

function asked(values: RequirementValues, { billTo, ignoreLimits, matching }: Beyond): Asked {
  const { cpus, memoryMb, diskGb, clientGroup, regex, debugMode } = values;
  return {
    requirements: {
      ...(cpus !== undefined && { cpus }),
      ...(memoryMb !== undefined && { memory_mb: memoryMb }),
      ...(diskGb !== undefined && { disk_gb: diskGb }),
      ...(clientGroup !== undefined && { client_group: clientGroup }),
    },
    options: {
      ...(regex !== undefined && { client_group_regex: regex }),
      ...(billTo !== undefined && { bill_to_user: billTo }),
      ...(ignoreLimits && { ignore_concurrency_limits: true }),
      ...(Object.keys(matching).length > 0 && { scheduler_requirements: matching }),
      ...(debugMode !== undefined && { debug_mode: debugMode }),
    },
  };
}

function textOf(given: RawJson | undefined, otherwise: string): string | undefined {
  const value = given?.parse() ?? null;
  if (value === null || value === '') return undefined;
  if (typeof value !== 'string') throw new RepriseError('INVALID_INPUT', otherwise);
  checkStorable(value);
  return value.trim() || undefined;
}

function matchingOf(given: RawJson | undefined): Record<string, string> {
  const value = given?.parse() ?? {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new RepriseError('INVALID_INPUT', 'scheduler_requirements must be a mapping');
  }
  checkStorable(value);
  return Object.fromEntries(Object.entries(value).map(([key, text]) => [key, matched(key, text)]));
}

function matched(key: string, value: unknown): string {
  const missing = (what: string) =>
    new RepriseError('INVALID_INPUT', `Missing input parameter: ${what} in scheduler requirements structure`);
  if (key.trim() === '') throw missing('key');
  if (typeof value !== 'string' || value.trim() === '') throw missing(`value for key '${key}'`);
  return value;
}

function matchingOfList(given: RawJson | undefined): Record<string, string> {
  const value = given?.parse() ?? [];
  if (!Array.isArray(value)) throw new RepriseError('INVALID_INPUT', 'requirements_list must be a list');
  checkStorable(value);
  return Object.fromEntries(value.map(pairOf));
}

function pairOf(item: unknown): readonly [string, string] {
  const [, key = '', text = ''] = (typeof item === 'string' && /^([^=]*)=(.*)$/s.exec(item)) || [];
  if (key.trim() !== '' && text.trim() !== '') return [key.trim(), text.trim()];
  const shown = typeof item === 'string' ? item : JSON.stringify(item);
  throw new RepriseError('INVALID_INPUT', `Found illegal requirement in requirements_list: ${shown}`);
}

/** What is asked of a job, or what is wrong with the asking, to be told at its turn. */
export function orFault(ask: () => Asked): Asked & Pick<RunRequest, 'faults'> {
  try {
    return ask();
  } catch (error) {
    if (!(error instanceof RepriseError)) throw error;
    return { faults: { requirements: { code: error.code, message: error.message } } };
  }
}
