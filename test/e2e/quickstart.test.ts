/** docs/quickstart.md is carried out as it stands, so that a newcomer's first five minutes are what the page says. */
import { readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createCli } from '../cli/reprise.js';

const page = readFileSync(resolve(import.meta.dirname, '../../docs/quickstart.md'), 'utf8');
const cli = createCli();
/** What the page puts on the reader's machine. */
const READY = '/tmp/phix.ready';

/** The shell blocks of a section. */
function blocks(section: string): string[] {
  const text = page.split(/^## /m).find((part) => part.startsWith(section)) ?? '';
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map((match) => match[1] as string);
}

const git = 'export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b';
const ready = () => join(cli.dataDir, 'phix.ready');
/** In a directory of the test, with the built program in the place of the installed one. */
const shell = (line: string) =>
  cli.shell(`npx() { shift; reprise "$@"; }; ${git}; cd "$HOME"; ${line.replaceAll(READY, ready())}`);

let lastId = '';
/** One line of the page: `<job id>` and `<batch id>` stand for what the lines before have printed. */
async function carryOut(line: string): Promise<void> {
  const { status, stdout, stderr } = await shell(line.replace(/<(job|batch) id>/, lastId));
  expect(status, `${line}\n${stderr}`).toBe(line.includes('exit code 3') ? 3 : 0);
  if (/ (run|batch submit) /.test(line)) lastId = stdout.trim();
}

beforeAll(async () => {
  await cli.serve();
});
afterAll(async () => {
  await cli.close();
  rmSync(ready(), { force: true });
});

it('the app of the quickstart is made and added', async () => {
  const [make, add] = blocks('2.') as [string, string];
  const made = await shell(make);
  expect(made.status, made.stderr).toBe(0);
  const added = await shell(add);
  expect(added.stderr).toMatch(/^phix: tag release points at/);
});

it('its job fails, is retried, and succeeds', async () => {
  for (const line of blocks('3.').join('').trim().split('\n')) await carryOut(line);
  const { stdout } = await cli.run(['lineage', lastId]);
  expect(stdout).toMatch(/1 retry; the newest job is completed/);
  expect(stdout).toContain('why: the reference is there now');
});

it('its batch runs', async () => {
  for (const line of blocks('4.').join('').trim().split('\n')) await carryOut(line);
  expect((await cli.run(['batch', 'show', lastId])).stdout).toContain('3: 3 completed');
});
