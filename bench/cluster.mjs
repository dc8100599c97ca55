/** A Slurm of the benchmark's own on loopback, and arrays without us on it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { up } from '../scripts/slurm-cluster.mjs';
import { lookUntilNone } from './batch.mjs';
import { remove, temporary } from './place.mjs';

const SHAPE = { nodes: 8, cpus: 4 };
/** As ours are given to it. */
const OPTIONS = [
  '--parsable',
  '--ntasks=1',
  '--cpus-per-task=1',
  '--mem=100M',
  '--no-requeue',
  '--export=ALL',
  '--chdir=/',
];

export async function openCluster(bench) {
  const directory = temporary();
  const cluster = await up(directory, SHAPE);
  const run = (program, args, input = null) => output(program, args, input, { ...process.env, ...cluster.env });
  const countJobs = async () => {
    // of tasks that have not begun there is one line an array, else
    const lines = await run('squeue', ['--noheader', '--array', '--format=%i']);
    return lines.split('\n').filter((line) => line !== '').length;
  };
  let isUp = true;
  return bench.keep({
    /** What a server of ours needs to use it. */
    settings: { REPRISE_SLURM_CONFIG_FILE: cluster.env.SLURM_CONF },
    run,
    countJobs,
    submit: (script, indices, ...more) => run('sbatch', [...OPTIONS, `--array=${indices}`, ...more], script),
    /** From sbatch to the end of the last task. */
    async runArray(script, count) {
      await this.submit(script, `0-${count - 1}`, '--output=/dev/null');
      await lookUntilNone(countJobs, count);
    },
    /** What Slurm still knows of ended tasks. */
    async countCompleted() {
      const ended = await run('squeue', ['--noheader', '--array', '--states=COMPLETED', '--format=%i']);
      return ended.split('\n').filter((line) => line !== '').length;
    },
    idle: () => lookUntilNone(countJobs, 1),
    async close() {
      if (!isUp) return;
      isUp = false;
      await cluster.down();
      remove(directory);
    },
  });
}

async function output(program, args, input, env) {
  const child = spawn(program, args, { env, stdio: [input === null ? 'ignore' : 'pipe', 'pipe', 'inherit'] });
  child.stdin?.end(input);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${program} ended with ${code}`);
  return text;
}
