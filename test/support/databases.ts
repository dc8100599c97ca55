import { readdirSync, readFileSync } from 'node:fs';
import { PGlite, types } from '@electric-sql/pglite';
import { type Db, DbError, type Queryable } from '../../src/store/db.js';
import { createExclusively } from '../../src/store/exclusively.js';
export async function openTestDb(): Promise<Db> {
  const pg = await PGlite.create();
  const migrations = new URL('../../migrations/', import.meta.url);
  for (const file of readdirSync(migrations).sort()) await pg.exec(readFileSync(new URL(file, migrations), 'utf8'));
  const parsers = { [types.INT8]: Number, [types.JSON]: (s: string) => s, [types.JSONB]: (s: string) => s };
  const q = (c: any): Queryable => ({
    query: async (s, p) => {
      try {
        return (await c.query(s.text, [...(p ?? [])], { parsers })).rows;
      } catch (e: any) {
        throw new DbError(e.message, e.code ?? 'XX000', e.constraint, s.name, { cause: e });
      }
    },
  });
  return {
    kind: 'embedded',
    ...q(pg),
    transaction: (w) => pg.transaction((t) => w(q(t))) as any,
    script: async () => {},
    listen: async () => async () => {},
    exclusively: createExclusively(),
    close: () => pg.close(),
  };
}
