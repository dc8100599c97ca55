/**
 * A database directory, made at build time with the schema in it: a first start unpacks it in half a second, where making
 * one takes several. One file: gzip of a line of JSON that lists what is in it, and then the contents in that order.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';

const ROOT = new URL('../../', import.meta.url);
export const MIGRATIONS = fileURLToPath(new URL('migrations', ROOT));
const DIST = fileURLToPath(new URL('dist', ROOT));

interface Listing {
  readonly directories: readonly string[];
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

/** Where the template for exactly this PGlite and these migrations is, or would be. */
export function templateFile(): string {
  const hash = createHash('sha256').update(`2 ${pgliteVersion()}\n`);
  for (const name of readdirSync(MIGRATIONS).sort()) {
    hash.update(`${name}\n`).update(readFileSync(join(MIGRATIONS, name)));
  }
  return join(DIST, `pg-template-${hash.digest('hex').slice(0, 12)}.gz`);
}

function pgliteVersion(): string {
  const program = createRequire(import.meta.url).resolve('@electric-sql/pglite');
  const { version } = JSON.parse(readFileSync(join(dirname(program), '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  return version;
}

/** Of a directory whose database was closed. Killed while writing, there is no template. */
export function packTemplate(directory: string, file: string): void {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  const paths = entries.map((entry) => ({ entry, path: relative(directory, join(entry.parentPath, entry.name)) }));
  const directories = paths.filter(({ entry }) => entry.isDirectory()).map(({ path }) => path);
  const contents = paths.filter(({ entry }) => entry.isFile()).map(({ path }) => path);
  const files = contents.map((path) => ({ path, size: statSync(join(directory, path)).size }));
  const listing = Buffer.from(`${JSON.stringify({ directories: directories.sort(), files } satisfies Listing)}\n`);
  const packed = gzipSync(Buffer.concat([listing, ...contents.map((path) => readFileSync(join(directory, path)))]));
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, packed);
  renameSync(draft, file);
}

/** False when there is no template; nothing was made then. */
export function unpackTemplate(directory: string, file: string): boolean {
  if (!existsSync(file)) return false;
  const whole = gunzipSync(readFileSync(file));
  const begin = whole.indexOf('\n') + 1;
  const { directories, files } = JSON.parse(whole.toString('utf8', 0, begin)) as Listing;
  mkdirSync(directory, { mode: 0o700 });
  for (const path of directories) mkdirSync(join(directory, path), { mode: 0o700 });
  let at = begin;
  for (const { path, size } of files) {
    writeFileSync(join(directory, path), whole.subarray(at, at + size), { mode: 0o600 });
    at += size;
  }
  return true;
}
