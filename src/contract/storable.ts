/** PostgreSQL's text holds neither U+0000 nor half a surrogate pair. JSON that is kept as its source text has neither. */
import { RepriseError } from './errors.js';
import { RawJson } from './raw-json.js';

export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\u0000');
}

/** For what must not be lost for one bad character: it becomes U+FFFD. */
export function toStorable(text: string): string {
  return text.toWellFormed().replaceAll('\u0000', '\uFFFD');
}

/** Refuses parameters with a text, as a member's name or value, that could not be stored. */
export function checkStorable(value: unknown, where = 'the parameters'): void {
  if (typeof value === 'string') {
    if (isStorable(value)) return;
    throw new RepriseError('INVALID_PARAMS', `${where} may not contain U+0000 or half a surrogate pair`);
  }
  if (value === null || typeof value !== 'object' || value instanceof RawJson) return;
  for (const [name, member] of Object.entries(value)) {
    checkStorable(name, `a member's name in ${where}`);
    checkStorable(member, `'${name}'`);
  }
}
