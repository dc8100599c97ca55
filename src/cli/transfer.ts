/** `reprise export` and `reprise import`: the whole record to a file, and into a new database. No server takes part. */
import { accessSync, constants, existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { RepriseError } from '../contract/errors.js';
import type { Db } from '../offline.js';
import type { Common } from './options.js';
import { clearProgress, printJson, say, showProgress } from './output.js';
import { configOf } from './serve-config.js';
import { dataDirOf } from './session.js';
import { counted, thousands } from './text.js';

interface TransferOptions extends Common {
  readonly databaseUrl?: string;
}

const ABOUT_EXPORT = `
The file has everything that the record has: jobs, lineages, logs, events, users
and tokens. Keep it as you keep passwords. A name that ends in .gz is
compressed. Stop the server first if the record is in the data directory; a
PostgreSQL server may go on, and the file has one state of it.

Example, from the data directory to PostgreSQL:
  reprise export record.jsonl.gz
  reprise import record.jsonl.gz --database-url postgres://reprise@db/reprise
  reprise serve --database-url postgres://reprise@db/reprise`;

const ABOUT_IMPORT = `
Into a data directory or a database that has no record yet, with the release
that exported it. All of it or nothing is imported. Apps and working directories
are files of the data directory: keep that, or copy its apps/.`;

export function addTransfer(program: Command): void {
  placed(program.command('export'))
    .description('write the whole record to a file')
    .argument('<file>', 'to write; may not exist yet')
    .addHelpText('after', ABOUT_EXPORT)
    .action(exportTo);
  placed(program.command('import'))
    .description('read a whole record from a file into a new database')
    .argument('<file>', 'that an export wrote')
    .addHelpText('after', ABOUT_IMPORT)
    .action(importFrom);
}

function placed(command: Command): Command {
  return command
    .addOption(new Option('--json', 'the number of rows of each table on standard output'))
    .addOption(new Option('--data-dir <dir>', 'where the record is (REPRISE_DATA_DIR)'))
    .addOption(new Option('--database-url <url>', 'of the PostgreSQL server where the record is'));
}

function placeOf(o: TransferOptions) {
  const dataDir = dataDirOf(o);
  const asked = o.databaseUrl === undefined ? {} : { databaseUrl: o.databaseUrl };
  return { dataDir, databaseUrl: configOf(asked, dataDir).database_url };
}

async function exportTo(file: string, o: TransferOptions): Promise<void> {
  if (existsSync(file)) throw new RepriseError('CONFLICT', `${file} exists; name another, or remove it`);
  checkDirectory(dirname(resolve(file)));
  const { exportRecord, openRecord } = await import('../offline.js');
  await carryOut(await openRecord(placeOf(o)), o, `to ${file}`, (db, onProgress) => exportRecord(db, file, onProgress));
}

/** Before the record is opened, which may take a while. */
export function checkDirectory(directory: string): void {
  try {
    // the dot makes a file in the place of the directory an error
    accessSync(`${directory}/.`, constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new RepriseError('NOT_FOUND', `there is no directory ${directory}`);
    if (code === 'EACCES' || code === 'EROFS')
      throw new RepriseError('FORBIDDEN', `you may not write in the directory ${directory}`);
    throw error;
  }
}

async function importFrom(file: string, o: TransferOptions): Promise<void> {
  if (!existsSync(file)) throw new RepriseError('NOT_FOUND', `there is no file ${file}`);
  const { checkExport, importRecord, openOrMakeRecord } = await import('../offline.js');
  await checkExport(file);
  const db = await openOrMakeRecord(placeOf(o));
  await carryOut(db, o, `from ${file}`, (into, onProgress) => importRecord(into, file, onProgress));
}

type Work = (db: Db, onProgress: (rows: number) => void) => Promise<Record<string, number>>;

async function carryOut(db: Db, o: TransferOptions, where: string, work: Work): Promise<void> {
  try {
    const counts = await work(db, (rows) => showProgress(`${thousands(rows)} rows ${where}`));
    clearProgress();
    if (o.json) return printJson(counts);
    const rows = Object.values(counts).reduce((sum, count) => sum + count, 0);
    say(`${counted(rows, 'row')} ${where}, ${counted(counts.jobs ?? 0, 'job')} among them`);
  } finally {
    await db.close();
  }
}
