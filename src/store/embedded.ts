/** PGlite in this process; to be replaced by the worker. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { PGlite, types } from '@electric-sql/pglite';
import { type Db, DbError, type Param, type Queryable, type Statement } from './db.js';
import { createExclusively } from './exclusively.js';

const text = (value: string) => value;
const parsers = { [types.INT8]: Number, [types.NUMERIC]: Number, [types.JSON]: text, [types.JSONB]: text };

interface Runner {
  query<Row>(text: string, params: unknown[], options: object): Promise<{ rows: Row[] }>;
}

function queryable(runner: Runner): Queryable {
  return {
    async query<Row>(statement: Statement<Row>, params: readonly Param[] = []): Promise<Row[]> {
      try {
        return (await runner.query<Row>(statement.text, [...params], { parsers })).rows;
      } catch (error) {
        const { message, code, constraint } = error as { message: string; code?: string; constraint?: string };
        throw new DbError(message, code ?? 'XX000', constraint, statement.name, { cause: error });
      }
    },
  };
}

export async function openEmbeddedDb({
  dataDir,
}: {
  dataDir: string;
  onFatal?: (error: unknown) => void;
}): Promise<Db> {
  mkdirSync(join(dataDir, 'pg'), { recursive: true });
  const pg = await PGlite.create({ dataDir: join(dataDir, 'pg') });
  return {
    kind: 'embedded',
    ...queryable(pg as unknown as Runner),
    transaction: (work) => pg.transaction((tx) => work(queryable(tx as unknown as Runner))) as never,
    script: async (sql) => {
      await pg.transaction((tx) => tx.exec(sql));
    },
    listen: async (channel, handler) => pg.listen(channel, handler),
    exclusively: createExclusively(),
    close: () => pg.close(),
  };
}
