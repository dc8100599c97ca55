/** The local scheduler on a directory of its own, beside a server that records; its host ends with the directory. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalScheduler } from '../../src/schedulers/local.js';
import type { SchedulerHarness } from '../conformance/scheduler.js';
import { makeBareMirror } from './bare-mirror.js';
import { removeTree } from './remove-tree.js';
import { openReportServer } from './report-server.js';
import { until } from './until.js';

export interface LocalHarness extends SchedulerHarness {
  readonly stateDir: string;
  /** Pids of the hosts so far, the newest last. */
  readonly hosts: number[];
  /** What the newest host says of its limits. */
  readonly limits: string;
}

export async function openLocal(options: { cpus?: number; stateDir?: string } = {}): Promise<LocalHarness> {
  const root = mkdtempSync(join(tmpdir(), 'reprise-local-'));
  const stateDir = options.stateDir ?? join(root, 'local');
  const server = await openReportServer();
  const mirror = makeBareMirror({
    'hello.txt': 'hello from the commit\n',
    'bin/run': '#!/bin/sh\necho 1 > output.json\n',
  });
  const hosts: number[] = [];
  let limits = '';
  const make = () =>
    createLocalScheduler({
      stateDir,
      url: () => server.url,
      cpus: options.cpus ?? 4,
      memoryMb: 4000,
      hostName: 'here',
      log: (_, detail) => {
        const seen = detail as { pid?: number; limits?: string } | undefined;
        if (seen?.pid !== undefined) hosts.push(seen.pid);
        if (seen?.limits !== undefined) limits = seen.limits;
      },
    });
  const scheduler = make();
  await scheduler.start();
  const harness: LocalHarness = {
    scheduler,
    server,
    repository: mirror.path,
    commit: mirror.commit,
    stateDir,
    hosts,
    get limits() {
      return limits;
    },
    async reopen() {
      harness.scheduler = make();
      await harness.scheduler.start();
    },
    async close() {
      await harness.scheduler.stop();
      await server.shut();
      removeTree(root);
      mirror.remove();
      await until('the host to end', async () => !isAlive(hosts.at(-1) as number));
    },
  };
  return harness;
}

export function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}
