/**
 * Ctrl-C ends a command, never the jobs it asked for. What the person must know then depends on how far the command has
 * come, so each step says it ahead: from before a call that records until the end there is no moment without a word.
 */
import { EXIT, say } from './output.js';

let word: string | undefined;
let isListening = false;

/** From now on Ctrl-C says this, nothing if undefined, and ends with 130. The last word holds. */
export function sayAtInterrupt(text: string | undefined): void {
  word = text;
  if (isListening) return;
  isListening = true;
  process.on('SIGINT', () => {
    if (word !== undefined) say(word);
    process.exit(EXIT.interrupted);
  });
}
