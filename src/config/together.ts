/** What no member can be wrong about alone. */
import type { Config } from './schema.js';
import { OWN_OPTIONS } from './slurm.js';

type Fail = (sentence: string) => Error;

/** The first contradiction is thrown. */
export function checkTogether(config: Config, fail: Fail): void {
  checkGroups(config, fail);
  checkKbase(config, fail);
  checkSlurm(config, fail);
  const schedulers = schedulersOf(config);
  if (
    config.catalog === 'kbase' &&
    schedulers.some((one) => one !== 'external') &&
    config.runner?.command === undefined
  ) {
    throw fail(
      "apps of KBase's Catalog are run by KBase's own job runner: set runner.command, or scheduler to external for runners that are started elsewhere",
    );
  }
}

/** The scheduler of jobs of a client group. */
export function schedulerNameFor(config: Config, clientGroup: string | null): string {
  const own = clientGroup === null ? undefined : config.client_groups?.[clientGroup]?.scheduler;
  return own ?? config.scheduler ?? 'local';
}

/** Every scheduler that a job may be given to. */
export function schedulersOf(config: Config): string[] {
  const ofGroups = Object.values(config.client_groups ?? {}).map((group) => group.scheduler);
  return [...new Set([config.scheduler ?? 'local', ...ofGroups.filter((name) => name !== undefined)])];
}

function checkGroups(config: Config, fail: Fail): void {
  const names = Object.keys(config.client_groups ?? {});
  for (const member of ['default_client_group', 'override_client_group'] as const) {
    const name = config[member];
    if (name === undefined || names.includes(name)) continue;
    const known = names.length === 0 ? 'there are none; add it' : `there are: ${names.join(', ')}`;
    throw fail(`${member} is '${name}', which is not one of client_groups (${known})`);
  }
}

function checkSlurm({ slurm = {}, client_groups: groups = {} }: Config, fail: Fail): void {
  const own = slurm.allowed_options?.find((name) => (OWN_OPTIONS as readonly string[]).includes(name));
  if (own !== undefined) throw fail(`slurm.allowed_options has '${own}', which is set by Reprise for every job`);
  const names = Object.keys(groups);
  const stranger = Object.keys(slurm.partitions ?? {}).find((name) => names.length > 0 && !names.includes(name));
  if (stranger === undefined) return;
  throw fail(`slurm.partitions has '${stranger}', which is not one of client_groups (there are: ${names.join(', ')})`);
}

const NEEDS = {
  auth: ['auth_url', 'login_url'],
  workspaces: ['workspace_url'],
  catalog: ['catalog_url'],
} as const;

function checkKbase(config: Config, fail: Fail): void {
  if (config.workspaces === 'kbase' && config.auth !== 'kbase') {
    throw fail("workspaces is 'kbase', which judges by KBase's tokens: set auth to 'kbase' too");
  }
  const kbase = config.kbase ?? {};
  for (const seam of ['auth', 'workspaces', 'catalog'] as const) {
    if (config[seam] !== 'kbase' || kbase.url !== undefined) continue;
    const missing = NEEDS[seam].find((name) => kbase[name] === undefined && !(name === 'login_url' && kbase.auth_url));
    if (missing !== undefined) throw fail(`${seam} is 'kbase': set kbase.url, or kbase.${missing}`);
  }
}
