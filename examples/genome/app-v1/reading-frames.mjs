/**
 * Open reading frames of one window, such that the windows of a genome together find each one exactly once.
 *
 * A stretch is what lies between two stop codons of one strand in one frame; it holds at most one reading frame, from
 * its first start codon to its stop. A stretch belongs to the window whose core holds the stop codon at its left end,
 * and is followed into the overlap to the one at its right end. On the reverse strand the same text is read with the
 * codons turned round, and there the stop of the frame is the left one.
 *
 * Returns `[{from, to, strand}]`, from 0 within the window, `to` exclusive; null if a stretch is longer than the overlap.
 */
export function readingFrames(text, window, { starts, stops }) {
  const forward = { strand: '+', starts: new Set(starts), stops: new Set(stops), frameOf: forwardFrame };
  const turned = (codons) => new Set(codons.map(reverseComplement));
  const reverse = { strand: '-', starts: turned(starts), stops: turned(stops), frameOf: reverseFrame };
  const found = [];
  for (const direction of [forward, reverse]) {
    for (const phase of [0, 1, 2]) {
      const frames = scan(text, phase, window, direction);
      if (frames === null) return null;
      found.push(...frames);
    }
  }
  return found.sort((a, b) => a.from - b.from || a.to - b.to);
}

function scan(text, phase, window, direction) {
  const found = [];
  // before the first stop nothing is known, except at the start of the genome, where a stretch may begin without one
  let stretch = window.atGenomeStart ? { left: null, starts: [] } : undefined;
  const close = (right) => {
    const frame = stretch && direction.frameOf(stretch, right);
    if (frame) found.push({ ...frame, strand: direction.strand });
  };
  for (let position = phase; position + 3 <= text.length; position += 3) {
    const codon = text.slice(position, position + 3);
    if (direction.starts.has(codon)) stretch?.starts.push(position);
    if (!direction.stops.has(codon)) continue;
    close(position);
    if (position >= window.coreLength) return found;
    stretch = { left: position, starts: [] };
  }
  if (stretch && !window.atGenomeEnd) return null;
  close(null);
  return found;
}

/** `right` is the stop; a stretch that ends with the genome has none. */
function forwardFrame({ starts }, right) {
  if (right === null || starts.length === 0) return undefined;
  return { from: starts[0], to: right + 3 };
}

/** `left` is the stop; a stretch that begins with the genome has none. */
function reverseFrame({ left, starts }) {
  if (left === null || starts.length === 0) return undefined;
  return { from: left, to: starts.at(-1) + 3 };
}

const PAIRS = { A: 'T', C: 'G', G: 'C', T: 'A' };

function reverseComplement(codon) {
  return [...codon]
    .reverse()
    .map((base) => PAIRS[base])
    .join('');
}
