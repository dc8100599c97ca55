/**
 * Cutting a genome into windows and putting the results together again. `wholeGenome` finds the same things by another
 * way, without windows, so that comparing the two is a check and not an echo: a window that is lost, doubled or was run
 * by another version of the app changes the numbers.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** The letters of a gzipped FASTA file with one sequence. */
export function readGenome(path) {
  const [, ...lines] = gunzipSync(readFileSync(path)).toString('latin1').split('\n');
  return lines.join('').replaceAll('\r', '').toUpperCase();
}

/** Parameters of the windows: cores side by side, each read `overlap` bases further, as far as the genome goes. */
export function planWindows(length, { count = 40, overlap = 10_000 } = {}) {
  const step = Math.ceil(length / count);
  const starts = Array.from({ length: Math.ceil(length / step) }, (_, index) => index * step);
  return starts.map((start) => {
    const core = Math.min(step, length - start);
    return { start: start + 1, core_length: core, overlap: Math.min(overlap, length - start - core) };
  });
}

/** The union of the windows' results, as they are: nothing is made up for, nothing taken out twice. */
export function mergeWindows(results) {
  return {
    orfs: results.flatMap(({ orfs }) => orfs).sort(byPosition),
    bases: results.map(({ bases }) => bases).reduce(addCounts, noBases()),
  };
}

/** The same over the whole sequence: each strand read as a text of its own, in three frames. */
export function wholeGenome(sequence, minimumLength = 300) {
  const length = sequence.length;
  const reverse = reverseStrand(sequence);
  const forwardOrfs = strandOrfs(sequence).map(([from, to]) => [from + 1, to, '+']);
  const reverseOrfs = strandOrfs(reverse).map(([from, to]) => [length - to + 1, length - from, '-']);
  const longEnough = ([first, last]) => last - first + 1 >= minimumLength;
  return { orfs: [...forwardOrfs, ...reverseOrfs].filter(longEnough).sort(byPosition), bases: countBases(sequence) };
}

/** What differs between two results, in sentences; empty when they are equal in number, position and strand. */
export function differences(merged, whole) {
  const sentences = [];
  const tell = (what, one, other) => {
    if (one !== other) sentences.push(`${what}: ${one} in the windows, ${other} in the whole genome`);
  };
  tell('open reading frames', merged.orfs.length, whole.orfs.length);
  tell('bases in open reading frames', totalLength(merged.orfs), totalLength(whole.orfs));
  for (const base of Object.keys(whole.bases)) tell(`bases ${base}`, merged.bases[base], whole.bases[base]);
  const at = whole.orfs.findIndex((orf, index) => String(orf) !== String(merged.orfs[index]));
  if (at >= 0) tell(`open reading frame ${at + 1}`, String(merged.orfs[at]), String(whole.orfs[at]));
  return sentences;
}

/** Share of G and C among the known bases. */
export function gcContent({ A, C, G, T }) {
  return (G + C) / (A + C + G + T);
}

export function totalLength(orfs) {
  return orfs.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}

function byPosition(a, b) {
  return a[0] - b[0] || a[1] - b[1] || a[2].localeCompare(b[2]);
}

const noBases = () => ({ A: 0, C: 0, G: 0, T: 0, other: 0 });

function addCounts(sum, bases) {
  return Object.fromEntries(Object.entries(sum).map(([base, count]) => [base, count + bases[base]]));
}

function countBases(sequence) {
  const count = (base) => sequence.split(base).length - 1;
  const [A, C, G, T] = ['A', 'C', 'G', 'T'].map(count);
  return { A, C, G, T, other: sequence.length - A - C - G - T };
}

const COMPLEMENT = new Map([
  ['A', 'T'],
  ['C', 'G'],
  ['G', 'C'],
  ['T', 'A'],
]);

function reverseStrand(sequence) {
  return Array.from(sequence, (base) => COMPLEMENT.get(base) ?? 'N')
    .reverse()
    .join('');
}

/** `[from, to)` of what lies between the first ATG after a stop, and the next stop, included. */
function strandOrfs(strand) {
  const found = [];
  const openSince = [-1, -1, -1];
  for (let position = 0; position + 3 <= strand.length; position += 1) {
    const frame = position % 3;
    const codon = strand.slice(position, position + 3);
    if (codon === 'ATG' && openSince[frame] < 0) openSince[frame] = position;
    if (codon !== 'TAA' && codon !== 'TAG' && codon !== 'TGA') continue;
    if (openSince[frame] >= 0) found.push([openSince[frame], position + 3]);
    openSince[frame] = -1;
  }
  return found;
}
