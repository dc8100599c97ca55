/** Documents that could drift are compared with the tables they describe. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ERRORS, REFUSAL_CODES } from '../src/contract/errors.js';
import { operations } from '../src/contract/operations.js';
import { STATUSES, TRANSITIONS } from '../src/contract/status.js';

const root = resolve(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const rowsOf = (markdown: string) =>
  markdown
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );

describe('docs/errors.md', () => {
  it('lists every error with its HTTP status, its JSON-RPC code and its meaning', () => {
    const documented = rowsOf(read('docs/errors.md').split('## Refusals')[0]!);
    const table = Object.entries(ERRORS).map(([code, e]) => [`\`${code}\``, `${e.http}`, `${e.rpcCode}`, e.meaning]);
    expect(documented).toEqual(table);
  });

  it('names every refusal code of a retry', () => {
    const section = read('docs/errors.md').split('## Refusals')[1]!;
    for (const code of REFUSAL_CODES) expect(section).toContain(`\`${code}\``);
  });
});

describe('docs/state-machine.md', () => {
  it('has every transition and no other', () => {
    const rows = rowsOf(read('docs/state-machine.md').split('## Codes')[0]!).filter((row) => row.length === 2);
    const documented = rows.map(([from, to]) => [from!.replaceAll('`', ''), to!.match(/[a-z]+/g) ?? []]);
    expect(documented).toEqual(STATUSES.map((status) => [status, TRANSITIONS[status]]));
  });
});

describe('docs/ee2-compatibility.md', () => {
  it("has every call of EE2, and marks those that are a worker's", () => {
    const section = read('docs/ee2-compatibility.md').split('## Calls')[1]!.split('## What is otherwise')[0]!;
    const documented = rowsOf(section).map(([call, needs]) => [call, needs!.includes('_worker_')]);
    const table = Object.values(operations).flatMap((o) =>
      'ee2' in o ? [[`\`${o.ee2.method}\``, 'worker' in o.ee2]] : [],
    );
    expect(documented.sort()).toEqual(table.sort());
    expect(table).toHaveLength(28);
  });
});

describe('the documents', () => {
  const pages = [
    'README.md',
    'CONTRIBUTING.md',
    'CHANGELOG.md',
    ...readdirSync(join(root, 'docs')).map((p) => `docs/${p}`),
  ]
    .concat(readdirSync(join(root, 'docs/adr')).map((p) => `docs/adr/${p}`))
    .filter((page) => page.endsWith('.md'));

  it.each(pages)('%s links only to what exists', (page) => {
    const links = [...read(page).matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)].map((match) => match[1]!);
    const missing = links.filter((link) => !existsSync(resolve(root, dirname(page), link)));
    expect(missing).toEqual([]);
  });

  it('name only npm scripts that exist', () => {
    const scripts = Object.keys(JSON.parse(read('package.json')).scripts);
    const named = pages.flatMap((page) => [...read(page).matchAll(/npm run ([\w:-]+)/g)].map((match) => match[1]!));
    expect(named.filter((name) => !scripts.includes(name))).toEqual([]);
  });
});

describe('the table of operations', () => {
  it('has no two operations with one route or one EE2 name', () => {
    const rest = Object.values(operations).flatMap((o) => ('rest' in o ? [`${o.rest.method} ${o.rest.path}`] : []));
    const ee2 = Object.values(operations).flatMap((o) => ('ee2' in o ? [o.ee2.method] : []));
    expect(new Set(rest).size).toBe(rest.length);
    expect(new Set(ee2).size).toBe(ee2.length);
  });
});
