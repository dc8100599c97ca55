/**
 * Where words go: ids and results to standard output, one a line, so that they pipe; everything else to standard error.
 * Progress is for terminals only.
 */
import { RepriseError } from '../contract/errors.js';
import { stringifyKeepingText } from '../contract/raw-json.js';
import type { Status } from '../contract/status.js';
import { safeLine } from './text.js';

/** 0 done, 1 error, 2 wrong usage, 3 something was refused or a waited-for job failed, 130 interrupted. */
export const EXIT = { error: 1, usage: 2, refused: 3, interrupted: 130 } as const;

/** A mistake in the command line or in a file it names; nothing was sent. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const print = (text: string): void => void process.stdout.write(`${text}\n`);
export const printJson = (value: unknown): void => print(stringifyKeepingText(value));

export function say(text: string): void {
  clearProgress();
  process.stderr.write(`${text}\n`);
}

/** Later, weaker outcomes do not hide an earlier one. */
export function exitWith(code: number): void {
  if (process.exitCode === undefined || process.exitCode === 0) process.exitCode = code;
}

/** Columns to write in: those of the terminal, of COLUMNS, or 80. */
export function columns(): number {
  const asked = Number(process.env.COLUMNS);
  return process.stdout.columns ?? (Number.isInteger(asked) && asked >= 40 ? asked : 80);
}

let drawn = false;

/** One line on a terminal, written over again; nothing elsewhere. */
export function showProgress(text: string): void {
  if (process.stderr.isTTY !== true) return;
  process.stderr.write(`\r\x1b[K${text.slice(0, (process.stderr.columns ?? 80) - 1)}`);
  drawn = true;
}

export function clearProgress(): void {
  if (drawn) process.stderr.write('\r\x1b[K');
  drawn = false;
}

const COLOURS = { red: 31, green: 32, yellow: 33, cyan: 36, bold: 1, dim: 2 } as const;
type Colour = keyof typeof COLOURS;

/** Colour is for terminals, and not where NO_COLOR says so (https://no-color.org). */
export function hasColour(stream: { isTTY?: boolean }): boolean {
  return stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
}

export function paint(colour: Colour, text: string, stream: { isTTY?: boolean } = process.stdout): string {
  return text !== '' && hasColour(stream) ? `\x1b[${COLOURS[colour]}m${text}\x1b[0m` : text;
}

const STATE_COLOURS: Readonly<Record<string, Colour>> = {
  completed: 'green',
  error: 'red',
  terminated: 'yellow',
  running: 'cyan',
};

/** Paints the word of a state where it stands alone in `text`. */
export function paintStates(text: string): string {
  if (!hasColour(process.stdout)) return text;
  return text.replace(/(?<=^| {2})(completed|error|terminated|running)(?= {2}|$)/gm, (word) =>
    paint(STATE_COLOURS[word as Status] ?? 'dim', word),
  );
}

/** The one form of an error: `error: sentence (CODE)`. With `json` also the body that REST would answer. */
export function reportError(error: unknown, json: boolean): void {
  const code = error instanceof RepriseError ? error.code : undefined;
  const message = error instanceof Error ? error.message : String(error);
  say(
    `${paint('red', 'error:', process.stderr)} ${message.split('\n').map(safeLine).join('\n')}${code === undefined ? '' : ` (${code})`}`,
  );
  if (json) {
    const details = error instanceof RepriseError ? error.details : undefined;
    printJson({ error: { code: code ?? (error instanceof UsageError ? 'USAGE' : 'INTERNAL'), message, details } });
  }
}

export function reportRefusal(subject: string, sentence: string, code: string): void {
  say(`${paint('yellow', 'refused', process.stderr)} ${subject}: ${safeLine(sentence)} (${code})`);
  exitWith(EXIT.refused);
}
