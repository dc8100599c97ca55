/**
 * What became of a run, as the record will have it:
 *
 * | the command                          | class    |
 * | ------------------------------------ | -------- |
 * | was not found or cannot be executed  | app      |
 * | was ended with its host              | platform |
 * | was cancelled                        | user     |
 * | ran longer than its timeout          | time     |
 * | was killed for want of memory        | memory   |
 * | ended by a signal, or not with 0     | app      |
 * | ended with 0, no `output.json`       | output   |
 * | ended with 0, `output.json` no JSON  | output   |
 * | ended with 0, valid `output.json`    | success  |
 * | could not be spawned, no checkout    | platform |
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { FinishReport } from '../contract/worker.js';
import type { Usage } from './cgroups.js';
import type { LastWords } from './last-words.js';
import type { Exit } from './process.js';

export const OUTPUT_FILE = 'output.json';
/** In a report it may take twice as much: quotes are escaped. */
export const MOST_OUTPUT_BYTES = 16 * 1024 * 1024;

type Failure = Pick<FinishReport, 'failure_class' | 'error_message'>;

export interface Ran {
  readonly exit: Exit;
  readonly usage: Usage;
  readonly timeoutMs: number;
  readonly memoryMb: number;
  readonly directory: string;
  readonly words: LastWords;
}

export function outcomeOf(ran: Ran): FinishReport {
  const { exit, usage } = ran;
  const output = outputOf(ran);
  const failure = 'text' in output ? null : { ...output, error_message: ran.words.after(output.error_message ?? '') };
  return {
    ...failure,
    exit_code: exit.code,
    exit_signal: exit.signal,
    output: 'text' in output ? output.text : null,
    peak_memory_mb: usage.peakMemoryMb,
    cpu_seconds: usage.cpuSeconds,
    ended_at: Date.now(),
  };
}

/** Nothing ran. */
export function notRun(failure_class: 'app' | 'platform', error_message: string): FinishReport {
  return {
    failure_class,
    error_message: error_message.replaceAll('\0', '\uFFFD'),
    exit_code: null,
    exit_signal: null,
    output: null,
    peak_memory_mb: null,
    cpu_seconds: null,
    ended_at: Date.now(),
  };
}

function outputOf(ran: Ran): Failure | { text: string } {
  const { exit, usage } = ran;
  const ended = exit.signal === null ? `exit code ${exit.code}` : `it was ended by ${exit.signal}`;
  if (exit.endedBy !== null) return { failure_class: 'platform', error_message: `${exit.endedBy} (${ended})` };
  if (exit.reason === 'canceled') return { failure_class: 'user', error_message: `it was cancelled (${ended})` };
  if (exit.reason === 'timeout') {
    return { failure_class: 'time', error_message: `it ran longer than its timeout of ${timeText(ran.timeoutMs)}` };
  }
  if (exit.code === 0) return readOutput(join(ran.directory, OUTPUT_FILE));
  if (usage.outOfMemory) {
    return {
      failure_class: 'memory',
      error_message: `it needed more than its ${ran.memoryMb} MB of memory (${ended})`,
    };
  }
  return { failure_class: 'app', error_message: ended };
}

function timeText(ms: number): string {
  const units = [
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const;
  const [unit, length] = units.find(([, size]) => ms >= size && ms % size === 0) ?? ['ms', 1];
  return `${ms / length} ${unit}`;
}

/** At once: almost always it is small, and there or not. */
function readOutput(file: string): Failure | { text: string } {
  const bad = (error_message: string): Failure => ({ failure_class: 'output', error_message });
  try {
    const found = statSync(file, { throwIfNoEntry: false });
    if (found === undefined) return bad('it ended with 0 and left no output.json');
    if (!found.isFile()) return bad('output.json is not a file');
    if (found.size > MOST_OUTPUT_BYTES) {
      const limit = `${MOST_OUTPUT_BYTES / 1024 / 1024} MB`;
      return bad(`output.json has ${found.size} bytes; at most ${limit} are kept, so put large results elsewhere`);
    }
    return validJson(readFileSync(file)) ?? bad('output.json is not valid JSON in UTF-8');
  } catch (error) {
    return bad(`output.json cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

function validJson(bytes: Buffer): { text: string } | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    JSON.parse(text);
    return { text };
  } catch {
    return null;
  }
}
