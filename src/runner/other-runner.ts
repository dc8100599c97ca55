/**
 * The command of a job is a job runner of its own, which starts, logs and ends the job by calls to the server. What it
 * prints is for those who look after it: a file beside the job's, and the last line of it if it dies without a word.
 */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FinishReport, JobSpec, LogLine } from '../contract/worker.js';
import type { LastWords } from './last-words.js';
import { outcomeOf, type Ran } from './outcome.js';
import type { LineSink } from './process.js';

export const RUNNER_LOG = 'runner.log';
const MOST_BYTES = 64 * 1024 * 1024;

export const isOther = (job: JobSpec): boolean => job.repository === null;

/** Written as it comes: whoever looks wants to see why it hangs. */
export function runnerLog(directory: string, words: LastWords): LineSink {
  const file = join(directory, RUNNER_LOG);
  let left = MOST_BYTES;
  return {
    push(lines: readonly LogLine[]) {
      words.hear(lines);
      if (left <= 0) return;
      const text = lines.map(({ line }) => `${line}\n`).join('');
      left -= Buffer.byteLength(text);
      append(file, left > 0 ? text : `${text}(the rest is not kept: the file has ${MOST_BYTES} bytes)\n`);
    },
    isFull: false,
    whenDrained: (then) => then(),
  };
}

/** A runner may remove its directory, and disks fill: neither ends the job. */
function append(file: string, text: string): void {
  try {
    appendFileSync(file, text);
  } catch {
    return;
  }
}

/** Counts only if the runner did not end the job itself: the server keeps the first end. */
export function outcomeOfOther(ran: Ran): FinishReport {
  const finish = outcomeOf({ ...ran, directory: '/nonexistent' });
  const { failure_class: why } = finish;
  if (why === 'time' || why === 'memory' || why === 'user') return finish;
  const { code, signal } = ran.exit;
  const ended = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
  const error_message = ran.words.after(`the job runner ${ended} and reported no end of the job`);
  return { ...finish, failure_class: 'platform', error_message };
}
