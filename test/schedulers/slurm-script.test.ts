/** The batch script is read by a real shell: nothing that stands in it may become more than a text. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { batchScript } from '../../src/schedulers/slurm-script.js';
import { removeTree } from '../support/remove-tree.js';

const root = mkdtempSync(join(tmpdir(), 'reprise-script-'));
afterAll(() => removeTree(root));

/** In the place of Node: says what it was called with, then what it was given. */
const ECHO = '#!/bin/sh\nprintf "%s\\n" "$#" "$1"\ncat\n';

function run(shell: string, script: string, index: number) {
  const env = { PATH: process.env.PATH, SLURM_ARRAY_TASK_ID: String(index) };
  const ran = spawnSync(shell, ['-s'], { input: script, env, encoding: 'utf8', cwd: root });
  const [count, program, ...rest] = ran.stdout.split('\n');
  return { status: ran.status, stderr: ran.stderr, count, program, order: rest.join('\n') };
}

const tasks = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    index,
    dispatchId: index.toString(16).padStart(24, '0'),
    token: `rpd_${index}_Aa-_`,
  }));

const HOSTILE = [
  "it's $(touch broken) `touch broken` \\$HOME",
  '"; touch broken; "',
  '$d $t $(t) \\\\ \\u0041',
  "' && touch broken #",
  'LINE',
  'ä \u2028 😀 \t',
];

it.each(HOSTILE)('gives our runner its order on stdin, and %j stays a text', (text) => {
  const directory = join(root, 'node', text.replaceAll('/', '_'));
  mkdirSync(directory, { recursive: true });
  const nodeCommand = join(directory, 'node');
  writeFileSync(nodeCommand, ECHO);
  chmodSync(nodeCommand, 0o755);
  const program = {
    nodeCommand,
    packageDirectory: `/opt/${text}`,
    directory: `/work/${text}`,
    url: `http://a/${text}`,
    reuseSeconds: 30,
  };
  for (const shell of ['sh', 'bash']) {
    const ran = run(shell, batchScript(program, tasks(3)), 1);
    expect(ran).toMatchObject({ status: 0, stderr: '', count: '1', program: `/opt/${text}/dist/runner/task.cjs` });
    expect(JSON.parse(ran.order)).toEqual({
      dispatchId: '000000000000000000000001',
      token: 'rpd_1_Aa-_',
      url: program.url,
      directory: program.directory,
      name: null,
      reuseSeconds: 30,
    });
  }
  expect(existsSync(join(root, 'broken'))).toBe(false);
});

it('any url and directory arrive as they are', () => {
  const nodeCommand = join(root, 'echo');
  writeFileSync(nodeCommand, ECHO);
  chmodSync(nodeCommand, 0o755);
  const word = fc.string({ unit: 'binary', minLength: 1, maxLength: 30 });
  const isLone = (text: string) => !text.isWellFormed();
  fc.assert(
    fc.property(word, word, (url, directory) => {
      fc.pre(!isLone(url) && !isLone(directory));
      const ran = run(
        'sh',
        batchScript({ nodeCommand, packageDirectory: '/p', url, directory, reuseSeconds: 0 }, tasks(1)),
        0,
      );
      expect(JSON.parse(ran.order)).toMatchObject({ url, directory });
    }),
    { numRuns: 60 },
  );
});

it('each index of a full array is its own dispatch, and an index that is not there starts nothing', () => {
  const nodeCommand = join(root, 'echo');
  const program = { nodeCommand, packageDirectory: '/p', url: 'u', directory: '/d', reuseSeconds: 30 };
  const script = batchScript(program, tasks(1000));
  expect(script.length).toBeLessThan(200_000);
  for (const index of [0, 9, 10, 99, 999]) {
    expect(JSON.parse(run('sh', script, index).order).dispatchId).toBe(index.toString(16).padStart(24, '0'));
  }
  expect(run('sh', script, 1000)).toMatchObject({ status: 64, order: '' });
});

it('is not made of an id or a token that a shell could read as more than a word', () => {
  const program = { nodeCommand: 'n', packageDirectory: 'p', directory: 'd', url: 'u', reuseSeconds: 30 };
  for (const word of ['a b', 'a;b', '$a', "a'", '', 'a\nb']) {
    expect(() => batchScript(program, [{ index: 0, dispatchId: word, token: 't' }])).toThrow('plain word');
    expect(() => batchScript(program, [{ index: 0, dispatchId: 'd', token: word }])).toThrow('plain word');
  }
});
