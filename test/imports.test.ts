/** Imports run one way (docs/architecture.md). */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, it } from 'vitest';

const src = resolve(import.meta.dirname, '../src');

/** What each part may import besides itself. Leaves may be imported by all but `contract`. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  contract: [],
  store: ['contract'],
  schedulers: ['contract'],
  kbase: ['contract'],
  catalog: ['contract', 'store', 'kbase'],
  auth: ['contract', 'store', 'kbase'],
  engine: ['contract', 'store', 'schedulers', 'catalog', 'auth'],
  maintenance: ['contract', 'engine', 'store', 'schedulers'],
  api: ['contract', 'engine', 'auth'],
  client: ['contract'],
  runner: ['contract', 'client'],
  cli: ['contract', 'client'],
  log: ['contract'],
  metrics: ['contract'],
  config: ['contract'],
};
const LEAVES = ['log', 'metrics', 'faults', 'program'];
/** Only these see everything, and only they are seen through: the composition root and what starts it. */
const ROOTS = ['server.ts', 'connect.ts', 'offline.ts', 'index.ts'];
/** The only commands that are not clients. */
const READ_CONFIG = ['cli/serve.ts', 'cli/serve-config.ts'];
const OPEN_RECORDS = ['cli/doctor.ts', 'cli/transfer.ts'];
const MAY_IMPORT_SERVER = ['cli/serve.ts', 'cli/demo.ts', 'index.ts'];

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const partOf = (file: string) => (file.includes('/') ? file.split('/')[0]! : file.replace(/\.ts$/, ''));

function importsOf(file: string): string[] {
  const text = readFileSync(join(src, file), 'utf8');
  const targets = [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) => match[1]!);
  return targets.map((target) => relative(src, resolve(src, dirname(file), target)).replace(/\.js$/, '.ts'));
}

function isAllowed(file: string, target: string): boolean {
  const [from, to] = [partOf(file), partOf(target)];
  // the demo runs an example, on a cluster of its own if it is asked to, and says so
  if (/^\.\.\/(examples\/|scripts\/slurm-cluster\.mjs$)/.test(target)) return file.startsWith('cli/demo');
  if (target === 'server.ts') return MAY_IMPORT_SERVER.includes(file);
  if (target === 'offline.ts') return OPEN_RECORDS.includes(file);
  if (to === 'config' && READ_CONFIG.includes(file)) return true;
  if (ROOTS.includes(file) || from === to) return true;
  if (from !== 'contract' && LEAVES.includes(to)) return true;
  return (MAY_IMPORT[from] ?? []).includes(to);
}

it('imports run one way', () => {
  const wrong = files.flatMap((file) =>
    importsOf(file)
      .filter((target) => !isAllowed(file, target))
      .map((target) => `${file} imports ${target}`),
  );
  expect(wrong).toEqual([]);
});

it('the pages import the contract and the client only', () => {
  const web = resolve(import.meta.dirname, '../web/src');
  const pages = readdirSync(web, { recursive: true, encoding: 'utf8' }).filter((file) => /\.tsx?$/.test(file));
  const targets = pages.flatMap((file) =>
    [...readFileSync(join(web, file), 'utf8').matchAll(/from '(\.[^']+)'/g)].map((match) =>
      relative(resolve(web, '../..'), resolve(web, dirname(file), match[1]!)),
    ),
  );
  expect(targets.filter((target) => !/^(web\/src|src\/contract|src\/client)\//.test(target))).toEqual([]);
});

it('only the store has SQL in it', () => {
  const sql = /\b(select|insert into|update|delete from)\s[\s\S]{0,200}\b(from|where|values|set)\b/;
  const elsewhere = files
    .filter((file) => !file.startsWith('store/'))
    .filter((file) =>
      sql.test(readFileSync(join(src, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*|'[^'\n]*'/g, '')),
    );
  expect(elsewhere).toEqual([]);
});

it('no file has a name that says nothing', () => {
  expect(files.filter((file) => /(^|\/)(utils?|common|helpers?|types)\.ts$/.test(file))).toEqual([]);
});
