/** What was pasted or uploaded, as rows; and rows as the parameters of jobs. A bad row is told with its line. */
import { type CsvError, parse } from 'csv-parse/browser/esm/sync';
import { columnsProblem, otherSeparator } from '../../../src/client/columns.js';
import { buildParams, exactJson } from '../../../src/client/params.js';

export type Format = 'csv' | 'jsonl';

/** CSV with its first row as names, or documents, one a line. */
export type Sheet =
  | { readonly format: 'csv'; readonly names: readonly string[]; readonly rows: readonly CsvRow[] }
  | { readonly format: 'jsonl'; readonly rows: readonly { readonly line: number; readonly text: string }[] };

interface CsvRow {
  readonly line: number;
  readonly cells: readonly string[];
}

export interface Row {
  /** In the text, from 1. */
  readonly line: number;
  /** The exact text of the parameters; null when there is a problem. */
  readonly params: string | null;
  readonly problem: string | null;
}

/** Which parameter a column becomes; null leaves it out. */
export type Mapping = Readonly<Record<string, string | null>>;

export function guessFormat(text: string, fileName: string | null): Format {
  if (fileName !== null && /\.csv$/i.test(fileName)) return 'csv';
  if (fileName !== null && /\.(jsonl|ndjson|json)$/i.test(fileName)) return 'jsonl';
  return /^\ufeff?\s*[[{"\d]/.test(text) ? 'jsonl' : 'csv';
}

/** Throws an Error with a sentence when the whole text cannot be read. */
export function readSheet(text: string, format: Format): Sheet {
  return format === 'csv' ? readCsv(text) : readLines(text);
}

function readLines(text: string): Sheet {
  const lines = text.split('\n').map((content, index) => ({ line: index + 1, text: content }));
  return { format: 'jsonl', rows: lines.filter((one) => one.text.replace(/^\ufeff/, '').trim() !== '') };
}

/** Spreadsheets paste with tabs, and many save with semicolons. What was read is shown before it is submitted. */
function readCsv(text: string): Sheet {
  const head = readSeparated(text, ',', 1);
  const { names, rows } = readSeparated(text, otherSeparator(head.names) ?? ',');
  const problem = columnsProblem(names);
  if (problem !== null) throw new Error(problem);
  return { format: 'csv', names, rows };
}

function readSeparated(text: string, delimiter: string, to?: number): { names: string[]; rows: CsvRow[] } {
  const base = { bom: true, info: true, relaxColumnCount: true, skipEmptyLines: true, delimiter } as const;
  const options = to === undefined ? base : { ...base, to };
  try {
    const read = parse(text, { ...options, recordDelimiter: ['\r\n', '\n', '\r'] }) as unknown as {
      record: string[];
      info: { lines: number };
    }[];
    const [head, ...rest] = read;
    const names = (head?.record ?? []).map((name) => name.trim());
    // the parser tells the line on which a record ends
    return { names, rows: rest.map(({ record, info }) => ({ line: info.lines - innerLines(record), cells: record })) };
  } catch (error) {
    throw new Error(`the CSV cannot be read: ${(error as CsvError).message}`);
  }
}

const innerLines = (record: readonly string[]): number =>
  record.reduce((sum, cell) => sum + (cell.match(/\r\n|\n|\r/g)?.length ?? 0), 0);

export function parameterNames(schema: unknown): string[] {
  const { properties } = (schema ?? {}) as { properties?: object };
  return Object.keys(properties ?? {});
}

/** A column becomes the parameter of its name; one that the method does not know of is kept too, if it takes others. */
export function firstMapping(names: readonly string[], schema: unknown): Mapping {
  const known = parameterNames(schema);
  const closed = (schema as { additionalProperties?: unknown } | null)?.additionalProperties === false;
  return Object.fromEntries(
    names.map((name) => {
      const alike = known.find((one) => one.toLowerCase() === name.toLowerCase());
      return [name, alike ?? (closed ? null : name)];
    }),
  );
}

export function readRows(sheet: Sheet, mapping: Mapping, schema: unknown): Row[] {
  if (sheet.format === 'jsonl') return sheet.rows.map(({ line, text }) => judged(line, () => exactJson(text)));
  return sheet.rows.map(({ line, cells }) =>
    judged(line, () => {
      if (cells.length !== sheet.names.length)
        throw new Error(
          `${cells.length === 1 ? '1 cell' : `${cells.length} cells`} where the first row has ${sheet.names.length}`,
        );
      const pairs = sheet.names.flatMap((name, column) => {
        const parameter = mapping[name] ?? null;
        const cell = cells[column] ?? '';
        return parameter === null || cell === '' ? [] : [[parameter, cell] as const];
      });
      return buildParams(pairs, schema);
    }),
  );
}

function judged(line: number, read: () => string): Row {
  try {
    return { line, params: read(), problem: null };
  } catch (error) {
    const { message } = error as Error;
    return { line, params: null, problem: error instanceof SyntaxError ? `not JSON (${message})` : message };
  }
}
