/** What a first visit loads. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';

const dist = resolve(import.meta.dirname, '../../dist/web');

interface Chunk {
  readonly file: string;
  readonly imports?: readonly string[];
  readonly dynamicImports?: readonly string[];
  readonly css?: readonly string[];
}
const manifest = JSON.parse(readFileSync(join(dist, '.vite/manifest.json'), 'utf8')) as Record<string, Chunk>;

/** A chunk and all it needs before it runs. */
function filesOf(name: string, seen = new Set<string>()): Set<string> {
  const chunk = manifest[name]!;
  if (seen.has(chunk.file)) return seen;
  seen.add(chunk.file);
  for (const other of chunk.imports ?? []) filesOf(other, seen);
  return seen;
}

const packed = (files: Iterable<string>) =>
  [...files].reduce((sum, file) => sum + gzipSync(readFileSync(join(dist, file))).length, 0);

/** Whatever comes first for somebody: signing in, the list, or the link to a batch that someone sent. */
const FIRST = ['src/shell/sign-in-page.tsx', 'src/batches/batches-page.tsx', 'src/batch/batch-page.tsx'];

it('the JavaScript of a first page is under 250 kB compressed, and of no page over 300', () => {
  const start = filesOf('index.html');
  const pages = Object.keys(manifest).filter((name) => name.endsWith('-page.tsx'));
  expect(pages.length).toBeGreaterThanOrEqual(10);
  const sizeOf = (name: string) => packed(new Set([...start, ...filesOf(name)]));
  const limitOf = (name: string) => (FIRST.includes(name) ? 250_000 : 300_000);
  expect(pages.map((name) => [name, sizeOf(name)] as const).filter(([name, bytes]) => bytes > limitOf(name))).toEqual(
    [],
  );
});

it('the chart is loaded only by who looks at it', () => {
  const chart = manifest['src/batch/charts.tsx']!.file;
  expect(filesOf('src/batch/batch-page.tsx')).not.toContain(chart);
  expect(filesOf('index.html')).not.toContain(chart);
});
