/** From what a job needs to the options of sbatch: one word each, never through a shell. */
import type { SchedulerOptions } from '../contract/settings.js';
import type { Submission } from './scheduler.js';

export interface SlurmNeeds {
  /** Of client groups that name none; null: the cluster's default. */
  readonly partition: string | null;
  /** By client group. */
  readonly partitions: Readonly<Record<string, string>>;
  /** Whether `bill_to_user` is an account of Slurm. */
  readonly accounts: boolean;
  /** Whether nodes have a known memory, of which jobs get their part. */
  readonly memory: boolean;
  /** Beyond a job's own time limit: in it a runner outlasts an outage of the server. */
  readonly marginMinutes: number;
  /** So late a job may begin in the time of another's. */
  readonly reuseSeconds: number;
  readonly allowedOptions: readonly string[];
  /** Where the runner's own complaints go, on the node. */
  readonly output: string;
}

/** What our runner itself needs beside the app: Slurm counts all processes of a job. It was seen to use 50. */
export const RUNNER_MB = 96;

/** Without blanks, quotes and what begins another option. */
const VALUE = /^[A-Za-z0-9_.,:=&|()[\]*+@/%][A-Za-z0-9_.,:=&|()[\]*+@/%-]{0,199}$/;

/** Why Slurm would not be given these, as a sentence; null if it would. */
export function refusedOption(needs: SlurmNeeds, options: SchedulerOptions): string | null {
  const { scheduler_requirements: asked = {}, bill_to_user: account } = options;
  for (const [name, value] of Object.entries(asked)) {
    if (!needs.allowedOptions.includes(name)) {
      const known = needs.allowedOptions.length === 0 ? 'none is' : `allowed are ${needs.allowedOptions.join(', ')}`;
      return `the slurm scheduler takes no requirement '${name}'; ${known} (slurm.allowed_options)`;
    }
    if (value !== '' && !VALUE.test(value))
      return `the value of the requirement '${name}' is not one that Slurm is given`;
  }
  if (needs.accounts && account !== undefined && !VALUE.test(account)) {
    return `'${account}' is not the name of an account of Slurm`;
  }
  return null;
}

/** What an array shares. Extra options come first: our own beat them. */
export function sbatchOptions(needs: SlurmNeeds, submission: Submission): string[] {
  return [
    ...askedOptions(needs, submission),
    '--ntasks=1',
    '--no-requeue',
    // all of the little that sbatch itself is given (slurm-commands.ts). Any other word, before 23.02 also NIL, has the
    // environment of each task made by a login shell on its node: 125 ms of cpu
    '--export=ALL',
    '--chdir=/',
    `--output=${needs.output}`,
  ];
}

/** Those that differ from job to job: what Slurm refuses is one of them. */
export function askedOptions(needs: SlurmNeeds, submission: Submission): string[] {
  const { cpus, memoryMb, timeoutMs, clientGroup, options = {} } = submission;
  const partition = (clientGroup === null ? undefined : needs.partitions[clientGroup]) ?? needs.partition;
  const extra = Object.entries(options.scheduler_requirements ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    ...extra.map(([name, value]) => (value === '' ? `--${name}` : `--${name}=${value}`)),
    ...(partition === null ? [] : [`--partition=${partition}`]),
    ...(needs.accounts && options.bill_to_user !== undefined ? [`--account=${options.bill_to_user}`] : []),
    ...(needs.memory ? [`--mem=${memoryMb + RUNNER_MB}M`] : []),
    `--cpus-per-task=${cpus}`,
    `--time=${Math.ceil((timeoutMs / 1000 + needs.reuseSeconds) / 60) + needs.marginMinutes}`,
  ];
}
