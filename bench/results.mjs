/** From measured numbers to the tables of bench/README.md. */
import { readFileSync, writeFileSync } from 'node:fs';

export const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** Of few numbers the greatest. */
export const percentile = (numbers, share) =>
  numbers.toSorted((a, b) => a - b)[Math.min(numbers.length - 1, Math.floor(numbers.length * share))];

/** How a unit is written, and whether less of it is better. */
const UNITS = {
  s: { write: (n) => n.toFixed(2), name: ' s', less: true },
  ms: { write: (n) => n.toFixed(1), name: ' ms', less: true },
  MB: { write: (n) => n.toFixed(0), name: ' MB', less: true },
  '%': { write: (n) => n.toFixed(0), name: ' %', less: true },
  '/s': { write: (n) => Math.round(n).toLocaleString('en'), name: '/s', less: false },
};

/**
 * A row: `{ what, unit, ours, peer, peers, goal }`; `ours` and `peers` are a number a round. The ratio is of cost, whatever
 * the unit: 2× is twice as long, or half as many a second.
 */
export function tableOf(rows) {
  const lines = rows.map(({ what, unit, ours, peer, peers, goal }) => {
    return `| ${what} | ${shown(ours, unit)} | ${peer} | ${shown(peers, unit)} | **${ratioOf(ours, peers, unit)}×** | ${goal ?? '–'} |`;
  });
  const head = ['| what | Reprise | peer | peer measured | ratio | goal |', '| --- | --- | --- | --- | --- | --- |'];
  return [...head, ...lines].join('\n');
}

function ratioOf(ours, peers, unit) {
  const ratio = median(ours) / median(peers);
  return (UNITS[unit].less ? ratio : 1 / ratio).toFixed(2);
}

export function shown(numbers, unit) {
  const { write, name } = UNITS[unit];
  const middle = write(median(numbers)) + name;
  return numbers.length === 1 ? middle : `${middle} (${write(Math.min(...numbers))}–${write(Math.max(...numbers))})`;
}

const page = new URL('README.md', import.meta.url);

/** Between the part's two marks; everything else on the page stays. */
export function writeSection(part, section) {
  const text = readFileSync(page, 'utf8');
  const [begin, end] = [`<!-- ${part} -->\n`, `<!-- /${part} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`bench/README.md has no place for ${part}: ${begin.trim()} … ${end}`);
  writeFileSync(page, `${text.slice(0, from)}${begin}\n${section}\n\n${text.slice(to)}`);
}
