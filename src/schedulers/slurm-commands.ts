/**
 * Slurm's own programs, run without a shell, each with a time after which it is killed. What is killed has an unknown
 * outcome: the daemon may have heard.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';

export interface Ran {
  /** Null: it was killed, or could not be run. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly how: 'ended' | 'late' | 'stopped' | 'missing';
}

export interface RunOptions {
  readonly input?: string;
  readonly timeoutMs: number;
  /** It is killed when it complains so: it would only wait and try again. */
  readonly stopAt?: RegExp;
}

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
  return (program, args, { input = '', timeoutMs, stopAt }) =>
    new Promise((done) => {
      let stopped = false;
      const path = binDirectory === null ? program : join(binDirectory, program);
      const options = { env, timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: LONGEST_OUTPUT } as const;
      const child = execFile(path, [...args], options, (error, stdout, stderr) => {
        const how = howItEnded(error, stopped);
        done({ code: how === 'ended' ? (child.exitCode ?? 0) : null, stdout, stderr, how });
      });
      child.stderr?.on('data', (chunk: string) => {
        if (stopped || stopAt?.test(chunk) !== true) return;
        stopped = true;
        child.kill('SIGKILL');
      });
      // it may have ended without reading
      child.stdin?.on('error', () => {});
      child.stdin?.end(input);
    });
}

function howItEnded(error: Error | null, stopped: boolean): Ran['how'] {
  if (stopped) return 'stopped';
  if (error === null) return 'ended';
  const { code, killed } = error as { code?: unknown; killed?: boolean };
  if (typeof code === 'number') return 'ended';
  return killed !== true && typeof code === 'string' ? 'missing' : 'late';
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

/** What a program said, in one line. */
export function complaint({ stderr, how }: Ran): string {
  if (how === 'missing') return 'it is not installed here, or not where slurm.bin_directory says';
  const lines = stderr.split('\n').map((line) => line.replace(/^\w+: (error|fatal): /, '').trim());
  const said = lines.filter((line) => line !== '').join('; ');
  if (how === 'late') return said === '' ? 'it gave no answer in time' : `it gave no answer in time: ${said}`;
  return said === '' ? 'it gave no reason' : said;
}
