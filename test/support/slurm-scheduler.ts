/** The scheduler `slurm` beside a server that records, on a cluster that is real or a fake. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createSlurmScheduler, type SlurmSchedulerOptions } from '../../src/schedulers/slurm.js';
import type { SchedulerHarness } from '../conformance/scheduler.js';
import { makeBareMirror } from './bare-mirror.js';
import { removeTree } from './remove-tree.js';
import { openReportServer } from './report-server.js';
import { openCluster } from './slurm-cluster.js';
import { FakeSlurm } from './slurm-fake.js';

const PACKAGE = resolve(import.meta.dirname, '../..');

type Parts = Pick<SlurmSchedulerOptions, 'programs'> & { close(): Promise<void> };

export const openOnFake = async () => {
  const fake = await FakeSlurm.open();
  const parts = { programs: { binDirectory: fake.binDirectory, configFile: null }, close: () => fake.close() };
  return { ...(await openSlurm(parts)), fake };
};

export const openOnCluster = async () => {
  const cluster = await openCluster();
  const programs = { binDirectory: null, configFile: cluster.env.SLURM_CONF };
  return { ...(await openSlurm({ programs, close: () => cluster.down() })), cluster };
};

async function openSlurm({ programs, close }: Parts): Promise<SchedulerHarness> {
  const directory = mkdtempSync(join(tmpdir(), 'reprise-node-'));
  const server = await openReportServer();
  const mirror = makeBareMirror({ 'hello.txt': 'hello from the commit\n' });
  const make = () =>
    createSlurmScheduler({
      programs,
      needs: {
        partition: null,
        partitions: {},
        accounts: false,
        memory: true,
        marginMinutes: 15,
        reuseSeconds: 30,
        allowedOptions: ['constraint'],
        output: join(directory, 'runner-%a.log'),
      },
      task: () => {
        return {
          nodeCommand: process.execPath,
          packageDirectory: PACKAGE,
          directory,
          url: server.url,
          reuseSeconds: 30,
        };
      },
      requeue: false,
      log: () => {},
    });
  const scheduler = make();
  await scheduler.start();
  const harness: SchedulerHarness = {
    scheduler,
    server,
    repository: mirror.path,
    commit: mirror.commit,
    isCluster: true,
    async reopen() {
      harness.scheduler = make();
      await harness.scheduler.start();
    },
    async close() {
      await harness.scheduler.stop();
      await close();
      await server.shut();
      mirror.remove();
      removeTree(directory);
    },
  };
  return harness;
}
