/** The commands, by what they are about. Each family has a file of its own. */
import { Command, CommanderError } from 'commander';
import { addApp } from './app.js';
import { addBatch } from './batch.js';
import { addCancel } from './cancel.js';
import { addDoctor } from './doctor.js';
import { addEvents } from './events.js';
import { addLineage } from './lineage.js';
import { addList } from './list.js';
import { addLogs } from './logs.js';
import { addReceipts } from './receipts.js';
import { addRetry } from './retry.js';
import { addRun } from './run.js';
import { addServe } from './serve.js';
import { addShow } from './show.js';
import { addToken } from './token.js';
import { addTransfer } from './transfer.js';
import { addUi } from './ui.js';
import { addVersion } from './version.js';
import { addWorkspace } from './workspace.js';

const AFTER = `
Ids are printed on standard output, one a line, so that they pipe into other
commands; everything else goes to standard error. --json prints the answer of
the REST API. Exit codes: 0 done, 1 error, 2 wrong usage, 3 something was
refused or a job that was waited for failed, 130 interrupted.

A server on this machine is found by itself (--data-dir, REPRISE_DATA_DIR).
Elsewhere set REPRISE_URL and REPRISE_TOKEN.`;

export function createProgram(): Command {
  const program = new Command('reprise')
    .description('Run jobs in batches; retry what failed, and keep the books.')
    .configureHelp({ helpWidth: 80, minWidthToWrap: 20 })
    .configureOutput({ outputError: () => {} })
    .helpOption('-h, --help', 'how to use it')
    .addHelpCommand(new Command('help').argument('[command]').description('how to use a command').helpGroup('Server:'))
    .exitOverride()
    .addHelpText('after', AFTER);
  program.commandsGroup('Server:');
  for (const add of [addServe, addUi, addDoctor, addTransfer, addVersion]) add(program);
  program.commandsGroup('Apps:');
  addApp(program);
  program.commandsGroup('Jobs:');
  for (const add of [addRun, addBatch, addRetry, addCancel]) add(program);
  program.commandsGroup('Books:');
  for (const add of [addShow, addLineage, addLogs, addList, addReceipts, addEvents]) add(program);
  program.commandsGroup('People:');
  for (const add of [addToken, addWorkspace]) add(program);
  return program;
}

/** Help and version are no errors; of a wrong usage: one sentence, with what may have been meant. */
export function usageOf(error: CommanderError, program: Command, words: readonly string[]): string | null {
  if (error.exitCode === 0 || error.code === 'commander.help') return null;
  const [sentence, hint] = error.message
    .replace(/^error: /, '')
    .split('\n')
    .filter((line) => line !== '');
  const meant = /Did you mean (?:one of )?(.*)\?\)/.exec(hint ?? '')?.[1];
  const way = meant === undefined ? `see: ${pathOf(program, words)} --help` : `did you mean ${meant}?`;
  return `${(sentence ?? '').replace(/\.$/, '')}; ${way}`;
}

export { CommanderError };

function pathOf(program: Command, words: readonly string[]): string {
  let at = program;
  const path = [program.name()];
  for (const word of words) {
    const next = at.commands.find((command) => command.name() === word);
    if (next === undefined) break;
    path.push(word);
    at = next;
  }
  return path.join(' ');
}
