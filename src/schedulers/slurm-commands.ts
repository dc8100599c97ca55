/** Slurm's own programs, each with a time after which it is killed: then its outcome is unknown, the daemon may have heard. */
import { join } from 'node:path';
import { type ProgramOptions, type ProgramRan, runProgram } from '../program.js';

export type Ran = ProgramRan;

export type RunOptions = Pick<ProgramOptions, 'input' | 'timeoutMs' | 'stopAt'>;

export type RunSlurm = (program: string, args: readonly string[], options: RunOptions) => Promise<Ran>;

/** A dump of 100,000 jobs has 20 MB. */
const LONGEST_OUTPUT = 512 * 1024 * 1024;

export interface SlurmPrograms {
  /** Null: they are found by PATH. */
  readonly binDirectory: string | null;
  /** Null: as Slurm finds it. */
  readonly configFile: string | null;
}

export function slurmCommands({ binDirectory, configFile }: SlurmPrograms): RunSlurm {
  const env = environment(configFile);
  return (program, args, options) => {
    const path = binDirectory === null ? program : join(binDirectory, program);
    return runProgram(path, args, { ...options, env, maxBytes: LONGEST_OUTPUT });
  };
}

/** Nothing of the server's own, and none of the variables (SBATCH_…, SQUEUE_…) that change what the programs mean. */
function environment(configFile: string | null): NodeJS.ProcessEnv {
  const kept = ['PATH', 'HOME', 'USER', 'LOGNAME', 'TZ', 'SLURM_CONF'] as const;
  const found = kept.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  return {
    ...Object.fromEntries(found),
    LC_ALL: 'C',
    // else lists of array indices are cut at 64 characters
    SLURM_BITSTR_LEN: '0',
    ...(configFile !== null && { SLURM_CONF: configFile }),
  };
}

/** What a program says that heard nothing from the daemon to which it had spoken, or half an answer. */
export const CUT_OFF = 'timed out|zero bytes|(send|receive) failure|unexpected message|connection reset';
const NOT_TOLD = new RegExp(
  `${CUT_OFF}|slurm_load_\\w+ error|unable to contact|connection refused|problem talking`,
  'i',
);

/** Of a question: a pipe in the place of a program ends well whatever became of it, and half an answer looks like a whole one. */
export const hasFailed = ({ code, stderr }: Ran): boolean => code !== 0 || NOT_TOLD.test(stderr);

/** What a program said, in one line. */
export function complaint({ stderr, how }: Ran): string {
  if (how === 'missing') return 'it is not installed here, or not where slurm.bin_directory says';
  const lines = stderr.split('\n').map((line) => line.replace(/^\w+: (error|fatal): /, '').trim());
  const said = lines.filter((line) => line !== '').join('; ');
  if (how === 'late') return said === '' ? 'it gave no answer in time' : `it gave no answer in time: ${said}`;
  if (how === 'killed') return said === '' ? 'it was killed' : `it was killed: ${said}`;
  return said === '' ? 'it gave no reason' : said;
}
