/** The disk for log lines that wait is full: a small tmpfs, in a mount namespace of the server's own. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { RawJson } from '../../src/contract/raw-json.js';
import { makeAppRepository } from '../support/app-repository.js';
import { serve } from '../support/serve-process.js';
import { ended } from '../support/server.js';
import { until } from '../support/until.js';

const LINES = 40_000;
const TEXT = 'x'.repeat(100);
/** Prints eight times what the tmpfs takes. */
const LOUD = `
directory=$(tr -d '"' < input.json)
: > "$directory/loud"
while [ ! -e "$directory/go" ]; do sleep 0.1; done
i=0; while [ $i -lt ${LINES} ]; do echo "$i ${TEXT}"; i=$((i+1)); done
echo '"done"' > output.json`;
const PATIENT = `
directory=$(tr -d '"' < input.json)
: > "$directory/patient"
while [ ! -e "$directory/end" ]; do sleep 0.1; done
echo '"done"' > output.json`;

/** Its mounts are its own, and end with the last process in it; anyone may have one with a user namespace. */
function withSmallDisk(directory: string): string[] {
  const mount = `mount -t tmpfs -o size=500k none '${directory}' && exec "$@"`;
  return ['unshare', process.getuid?.() === 0 ? '--mount' : '--map-root-user', '--mount', 'sh', '-c', mount, 'sh'];
}

it('an app whose lines do not fit waits with them: no line is lost, and its neighbours go on', {
  timeout: 300_000,
}, async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'reprise-full-'));
  // the runner host ends when its directory is gone
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
  const spool = join(dataDir, 'local', 'spool');
  mkdirSync(spool, { recursive: true });
  const requirements = { cpus: 1, memory_mb: 50 };
  const repository = makeAppRepository({
    loud: { command: ['sh', '-c', LOUD], requirements },
    patient: { command: ['sh', '-c', PATIENT], requirements },
  });
  repository.commit('one');
  const before = await serve(dataDir, 2, {}, {}, withSmallDisk(spool));
  await before.client.call('addApp', { repository: repository.path, tag: 'release' });
  const params = new RawJson(JSON.stringify(dataDir));
  const { items } = await before.client.call('submitJobs', {
    jobs: [
      { method: 'demo.loud', params },
      { method: 'demo.patient', params },
    ],
  });
  const [loud, patient] = items.map((item) => item.job_id as string) as [string, string];
  // by the record they run before their host has heard that they may: a host without its server would wait with them
  await until('both to begin', async () => ['loud', 'patient'].every((name) => existsSync(join(dataDir, name))));
  await before.kill();
  // nobody takes its lines now
  writeFileSync(join(dataDir, 'go'), '');
  const log = join(dataDir, 'local', 'host.log');
  await until('the disk to be full', async () => /disk is full/.test(readFileSync(log, 'utf8')), 60);

  const after = await serve(dataDir, 2);
  writeFileSync(join(dataDir, 'end'), '');
  expect(await ended(after.client, patient, 120)).toMatchObject({ status: 'completed' });
  expect(await ended(after.client, loud, 120)).toMatchObject({ status: 'completed' });
  const { lines, total } = await after.client.call('getLogs', { job_id: loud, skip: LINES - 1000, limit: 1000 });
  expect(total).toBe(LINES);
  expect(lines.map((line) => line.line)).toEqual(Array.from({ length: 1000 }, (_, n) => `${LINES - 1000 + n} ${TEXT}`));
  await after.kill();
});
