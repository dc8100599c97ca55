/** A real Slurm of a test's own, gone with it. */
import { execFile } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Cluster, type ClusterOptions, up } from '../../scripts/slurm-cluster.mjs';
import { removeTree } from './remove-tree.js';

export interface TestCluster extends Cluster {
  /** One of Slurm's programs; answers what it printed. */
  run(program: string, ...args: string[]): Promise<string>;
}

export async function openCluster(options: ClusterOptions = {}): Promise<TestCluster> {
  // short: the path of munge's socket has a limit
  const directory = mkdtempSync(join(tmpdir(), 'slurm-'));
  const cluster = await up(directory, options).catch((error: unknown) => {
    removeTree(directory);
    throw error;
  });
  const env = { ...process.env, ...cluster.env };
  return {
    ...cluster,
    async run(program, ...args) {
      return (await promisify(execFile)(program, args, { env, timeout: 30_000 })).stdout;
    },
    async down() {
      await cluster.down();
      removeTree(directory);
    },
  };
}
