/** `job_requirements` of EE2: what its callers write, as requirements of ours. Only write admins may ask for any. */
import { RepriseError } from '../../contract/errors.js';
import type { JobRequest } from '../../contract/schemas.js';
import type { Actor } from '../../engine/engine.js';
import type { P } from './params.js';

type Asked = NonNullable<JobRequest['requirements']>;

export function requirementsOf(value: unknown, source: string, actor: Actor): Asked | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'object' || Array.isArray(value)) fail('job_requirements must be a mapping');
  const asked = normalised(value as P, source);
  if (Object.keys(asked).length === 0) return undefined;
  if (!(actor.asAdmin && actor.admin === 'write')) {
    throw new RepriseError('FORBIDDEN', 'In order to specify job requirements you must be a full admin');
  }
  return asked;
}

function normalised(given: P, source: string): Asked {
  const group = clientGroup(given.client_group, source);
  const cpus = amount(given.request_cpus, /^\d+$/, 'cpu request', source, 'CPU count');
  const memory = amount(given.request_memory, /^(\d+)(MB?)?$/i, 'memory request', source, 'memory in MB');
  const disk = amount(given.request_disk, /^(\d+)(GB)?$/i, 'disk request', source, 'disk space in GB');
  return {
    ...(cpus !== undefined && { cpus }),
    ...(memory !== undefined && { memory_mb: memory }),
    ...(disk !== undefined && { disk_gb: disk }),
    ...(group !== undefined && { client_group: group }),
  };
}

const isBlank = (value: unknown) =>
  value === undefined || value === null || (typeof value === 'string' && value.trim() === '');

function clientGroup(value: unknown, source: string): string | undefined {
  if (isBlank(value)) return undefined;
  if (typeof value !== 'string' || value.includes('=')) return illegal('client group', value, source);
  return value.trim();
}

/** A whole number, or a text of one with its unit. */
function amount(value: unknown, form: RegExp, what: string, source: string, least: string): number | undefined {
  if (isBlank(value)) return undefined;
  const text = typeof value === 'number' || typeof value === 'string' ? String(value).trim() : '';
  if (!form.test(text.replace(/^-/, ''))) return illegal(what, value, source);
  const number = Number.parseInt(text, 10);
  if (number < 1) fail(`${least} must be at least 1`);
  return number;
}

function illegal(what: string, value: unknown, source: string): never {
  const shown = typeof value === 'string' ? value : JSON.stringify(value);
  return fail(`Found illegal ${what} '${shown}' in job requirements from ${source}`);
}

function fail(message: string): never {
  throw new RepriseError('INVALID_INPUT', message);
}
