/** A process of its own that holds a data directory, to be refused or killed. Runs from dist, as an installed one does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { until } from './until.js';

const dist = resolve(import.meta.dirname, '../../dist');

/** Opens, says so, and writes until it is killed; each number is printed when its commit has returned. */
const WRITER = `
import { openEmbeddedDb } from '${dist}/store/embedded.js';
import { statement } from '${dist}/store/db.js';
import { writeSync } from 'node:fs';
const [dataDir, from] = process.argv.slice(1);
const say = (line) => writeSync(1, line + '\\n');
try {
  const db = await openEmbeddedDb({ dataDir });
  say('open');
  const insert = statement('insert', 'insert into written values ($1::integer)');
  const insertMany = statement('many', 'insert into written select generate_series($1::integer, $2::integer)');
  if (from === undefined) setTimeout(() => process.exit(), 300_000);
  else
    for (let n = Number(from); ; n += 10) {
      if (n % 50 === 0) await db.query(insertMany, [n, n + 9]);
      else await db.transaction(async (tx) => {
        for (let k = n; k < n + 10; k += 1) await tx.query(insert, [k]);
      });
      say(String(n));
    }
} catch (error) {
  say('refused ' + JSON.stringify({ code: error.code, message: error.message }));
}
`;

export interface DatabaseProcess {
  readonly child: ChildProcess;
  /** Whole lines it has printed. */
  lines(): string[];
  /** SIGKILL; resolves to all it has printed when it is gone. */
  kill(): Promise<string[]>;
}

/** With `from` it writes numbers upwards, else it only holds. Through `sh`, so that it stays a zombie when killed. */
export function startDatabaseProcess(
  dataDir: string,
  options: { from?: number; unreaped?: true } = {},
): DatabaseProcess {
  const args = [
    '--input-type=module',
    '-e',
    WRITER,
    dataDir,
    ...(options.from === undefined ? [] : [`${options.from}`]),
  ];
  const child =
    options.unreaped === true
      ? spawn('sh', ['-c', '"$@" & echo "pid $!"; exec sleep 1000', 'sh', process.execPath, ...args])
      : spawn(process.execPath, args);
  let said = '';
  child.stdout.on('data', (text) => {
    said += text;
  });
  child.stderr.on('data', (text) => {
    said += `stderr ${text}`;
  });
  const gone = new Promise<void>((done) => child.once('close', () => done()));
  const lines = () =>
    said
      .slice(0, said.lastIndexOf('\n') + 1)
      .split('\n')
      .slice(0, -1);
  return {
    child,
    lines,
    async kill() {
      child.kill('SIGKILL');
      await gone;
      return lines();
    },
  };
}

export function opened(holder: DatabaseProcess): Promise<unknown> {
  return until('another process to open the database', async () => {
    if (holder.lines().some((line) => /^(refused|stderr)/.test(line))) throw new Error(holder.lines().join('\n'));
    return holder.lines().includes('open');
  });
}
