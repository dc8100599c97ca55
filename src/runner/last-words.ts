/** What the app said last: the end of a failure's sentence. */
import type { LogLine } from '../contract/worker.js';

const MOST_CHARACTERS = 1000;

export class LastWords {
  #error = '';
  #output = '';

  hear(lines: readonly LogLine[]): void {
    for (const { line, is_error } of lines) {
      if (line.trim() === '') continue;
      if (is_error) this.#error = line;
      else this.#output = line;
    }
  }

  /** The last line on standard error, else the last on standard output. */
  after(sentence: string): string {
    const words = (this.#error || this.#output).trim();
    if (words === '') return sentence;
    return `${sentence}: ${words.length > MOST_CHARACTERS ? `${words.slice(0, MOST_CHARACTERS)}…` : words}`;
  }
}
