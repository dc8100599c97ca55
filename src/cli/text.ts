/** How things look as text: columns, paragraphs, times, sizes. Pure; everything is made safe for a terminal. */
import { STATUSES, type Status, type StatusCounts } from '../contract/status.js';

/** Escape sequences of terminals: CSI, OSC and the other strings, and two-character ones. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
const ESCAPES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])?|\x9b[0-?]*[ -/]*[@-~]/g;
/** What is left of C0 and C1, and the marks that reorder text so that it reads as something else. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
const CONTROLS = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** One line of foreign text that may be written to a terminal: colours and cursor tricks go, controls are shown. */
export function safeLine(text: string): string {
  return text.replace(ESCAPES, '').replace(CONTROLS, (char) => {
    const code = char.charCodeAt(0);
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
  });
}

/** A progress bar drew over itself with carriage returns; what it showed last is the line. */
export function lastDrawn(line: string): string {
  return line.split('\r').findLast((part) => part !== '') ?? '';
}

/** Foreign text of many lines as one. */
export function oneLine(text: string): string {
  return safeLine(text.replace(/\s*[\r\n]+\s*/g, ' ').trim());
}

export function truncated(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(width - 1, 0))}…`;
}

/** Breaks at spaces before column `width`; what is longer than a line stays whole, so that a path can be copied. */
export function wrapped(text: string, indent = '', width = 80): string {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(' ')) {
    const fits = line.length + word.length < width;
    if (!fits && line !== indent) {
      lines.push(line);
      line = indent;
    }
    line += line === indent ? word : ` ${word}`;
  }
  return [...lines, line].join('\n');
}

/** Foreign text of many lines, each wrapped; at most `most` of them. */
export function paragraph(text: string, indent: string, width: number, most = Number.POSITIVE_INFINITY): string {
  const lines = text
    .replace(/\s+$/, '')
    .split(/\r?\n/)
    .flatMap((line) => wrapped(safeLine(line), indent, width).split('\n'));
  if (lines.length <= most) return lines.join('\n');
  return [...lines.slice(0, most), `${indent}… ${lines.length - most} more lines (--json has all)`].join('\n');
}

export interface TableLook {
  readonly indent?: string;
  /** The last column is cut to fit; absent = never cut. */
  readonly width?: number;
}

/** Columns as wide as their widest cell; those of numbers on the right, others on the left. The last one is text. */
export function table(header: readonly string[], rows: readonly (readonly string[])[], look: TableLook = {}): string {
  const { indent = '', width = Number.POSITIVE_INFINITY } = look;
  const last = header.length - 1;
  const columns = header.map((title, column) => {
    const cells = rows.map((row) => row[column] ?? '');
    const numeric = column < last && cells.length > 0 && cells.every((cell) => /^(-|[-+]?[\d.,]+)?$/.test(cell));
    return { numeric, width: Math.max(title.length, ...cells.map((cell) => cell.length)) };
  });
  const before = columns.slice(0, last).reduce((sum, column) => sum + column.width + 2, indent.length);
  const cell = (text: string, column: number) => {
    if (column === last) return truncated(text, Math.max(width - before, 8));
    const { numeric, width: wide } = columns[column] as { numeric: boolean; width: number };
    return numeric ? text.padStart(wide) : text.padEnd(wide);
  };
  return [header, ...rows].map((cells) => `${indent}${cells.map(cell).join('  ')}`.trimEnd()).join('\n');
}

/** Aligned names and values; a value of many lines keeps its column. `null` leaves the line out. */
export function fields(entries: readonly (readonly [string, string | null])[], indent = '  ', width = 80): string {
  const shown = entries.filter((entry): entry is readonly [string, string] => entry[1] !== null);
  const column = Math.max(...shown.map(([name]) => name.length)) + 2;
  const hanging = ' '.repeat(indent.length + column);
  return shown
    .map(([name, value]) => {
      const lines = value.split('\n').map((line) => wrapped(line, hanging, width));
      return `${indent}${name.padEnd(column)}${lines.join('\n').trimStart()}`;
    })
    .join('\n');
}

export const thousands = (value: number): string => value.toLocaleString('en-US');
export const shortCommit = (commit: string): string => commit.slice(0, 7);
/** `1 job`, `2 jobs` */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${thousands(count)} ${count === 1 ? one : many}`;
}

export function progress(counts: StatusCounts, items: number): string {
  const waiting = counts.created + counts.queued + counts.estimating;
  const parts = [`${counts.completed} of ${items} completed`, `${counts.running} running`, `${waiting} waiting`];
  if (counts.error > 0) parts.push(`${counts.error} failed`);
  if (counts.terminated > 0) parts.push(`${counts.terminated} cancelled`);
  return parts.join(', ');
}

const WORDS: Readonly<Partial<Record<Status, string>>> = { error: 'failed', terminated: 'cancelled' };

/** As people say it. */
export const spoken = (status: Status): string => WORDS[status] ?? status;

/** `2 completed, 3 failed`: what there is, the ends first. */
export function tally(counts: StatusCounts): string {
  const there = [...STATUSES].reverse().filter((status) => counts[status] > 0);
  const ends = ['completed', 'error', 'terminated', ...there] as Status[];
  const order = [...new Set(ends)].filter((status) => counts[status] > 0);
  return order.map((status) => `${thousands(counts[status])} ${spoken(status)}`).join(', ') || 'nothing';
}

const UNITS: readonly (readonly [string, number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
];

/** `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h` */
export function duration(ms: number): string {
  if (ms < 10_000) return `${(Math.max(ms, 0) / 1000).toFixed(1)} s`;
  const [unit, size] = UNITS.find(([, length]) => ms >= length) ?? ['s', 1000];
  const [smaller, part] = unit === 'd' ? ['h', 3_600_000] : unit === 'h' ? ['min', 60_000] : ['s', 1000];
  if (unit === 's') return `${Math.round(ms / 1000)} s`;
  const whole = Math.floor(ms / size);
  const rest = Math.floor((ms - whole * size) / part);
  return rest === 0 ? `${whole} ${unit}` : `${whole} ${unit} ${rest} ${smaller}`;
}

/** `just now`, `40 s ago`, `3 min ago`, `2 d ago`; `in 3 d` for what is to come. */
export function ago(time: string, now: Date): string {
  const ms = now.getTime() - Date.parse(time);
  const size = Math.abs(ms);
  if (size < 2000) return 'just now';
  const [unit, length] = UNITS.find(([, each]) => size >= each) ?? ['s', 1000];
  const text = `${Math.floor(size / length)} ${unit}`;
  return ms >= 0 ? `${text} ago` : `in ${text}`;
}

/** Local time, to the second. */
export function clock(time: string): string {
  const date = new Date(time);
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

export const clockAndAgo = (time: string, now: Date): string => `${clock(time)} (${ago(time, now)})`;
