/** Checkouts of tasks on one directory: of those who want a commit at once one downloads it, whoever dies. */
import { mkdirSync, mkdtempSync, readdirSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDownloads } from '../../src/runner/downloads.js';
import { type BareMirror, makeBareMirror } from '../support/bare-mirror.js';
import { removeTree } from '../support/remove-tree.js';
import { openReportServer, type ReportServer } from '../support/report-server.js';
import { recordDispatch, startTask, type TaskProcess } from '../support/task-process.js';
import { until } from '../support/until.js';

const root = mkdtempSync(join(tmpdir(), 'reprise-downloads-'));
const withoutGit = join(root, 'bin');
let app: BareMirror;
let server: ReportServer;
let directory: string;
let release = () => {};
let tasks: TaskProcess[] = [];
beforeAll(async () => {
  app = makeBareMirror({ 'hello.txt': 'hello\n', 'big.txt': 'x'.repeat(3_000_000) });
  server = await openReportServer();
  mkdirSync(withoutGit);
  for (const program of ['sh', 'cat']) symlinkSync(join('/bin', program), join(withoutGit, program));
});
afterAll(async () => {
  await server.shut();
  app.remove();
  removeTree(root);
});
beforeEach(() => {
  directory = mkdtempSync(join(root, 'shared-'));
  server.downloads = 0;
});
afterEach(async () => {
  release();
  server.held = Promise.resolve();
  for (const { child } of tasks) child.kill('SIGKILL');
  await Promise.all(tasks.map(({ ended }) => ended));
  tasks = [];
});

function start(): { task: TaskProcess; id: string } {
  const id = recordDispatch(server, app, 'cat "$REPRISE_APP/hello.txt"; echo 1 > output.json');
  const order = { url: server.url, dispatchId: id, token: server.tokenOf(id), directory, name: null };
  const task = startTask(order, { PATH: withoutGit });
  tasks.push(task);
  return { task, id };
}
function hold(): void {
  server.held = new Promise((done) => {
    release = done;
  });
}
const cache = () => join(directory, 'checkouts');
const inCache = (what: RegExp) => {
  try {
    return readdirSync(cache()).filter((name) => what.test(name));
  } catch {
    return [];
  }
};
const downloads = () => createDownloads({ directory: cache(), url: server.url, token: '', log: () => {} });

describe('the checkouts of a cluster', () => {
  it('are downloaded once by thirty tasks that want one at once, on machines without git', async () => {
    const all = Array.from({ length: 30 }, start);
    expect(await Promise.all(all.map(({ task }) => task.ended))).toEqual(all.map(() => 0));
    for (const { id } of all) {
      expect(server.recorded.get(id)).toMatchObject({ status: 'completed', lines: [{ line: 'hello' }] });
    }
    expect(server.downloads).toBe(1);
    expect(readdirSync(cache())).toEqual([app.commit]);
  });

  it('do not wait for one who was killed while downloading', async () => {
    hold();
    const first = start();
    await until('the download to begin', async () => inCache(/^draft-/).length === 1);
    const second = start();
    await until('the second to start', async () => server.recorded.get(second.id)?.starts === 1);
    first.task.child.kill('SIGKILL');
    await first.task.ended;
    server.held = Promise.resolve();
    const begun = performance.now();
    expect(await second.task.ended).toBe(0);
    // at once, not when its lock has been still for long
    expect(performance.now() - begun).toBeLessThan(5_000);
    expect(server.recorded.get(second.id)?.status).toBe('completed');
  });

  it('pass by a holder on another machine whose lock stands still', async () => {
    mkdirSync(cache(), { recursive: true });
    writeFileSync(join(cache(), `${app.commit}.lock`), `1.1.1@not-${hostname()}`);
    const { task } = start();
    expect(await task.ended).toBe(0);
    expect(inCache(/lock/)).toEqual([]);
  });

  it('are swept without taking anything from those who are at work', async () => {
    hold();
    const { task } = start();
    await until('the download to begin', async () => inCache(/^draft-/).length === 1);
    const dead = join(cache(), 'draft-dead');
    const unused = join(cache(), 'a'.repeat(40));
    for (const place of [dead, unused]) {
      mkdirSync(place, { mode: 0o555 });
      utimesSync(place, new Date(0), new Date(0));
    }
    const live = inCache(/^draft-(?!dead)|lock$/);
    expect(live).toHaveLength(2);
    await downloads().sweep(1000_000);
    expect(readdirSync(cache()).sort()).toEqual(live.sort());
    release();
    expect(await task.ended).toBe(0);
    await downloads().sweep(1000_000);
    expect(statSync(join(cache(), app.commit)).isDirectory()).toBe(true);
  });

  it('that the server refuses fail the job with its sentence', async () => {
    const { task, id } = start();
    const row = server.recorded.get(id);
    if (row !== undefined) Object.assign(row.job, { commit: 'f'.repeat(40) });
    expect(await task.ended).toBe(0);
    expect(row?.finish).toMatchObject({
      failure_class: 'platform',
      error_message: expect.stringMatching(/HTTP 404: no/),
    });
    expect(readdirSync(cache())).toEqual([]);
  });
});
