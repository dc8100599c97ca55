import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import { createProgram, usageOf } from '../../src/cli/program.js';

/** Every command that does something, with its path. */
function leaves(command: Command, path: readonly string[] = []): { path: readonly string[]; command: Command }[] {
  if (command.commands.length === 0) return [{ path, command }];
  return command.commands.flatMap((sub) => leaves(sub, [...path, sub.name()]));
}

async function complaint(...words: string[]): Promise<string | null> {
  const program = createProgram();
  try {
    await program.parseAsync(words, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return usageOf(error, program, words);
    throw error;
  }
  throw new Error('it was accepted');
}

it('docs/cli.md lists every command', () => {
  const page = readFileSync(resolve(import.meta.dirname, '../../docs/cli.md'), 'utf8');
  const listed = [...page.matchAll(/^\| `reprise ([a-z ]+)` /gm)].map((match) => match[1]);
  const paths = leaves(createProgram()).map(({ path }) => path.join(' '));
  expect(listed.toSorted()).toEqual(paths.filter((path) => path !== 'help').toSorted());
});

describe('help', () => {
  const all = leaves(createProgram()).filter(({ path }) => path[0] !== 'help');

  it('knows all commands', () => {
    const names = all.map(({ path }) => path.join(' '));
    for (const name of ['serve', 'run', 'retry', 'app add', 'batch submit', 'token create', 'workspace share']) {
      expect(names).toContain(name);
    }
    expect(names.length).toBeGreaterThan(20);
  });

  it.each(all.map(({ path, command }) => [path.join(' '), command] as const))(
    'of %s fits 80 columns',
    (name, command) => {
      let text = '';
      command.configureOutput({
        writeOut: (chunk) => {
          text += chunk;
        },
      });
      command.outputHelp();
      expect(text).toMatch(new RegExp(`^Usage: reprise ${name}`));
      expect(text.split('\n').filter((line) => line.length > 80)).toEqual([]);
    },
  );

  it.each(all.filter(({ path }) => path[0] !== 'serve').map(({ path, command }) => [path.join(' '), command] as const))(
    '%s takes --json and --data-dir',
    (_, command) => {
      const options = command.options.map(({ long }) => long);
      expect(options).toEqual(expect.arrayContaining(['--json', '--data-dir']));
    },
  );
});

describe('a wrong usage is told in one sentence with a way on:', () => {
  it.each([
    [['rtry'], "unknown command 'rtry'; did you mean retry?"],
    [['run', 'a.b', '--tga', 'x'], "unknown option '--tga'; did you mean --tag?"],
    [['batch', 'shwo'], "unknown command 'shwo'; did you mean show?"],
    [['run'], "missing required argument 'module.method'; see: reprise run --help"],
    [['show', 'a', 'b'], "too many arguments for 'show'. Expected 1 argument but got 2; see: reprise show --help"],
    [
      ['batch', 'submit', 'jobs.jsonl'],
      "required option '--method <module.method>' not specified; see: reprise batch submit --help",
    ],
  ])('%j', async (words, sentence) => expect(await complaint(...words)).toBe(sentence));

  it.each([
    [['run', 'a.b', '--cpus', '0'], 'must be a whole number above 0'],
    [['run', 'a.b', '--memory', 'much'], 'must be a size in MB such as 512, or 512M, 2G'],
    [['run', 'a.b', '--tag', 'x', '--commit', 'y'], 'cannot be used with'],
    [['retry', '--batch', 'b', '--state', 'odd'], "'odd' is not one of created"],
    [['token', 'create', '--expires', 'soon'], 'must be a time such as 12h, 30d or 2w'],
    [['workspace', 'share', 'lab', '--user', 'a', '--role', 'read'], 'must be the number of a workspace'],
  ])('%j', async (words, part) => expect(await complaint(...words)).toContain(part));

  it('but asking for help or the version is none', async () => {
    const program = createProgram();
    program.configureOutput({ writeOut: () => {} });
    const error = await program.parseAsync(['--version'], { from: 'user' }).catch((thrown: unknown) => thrown);
    expect(usageOf(error as CommanderError, program, ['--version'])).toBeNull();
  });
});
