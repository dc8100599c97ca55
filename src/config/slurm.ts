/** From the configuration to what the scheduler `slurm` is given. */
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Config, SLURM_ALLOWED_OPTIONS } from './schema.js';

/** Of sbatch, which the operator can not allow: we set them, or they would undo what we rely on. */
export const OWN_OPTIONS = [
  'account',
  'array',
  'batch',
  'chdir',
  'clusters',
  'comment',
  'cpus-per-task',
  'error',
  'export',
  'export-file',
  'get-user-env',
  'gid',
  'hold',
  'input',
  'job-name',
  'kill-on-invalid-dep',
  'mem',
  'no-requeue',
  'ntasks',
  'output',
  'parsable',
  'partition',
  'propagate',
  'quiet',
  'requeue',
  'test-only',
  'time',
  'uid',
  'wait',
  'wrap',
] as const;

const PACKAGE = fileURLToPath(new URL('../..', import.meta.url));

/** `url`: this server's own; asked when it is needed, since it is known only after listening. */
export function slurmOptionsOf({ slurm = {} }: Config, dataDir: string, url: () => string) {
  const reuseSeconds = slurm.reuse_seconds ?? 30;
  return {
    programs: { binDirectory: slurm.bin_directory ?? null, configFile: slurm.config_file ?? null },
    needs: {
      partition: slurm.partition ?? null,
      partitions: slurm.partitions ?? {},
      accounts: slurm.accounts ?? false,
      memory: slurm.memory ?? true,
      marginMinutes: slurm.margin_minutes ?? 15,
      reuseSeconds,
      allowedOptions: slurm.allowed_options ?? SLURM_ALLOWED_OPTIONS,
      output: slurm.output ?? '/dev/null',
    },
    task: () => ({
      nodeCommand: slurm.node_command ?? process.execPath,
      packageDirectory: slurm.package_directory ?? PACKAGE,
      directory: slurm.directory ?? join(resolve(dataDir), 'slurm'),
      url: slurm.url ?? url(),
      reuseSeconds,
    }),
    requeue: slurm.requeue ?? false,
  };
}
