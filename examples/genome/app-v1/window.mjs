/** One job: open reading frames and base counts of one window of a genome. input.json → output.json. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { readingFrames } from './reading-frames.mjs';

function giveUp(exitCode, sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(exitCode);
}

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

function readSequence(path) {
  const bytes = readFileSync(path);
  const text = (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString('latin1');
  return text.slice(text.indexOf('\n')).replaceAll(/\s/g, '').toUpperCase();
}

function countBases(text) {
  const bases = { A: 0, C: 0, G: 0, T: 0, other: 0 };
  for (const base of text) bases[base in bases ? base : 'other'] += 1;
  return bases;
}

const input = readJson('input.json');
const settings = readJson(new URL('settings.json', import.meta.url));
if (!existsSync(input.codon_table)) giveUp(3, `the codon table ${input.codon_table} is missing`);
const codons = readJson(input.codon_table);

const sequence = readSequence(input.genome);
const first = input.start - 1;
const text = sequence.slice(first, first + input.core_length + input.overlap);
const window = {
  coreLength: input.core_length,
  atGenomeStart: first === 0,
  atGenomeEnd: first + text.length === sequence.length,
};
const frames = readingFrames(text, window, codons);
if (frames === null)
  giveUp(4, `a reading frame of the window at ${input.start} runs on past its overlap; use a longer one`);

const orfs = frames
  .filter(({ from, to }) => to - from >= settings.minimum_length)
  .map(({ from, to, strand }) => [first + from + 1, first + to, strand]);
const bases = countBases(text.slice(0, input.core_length));
const output = {
  start: input.start,
  core_length: Math.min(input.core_length, text.length),
  minimum_length: settings.minimum_length,
  orfs,
  bases,
  gc: (bases.G + bases.C) / (bases.A + bases.C + bases.G + bases.T),
  skew: (bases.G - bases.C) / (bases.G + bases.C),
};
writeFileSync('output.json', JSON.stringify(output));
console.log(`${orfs.length} open reading frames of at least ${settings.minimum_length} bp from base ${input.start} on`);
