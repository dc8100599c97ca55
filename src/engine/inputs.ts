/** The identity of inputs: what makes two jobs "the same inputs" (docs/glossary.md). */
import { createHash } from 'node:crypto';
import { isLosslessNumber, parse, stringify } from 'lossless-json';
import type { InputRow } from '../store/inputs.js';

/** Sorted keys, no spacing, number texts kept: 1 and 1.0 are different inputs, {"a":1,"b":2} in any order is one. */
export function canonicalJson(text: string): string {
  return stringify(sortKeys(parse(text, undefined, { onDuplicateKey: ({ newValue }) => newValue }))) ?? 'null';
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (value === null || typeof value !== 'object' || isLosslessNumber(value)) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return Object.fromEntries(entries.map(([key, member]) => [key, sortKeys(member)]));
}

export function describeInputs(
  method: string,
  commit: string,
  params: string | null,
  sourceObjects: readonly string[],
): InputRow {
  const sources = JSON.stringify(sourceObjects);
  const canonical = params === null ? '' : canonicalJson(params);
  return {
    input_id: sha256(method, commit, params ?? '', sources),
    input_key: sha256(method, commit, canonical, JSON.stringify([...sourceObjects].sort())),
    method,
    app_commit: commit,
    params,
    source_objects: sources,
  };
}

/** Parts are joined by a byte that stands in none of them unescaped, so that no two lists of parts collide. */
function sha256(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\u0000')).digest('hex');
}
