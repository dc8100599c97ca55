/** What an app finds around it: a clean environment, never the server's, plus what it declares. */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import type { JobSpec } from '../contract/worker.js';
import { MARK } from './tree.js';

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Of the host's own environment only what describes the machine, and which of its devices a cluster assigned to us. */
const PASSED_ON = [
  'TZ',
  'LANG',
  'CUDA_VISIBLE_DEVICES',
  'ROCR_VISIBLE_DEVICES',
  'GPU_DEVICE_ORDINAL',
  'ZE_AFFINITY_MASK',
] as const;

/** `{app}` stands for the checkout, in the command and in declared values. */
export const inCheckout = (text: string, checkout: string): string => text.replaceAll('{app}', checkout);

export function environmentOf(job: JobSpec, dispatchId: string, directory: string, checkout: string) {
  const env: Record<string, string> = { PATH: process.env.PATH ?? DEFAULT_PATH, LANG: 'C.UTF-8' };
  for (const name of PASSED_ON) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  env.HOME = directory;
  env.TMPDIR = directory;
  for (const [name, value] of Object.entries(job.env)) env[name] = inCheckout(value, checkout);
  env.REPRISE_JOB_ID = job.job_id;
  env.REPRISE_METHOD = job.method;
  env.REPRISE_COMMIT = job.commit;
  env.REPRISE_APP = checkout;
  env.REPRISE_CPUS = String(job.cpus);
  env.REPRISE_MEMORY_MB = String(job.memory_mb);
  env[MARK] = dispatchId;
  return env;
}

/** Null if the command can be run, else why not: said here, because a shell in between would say it less clearly. */
export function findProgram(program: string, cwd: string, path: string): string | null {
  if (program === '') return "the app's command is empty";
  if (program.includes('/')) {
    const file = resolve(cwd, program);
    return isExecutable(file) ? null : `the command ${file} is missing or not executable`;
  }
  if (path.split(delimiter).some((folder) => isExecutable(join(folder, program)))) return null;
  return `the command ${program} was not found on this machine (PATH is ${path})`;
}

/** Without an exception for each folder that lacks it: that would cost more than all the rest. */
function isExecutable(file: string): boolean {
  try {
    if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) return false;
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    // a folder that may not be entered, too
    return false;
  }
}
