/** Files of jobs: JSON lines and CSV. A row is the parameters of one job, as exact text; bad rows are reported all. */
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { CsvError, parse } from 'csv-parse/sync';
import { columnsProblem, otherSeparator } from '../client/columns.js';
import { buildParams, exactJson, type ParamsSchema } from '../client/params.js';
import { UsageError } from './output.js';
import { counted } from './text.js';

export type Format = 'jsonl' | 'csv';

export interface Row {
  /** In the file, from 1. */
  readonly line: number;
  /** The text of the parameters. */
  readonly params: string;
}

export interface BadRow {
  readonly line: number;
  readonly sentence: string;
}

export interface Rows {
  readonly good: readonly Row[];
  readonly bad: readonly BadRow[];
}

/** `-` is standard input. Bytes that are no UTF-8 would change silently, so they are refused. */
export async function readText(file: string): Promise<string> {
  const name = file === '-' ? 'standard input' : file;
  const bytes = await (file === '-' ? buffer(process.stdin) : readFile(file)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new UsageError(`there is no file ${file}`);
    if (error.code === 'EISDIR') throw new UsageError(`${file} is a directory`);
    throw new UsageError(`${name} cannot be read: ${error.message}`);
  });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new UsageError(`${name} is not UTF-8 text; convert it first (iconv -t utf-8)`);
  }
}

/** By the name; standard input is JSON lines unless told. */
export function formatOf(file: string, told: Format | undefined): Format {
  if (told !== undefined) return told;
  const extension = extname(file).toLowerCase();
  if (extension === '.csv') return 'csv';
  if (file === '-' || ['.jsonl', '.ndjson', '.json'].includes(extension)) return 'jsonl';
  throw new UsageError(`${file} is neither .jsonl nor .csv; say which with --format jsonl or --format csv`);
}

export function readRows(text: string, format: Format, schema: ParamsSchema): Rows {
  return format === 'csv' ? readCsv(text, schema) : readJsonLines(text);
}

export function readJsonLines(text: string): Rows {
  const lines = text.split('\n').map((content, index) => ({ line: index + 1, content }));
  return judged(
    lines.filter(({ content }) => content.replace(/^\ufeff/, '').trim() !== ''),
    ({ content }) => exactJson(content),
  );
}

/** The first row names the parameters; an empty cell leaves its parameter out. */
export function readCsv(text: string, schema: ParamsSchema): Rows {
  const records = parseCsv(text);
  const [header, ...rows] = records;
  if (header === undefined) return { good: [], bad: [] };
  const names = header.cells.map((name) => name.trim());
  checkHeader(names);
  return judged(rows, ({ cells }) => {
    if (cells.length !== names.length)
      throw new Error(`${counted(cells.length, 'cell')} where the header has ${names.length}`);
    const pairs = names.map((name, column) => [name, cells[column] ?? ''] as const);
    return buildParams(
      pairs.filter(([, cell]) => cell !== ''),
      schema,
    );
  });
}

interface CsvRecord {
  readonly line: number;
  readonly cells: readonly string[];
}

function parseCsv(text: string): CsvRecord[] {
  const options = { bom: true, info: true, relaxColumnCount: true, skipEmptyLines: true } as const;
  try {
    const records = parse(text, { ...options, recordDelimiter: ['\r\n', '\n', '\r'] }) as unknown as {
      record: string[];
      info: { bytes: number };
    }[];
    const lineOf = lineCounter(Buffer.from(text));
    let begin = 0;
    return records.map(({ record, info }) => {
      const line = lineOf(begin);
      begin = info.bytes;
      return { line, cells: record };
    });
  } catch (error) {
    if (error instanceof CsvError) throw new UsageError(`the CSV cannot be read: ${error.message}`);
    throw error;
  }
}

const [LF, CR] = [10, 13];

/** The line of the record that begins at a byte, blank lines before it passed by. To be asked in ascending order. */
function lineCounter(bytes: Uint8Array): (begin: number) => number {
  let [at, line] = [0, 1];
  return (begin) => {
    while (at < begin || bytes[at] === LF || bytes[at] === CR) {
      if (bytes[at] === LF || (bytes[at] === CR && bytes[at + 1] !== LF)) line += 1;
      at += 1;
    }
    return line;
  };
}

/** Nobody looks at what was read before it is submitted: another separator is asked about, not guessed. */
function checkHeader(names: readonly string[]): void {
  const problem = columnsProblem(names);
  if (problem !== null) throw new UsageError(problem);
  const separator = otherSeparator(names);
  if (separator === null) return;
  const name = names.find((one) => one.includes(separator))?.replaceAll('\t', '\\t');
  const it = separator === '\t' ? 'a tab' : `'${separator}'`;
  throw new UsageError(
    `the CSV has ${names.length === 1 ? 'one column' : 'a column'} named '${name}': is the separator ${it}? columns are separated by commas`,
  );
}

function judged<R extends { line: number }>(rows: readonly R[], read: (row: R) => string): Rows {
  const good: Row[] = [];
  const bad: BadRow[] = [];
  for (const row of rows) {
    try {
      good.push({ line: row.line, params: read(row) });
    } catch (error) {
      const { message } = error as Error;
      bad.push({ line: row.line, sentence: error instanceof SyntaxError ? `not JSON (${message})` : message });
    }
  }
  return { good, bad };
}
