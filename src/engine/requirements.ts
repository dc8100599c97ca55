/**
 * What a job gets and what its scheduler is told, from all who have a say:
 *
 * | what               | the first who says something of                                        |
 * | ------------------ | ---------------------------------------------------------------------- |
 * | client group       | caller, override, catalog, default                                     |
 * | cpus, memory, disk | caller, catalog, the configuration of that group, else the smallest     |
 * | regex, debug       | caller, catalog, the configuration of that group; else unset           |
 * | scheduler's keys   | caller and catalog together, the caller's over the catalog's           |
 * | billing, limits    | caller                                                                 |
 */
import type { MethodSpec } from '../catalog/catalog.js';
import { RepriseError } from '../contract/errors.js';
import type { ClientGroup, SchedulerOptions, ServiceSettings } from '../contract/settings.js';
import type { RunRequest } from './engine.js';

export interface Needs {
  readonly cpus: number;
  readonly memory_mb: number;
  readonly disk_gb: number | null;
  readonly client_group: string | null;
  readonly options: SchedulerOptions;
}

/** What a job gets of which nobody says anything. */
const DEFAULTS = { cpus: 1, memoryMb: 1024 };

/** Throws INVALID_INPUT with EE2's sentences. */
export function resolveNeeds(settings: ServiceSettings, spec: MethodSpec, request: RunRequest): Needs {
  const asked = request.requirements ?? {};
  const name = clientGroupOf(settings, spec, asked.client_group ?? null);
  const group = settings.clientGroups.find((one) => one.name === name);
  const needs = {
    cpus: asked.cpus ?? spec.cpus ?? group?.cpus ?? DEFAULTS.cpus,
    memory_mb: asked.memory_mb ?? spec.memoryMb ?? group?.memoryMb ?? DEFAULTS.memoryMb,
    disk_gb: asked.disk_gb ?? spec.diskGb ?? group?.diskGb ?? null,
    client_group: name,
  };
  checkAmounts(needs.cpus, needs.memory_mb, needs.disk_gb);
  return { ...needs, options: optionsOf(request.options ?? {}, spec.options ?? {}, group) };
}

function clientGroupOf(
  settings: ServiceSettings,
  { method, clientGroup: inCatalog }: MethodSpec,
  asked: string | null,
) {
  const { overrideClientGroup: override, defaultClientGroup: usual } = settings;
  const name = asked ?? override ?? inCatalog ?? usual;
  if (name === null || isConfigured(settings, name)) return name;
  if (asked === null && override === null && inCatalog !== null) {
    const sentence = `Catalog specified illegal client group '${name}' for method ${method}`;
    throw new RepriseError('INVALID_INPUT', sentence);
  }
  throw noSuchGroup(name);
}

/** Without any configured group there is nothing to judge a name by: the scheduler does. */
export function isConfigured(settings: ServiceSettings, name: string): boolean {
  return settings.clientGroups.length === 0 || settings.clientGroups.some((group) => group.name === name);
}

export function noSuchGroup(name: string): RepriseError {
  return new RepriseError('INVALID_INPUT', `No such clientgroup: ${name}`);
}

const LARGEST = 2_147_483_647;

function checkAmounts(cpus: number, memoryMb: number, diskGb: number | null): void {
  const amounts = [
    ['CPU count', cpus],
    ['memory in MB', memoryMb],
    ['disk space in GB', diskGb ?? 1],
  ] as const;
  for (const [what, value] of amounts) {
    if (value < 1) throw new RepriseError('INVALID_INPUT', `${what} must be at least 1`);
    if (value > LARGEST) throw new RepriseError('INVALID_INPUT', `${what} must be at most ${LARGEST}`);
  }
}

function optionsOf(
  asked: SchedulerOptions,
  catalog: SchedulerOptions,
  group: ClientGroup | undefined,
): SchedulerOptions {
  const regex = asked.client_group_regex ?? catalog.client_group_regex ?? group?.regex ?? undefined;
  const debug = asked.debug_mode ?? catalog.debug_mode ?? group?.debugMode ?? undefined;
  const keys = { ...catalog.scheduler_requirements, ...asked.scheduler_requirements };
  return {
    ...(regex !== undefined && { client_group_regex: regex }),
    ...(asked.bill_to_user !== undefined && { bill_to_user: asked.bill_to_user }),
    ...(asked.ignore_concurrency_limits === true && { ignore_concurrency_limits: true }),
    ...(Object.keys(keys).length > 0 && { scheduler_requirements: keys }),
    ...(debug !== undefined && { debug_mode: debug }),
  };
}
