/** The entry that docs/slurm.md gives, on a cluster: only its addresses and paths are others here. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { freePort } from '../../scripts/free-ports.mjs';
import { createClient } from '../../src/client/client.js';
import { RawJson } from '../../src/contract/raw-json.js';
import { addLabApp } from '../support/lab-app.js';
import { removeTree } from '../support/remove-tree.js';
import { serveCommand } from '../support/serve-command.js';
import { openCluster } from '../support/slurm-cluster.js';
import { until } from '../support/until.js';

const root = resolve(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/slurm.md'), 'utf8');

function entryFor(replaced: Readonly<Record<string, string>>): object {
  let [, text = ''] = /```json\n([\s\S]*?)```/.exec(page) ?? [];
  for (const [theirs, ours] of Object.entries(replaced)) {
    expect(text).toContain(theirs);
    text = text.replaceAll(theirs, ours);
  }
  return JSON.parse(text) as object;
}

test('the entry of docs/slurm.md keeps small jobs on this machine and sends big ones to the cluster', async () => {
  const cluster = await openCluster();
  const directory = mkdtempSync(join(tmpdir(), 'reprise-node-'));
  const port = String(await freePort());
  const config = entryFor({
    '10.0.0.5': '127.0.0.1',
    '7878': port,
    '/opt/reprise': root,
    '/usr/bin/node': process.execPath,
    '/var/tmp/reprise': directory,
  });
  const server = await serveCommand({ config, args: ['--port', port], env: cluster.env });
  const token = readFileSync(join(server.dataDir, 'admin-token'), 'utf8').trim();
  const client = createClient({ url: server.url, token });
  const app = await addLabApp(client);
  try {
    const { items } = await client.call('submitJobs', {
      jobs: ['small', 'big'].map((name) => {
        return {
          method: 'lab.stats',
          params: new RawJson(JSON.stringify({ name })),
          requirements: { client_group: name },
        };
      }),
    });
    const ran = await Promise.all(
      items.map(({ job_id }) =>
        until('the job to end', async () => {
          const job = await client.call('getJob', { job_id: String(job_id) });
          return (
            job.finished_at !== null && { status: job.status, on: job.dispatches.map(({ scheduler }) => scheduler) }
          );
        }),
      ),
    );
    expect(ran).toEqual([
      { status: 'completed', on: ['local'] },
      { status: 'completed', on: ['slurm'] },
    ]);
  } finally {
    await cluster.down();
    await server.stop();
    app.remove();
    removeTree(directory);
  }
});
