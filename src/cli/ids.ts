/** Ids on the command line; `-` stands for those on standard input, so that commands pipe into each other. */
import { readText } from './jobs-file.js';
import { UsageError } from './output.js';

export async function idsFrom(args: readonly string[]): Promise<string[]> {
  if (!args.includes('-')) return [...args];
  if (process.stdin.isTTY === true) throw new UsageError("'-' reads ids from standard input, which is a terminal here");
  const piped = (await readText('-')).split(/\s+/).filter((id) => id !== '');
  return args.flatMap((arg) => (arg === '-' ? piped : [arg]));
}

/** The most ids of one call. */
const MOST_IDS = 10_000;

export function idParts(ids: readonly string[]): string[][] {
  const made: string[][] = [];
  for (let at = 0; at < ids.length; at += MOST_IDS) made.push(ids.slice(at, at + MOST_IDS));
  return made;
}
