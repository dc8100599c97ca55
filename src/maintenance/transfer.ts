/**
 * A record to a file and back, for a move to another database or another machine. One line of JSON each: what it is, then
 * for every table its name and its rows, and at the end how many they were, so that half a file is not taken for a whole.
 * The name of a file that is to be compressed ends in `.gz`.
 *
 * The export is one transaction that sees one state; the import is one transaction into an empty record. Killed anywhere, the
 * file is not there, or nothing was imported.
 */
import { closeSync, createReadStream, createWriteStream, openSync, readSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { RepriseError } from '../contract/errors.js';
import type { Db, Queryable } from '../store/db.js';
import {
  goOnNumbering,
  isEmpty,
  readRows,
  schemaOf,
  TRANSFER_TABLES,
  type TransferTable,
  writeRows,
} from '../store/transfer.js';

const FORMAT = 1;

/** Rows by table. */
export type Counts = Record<string, number>;

/** `onProgress` is told the rows so far, now and then. */
export async function exportRecord(db: Db, file: string, onProgress: (rows: number) => void): Promise<Counts> {
  const draft = `${file}.part`;
  let counts: Counts = {};
  try {
    // repeatable: a connection that is lost before the end begins the file anew
    await db.transaction(async (tx) => {
      counts = {};
      const lines = Readable.from(exportLines(tx, counts, onProgress));
      const target = createWriteStream(draft, { mode: 0o600 });
      if (file.endsWith('.gz')) await pipeline(lines, createGzip({ level: 6 }), target);
      else await pipeline(lines, target);
    });
    await syncFile(draft);
    await rename(draft, file);
    return counts;
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

async function* exportLines(tx: Queryable, counts: Counts, onProgress: (rows: number) => void): AsyncGenerator<string> {
  let rows = 0;
  yield lineOf({ reprise_export: FORMAT, schema: await schemaOf(tx) });
  for (const table of TRANSFER_TABLES) {
    yield lineOf({ table: table.name });
    counts[table.name] = 0;
    for (let after = ''; ; ) {
      const page = await readRows(tx, table, after);
      const last = page.at(-1);
      if (last === undefined) break;
      yield `${page.map((row) => row.line).join('\n')}\n`;
      counts[table.name] = (counts[table.name] ?? 0) + page.length;
      rows += page.length;
      onProgress(rows);
      after = last.key;
      if (page.length < table.size) break;
    }
  }
  yield lineOf({ end: counts });
}

const lineOf = (value: object) => `${JSON.stringify(value)}\n`;

async function syncFile(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  await handle.sync().finally(() => handle.close());
}

/** Before a record is made for it. Throws INVALID_INPUT if it is no export, whole or not. */
export async function checkExport(file: string): Promise<void> {
  let head = '';
  for await (head of linesOf(file)) break;
  headOf(head, file);
}

/** Throws CONFLICT if the record is not empty or of another schema, INVALID_INPUT if the file is not a whole export. */
export async function importRecord(db: Db, file: string, onProgress: (rows: number) => void): Promise<Counts> {
  if (!(await isEmpty(db))) {
    throw new RepriseError('CONFLICT', 'there is a record already; import into a new data directory or a new database');
  }
  const schema = await schemaOf(db);
  return db.transaction(async (tx) => {
    const counts = await importLines(tx, file, schema, onProgress);
    await goOnNumbering(tx);
    return counts;
  });
}

interface Importing {
  readonly table: TransferTable;
  readonly lines: string[];
}

async function importLines(tx: Queryable, file: string, schema: string, onProgress: (rows: number) => void) {
  const counts: Counts = {};
  let rows = 0;
  let at: Importing | null = null;
  const flush = async () => {
    if (at === null || at.lines.length === 0) return;
    const lines = at.lines.splice(0);
    await writeRows(tx, at.table, lines);
    counts[at.table.name] = (counts[at.table.name] ?? 0) + lines.length;
    rows += lines.length;
    onProgress(rows);
  };
  let isFirst = true;
  for await (const line of linesOf(file)) {
    if (isFirst) {
      checkHead(line, file, schema);
      isFirst = false;
    } else if (line.startsWith('{"table":')) {
      await flush();
      at = begun(line, file);
      counts[at.table.name] = 0;
    } else if (line.startsWith('{"end":')) {
      await flush();
      checkEnd(line, counts, file);
      return counts;
    } else if (at === null) throw damaged(file, 'rows come before a table');
    else if (at.lines.push(line) >= at.table.size) await flush();
  }
  throw damaged(file, 'its end is missing');
}

function begun(line: string, file: string): Importing {
  const { table: name } = JSON.parse(line) as { table: string };
  const table = TRANSFER_TABLES.find((known) => known.name === name);
  if (table === undefined) throw damaged(file, `there is no table ${name}`);
  return { table, lines: [] };
}

function headOf(line: string, file: string): { readonly schema?: string } {
  const head = parsed(line) as { reprise_export?: number; schema?: string } | null;
  if (head?.reprise_export !== FORMAT) throw damaged(file, 'it does not begin as an export does');
  return head;
}

function checkHead(line: string, file: string, schema: string): void {
  if (headOf(line, file).schema === schema) return;
  throw new RepriseError('CONFLICT', `${file} was written by another release; export and import with the same one`);
}

function checkEnd(line: string, counts: Counts, file: string): void {
  const { end } = JSON.parse(line) as { end: Counts };
  const wrong = Object.keys({ ...end, ...counts }).find((name) => end[name] !== counts[name]);
  if (wrong !== undefined) throw damaged(file, `it has ${counts[wrong] ?? 0} rows of ${wrong}, and says ${end[wrong]}`);
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

function damaged(file: string, why: string): RepriseError {
  return new RepriseError('INVALID_INPUT', `${file} is not a whole export: ${why}`);
}

/** Not by node:readline, which also ends a line at U+2028, and that may stand in a text. */
async function* linesOf(file: string): AsyncGenerator<string> {
  const source = createReadStream(file);
  const plain = startsWithGzip(file) ? compose(source, createGunzip()) : source;
  let held = '';
  try {
    for await (const text of plain.setEncoding('utf8') as AsyncIterable<string>) {
      const lines = (held + text).split('\n');
      held = lines.pop() ?? '';
      yield* lines;
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'Z_BUF_ERROR' || code === 'Z_DATA_ERROR') throw damaged(file, message);
    throw error;
  } finally {
    source.destroy();
  }
}

/** An error of the source is one of the result. */
function compose(source: Readable, through: Transform): Readable {
  source.once('error', (error) => through.destroy(error));
  return source.pipe(through);
}

function startsWithGzip(file: string): boolean {
  const fd = openSync(file, 'r');
  const magic = Buffer.alloc(2);
  readSync(fd, magic, 0, 2, 0);
  closeSync(fd);
  return magic[0] === 0x1f && magic[1] === 0x8b;
}
