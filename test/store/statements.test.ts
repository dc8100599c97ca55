/** Every statement of the program is understood by both databases, against the schema as it is. */
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { declaredStatements, statement } from '../../src/store/db.js';
import { databases } from '../support/databases.js';

const store = resolve(import.meta.dirname, '../../src/store');
/** Runs as a thread only. */
const IS_A_PROGRAM = 'embedded-worker.ts';

const selectPrepared = statement<{ name: string }>('test_select_prepared', 'select name from pg_prepared_statements');

beforeAll(async () => {
  for (const file of readdirSync(store)) if (file !== IS_A_PROGRAM) await import(join(store, file));
});

describe.each(databases)('on $name', ({ open }) => {
  it('every declared statement can be prepared', async () => {
    const declared = declaredStatements();
    expect(declared.length).toBeGreaterThan(60);
    const db = await open();
    try {
      const failed: string[] = [];
      for (const { name, text } of declared) {
        // a script is told nothing but a text, so that it is PostgreSQL and no cache that prepares
        await db.script(`prepare "as_${name}" as ${text}; deallocate "as_${name}"`).catch((error: Error) => {
          failed.push(`${name}: ${error.message}`);
        });
      }
      expect(failed).toEqual([]);
      expect((await db.query(selectPrepared)).filter(({ name }) => name.startsWith('as_'))).toEqual([]);
    } finally {
      await db.close();
    }
  });
});

it('statements are static: what varies is a parameter', () => {
  const wrong = declaredStatements().filter(({ text }) => /\$\{|'\s*\+|;\s*\S/.test(text));
  expect(wrong.map(({ name }) => name)).toEqual([]);
});
