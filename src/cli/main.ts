#!/usr/bin/env node
/** `reprise`: reads the command line, runs one command, and turns what went wrong into a sentence and an exit code. */
import { CommanderError } from 'commander';
import { RepriseError } from '../contract/errors.js';
import { EXIT, exitWith, reportError, UsageError } from './output.js';
import { createProgram, usageOf } from './program.js';

const words = process.argv.slice(2);
const json = words.includes('--json');

/** Who reads our output may stop, as `head` does: that is no error, and nobody is left to tell. */
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit();
  });
}

const program = createProgram();
try {
  await program.parseAsync(process.argv);
} catch (error) {
  fail(error);
}

function fail(error: unknown): void {
  if (error instanceof CommanderError) {
    const sentence = usageOf(error, program, words);
    if (sentence !== null) reportError(new UsageError(sentence), json);
    if (error.exitCode !== 0) exitWith(EXIT.usage);
    return;
  }
  reportError(error, json);
  if (error instanceof UsageError) exitWith(EXIT.usage);
  else exitWith(isRefusal(error) ? EXIT.refused : EXIT.error);
}

/** The server judged what was asked, item by item, and took none. */
function isRefusal(error: unknown): boolean {
  return error instanceof RepriseError && (error.details?.items !== undefined || error.details?.receipt !== undefined);
}
