/** What every `Db` does; run on each (`db.test.ts`). */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Db, DbError, isUniqueViolation, type Queryable, statement } from '../../src/store/db.js';
import { until } from '../support/until.js';

const insert = statement('conform_insert', 'insert into conform_items (name, amount) values ($1::text, $2::integer)');
const read = statement<{ name: string; amount: number }>(
  'conform_read',
  'select name, amount from conform_items order by name',
);
const raise = statement<{ amount: number }>(
  'conform_raise',
  'update conform_items set amount = amount + 1 where name = $1::text returning amount',
);
const lock = statement<{ amount: number }>(
  'conform_lock',
  'select amount from conform_items where name = $1::text for update',
);
const set = statement('conform_set', 'update conform_items set amount = $2::integer where name = $1::text');
const insertChild = statement('conform_insert_child', 'insert into conform_children values ($1::text)');
const notify = statement('conform_notify', "select pg_notify('conform', $1::text)");
const broken = statement('conform_broken', 'select nothing_like_this from conform_items');
const divide = statement<{ quotient: number }>('conform_divide', 'select 1 / $1::integer as quotient');
const echoJson = statement<{ value: string; kept: string }>(
  'conform_echo_json',
  'select $1::json as value, $1::text as kept',
);
const countRows = statement<{ rows: number; characters: number }>(
  'conform_count_rows',
  'select count(*) as rows, sum(length(t.text)) as characters from json_to_recordset($1::json) as t (text text)',
);
const many = statement<{ number: number; text: string }>(
  'conform_many',
  "select n as number, repeat('ä', 20) || n as text from generate_series(1, $1::integer) n",
);
const values = statement<Record<string, unknown>>(
  'conform_values',
  `
  select
    32767::int2 as int2, 2147483647::int4 as int4, 9007199254740991::int8 as int8, 1.5::float4 as float4,
    0.1::float8 as float8, 12.50::numeric as numeric, true as yes, false as no, null::text as nothing,
    timestamptz '2026-02-03 04:05:06.789+02' as at, '\\x00ff10'::bytea as bytes, ''::text as empty,
    array['a', 'b,c', 'd"e\\f', '{}', '', 'NULL', ' ']::text[] as texts, array[]::text[] as no_texts,
    array[1, 2]::text[] as plain, '{"b": 1.0, "a": 9007199254740993}'::json as json, '[1.0]'::jsonb as jsonb,
    date '2026-02-03' as day, 'ok'::varchar as varchar`,
);
const echo = statement<Record<string, unknown>>(
  'conform_echo',
  `
  select
    $1::text as text, $2::integer as number, $3::boolean as truth, $4::timestamptz as at, $5::bytea as bytes,
    $6::text[] as texts, array_to_json($7::integer[])::text as numbers, $8::float8 as float, $9::text as nothing, $10::bigint as big`,
);
const tooLarge = statement<{ value: number }>('conform_too_large', 'select 9007199254740993::int8 as value');

export function exerciseDb(open: () => Promise<Db>): void {
  let db: Db;
  beforeAll(async () => {
    db = await open();
    await db.script(`
      create table conform_items (name text constraint conform_once primary key, amount integer not null);
      create table conform_children (parent text constraint conform_parent references conform_items
        deferrable initially deferred);`);
  });
  afterAll(() => db.close());
  beforeEach(() => db.script('truncate conform_items, conform_children'));

  const names = async (from: Queryable = db) => (await from.query(read)).map((row) => row.name);
  const failure = (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => undefined,
      (error: unknown) => error,
    );

  describe('values', () => {
    it('come back as the seam says', async () => {
      const [row] = await db.query(values);
      expect(row).toEqual({
        int2: 32767,
        int4: 2147483647,
        int8: 9007199254740991,
        float4: 1.5,
        float8: 0.1,
        numeric: 12.5,
        yes: true,
        no: false,
        nothing: null,
        at: new Date('2026-02-03T02:05:06.789Z'),
        bytes: new Uint8Array([0, 255, 16]),
        empty: '',
        texts: ['a', 'b,c', 'd"e\\f', '{}', '', 'NULL', ' '],
        no_texts: [],
        plain: ['1', '2'],
        json: '{"b": 1.0, "a": 9007199254740993}',
        jsonb: '[1.0]',
        day: '2026-02-03',
        varchar: 'ok',
      });
    });

    it('go there and back unchanged', async () => {
      const at = new Date('1999-12-31T23:59:59.123Z');
      const texts = ['plain', '', 'NULL', 'a"b\\c', '{x,y}', ' ü \u2028 🧬', "'; drop table jobs; --"];
      const bytes = new Uint8Array([0, 1, 127, 128, 255]);
      const [row] = await db.query(echo, [
        'ü 🧬 "\\\'',
        -5,
        true,
        at,
        bytes,
        texts,
        [1, -2, 3],
        1.5e-7,
        null,
        Number.MAX_SAFE_INTEGER,
      ]);
      expect(row).toEqual({
        text: 'ü 🧬 "\\\'',
        number: -5,
        truth: true,
        at,
        bytes,
        texts,
        numbers: '[1,-2,3]',
        float: 1.5e-7,
        nothing: null,
        big: Number.MAX_SAFE_INTEGER,
      });
    });

    it('keep the text of JSON: numbers, key order and spacing', async () => {
      const text = '[1.0, 9007199254740993, 1e22, -0.0, "\\u2028", {"b":1,"a":2}]';
      expect(await db.query(echoJson, [text])).toEqual([{ value: text, kept: text }]);
    });

    it('of integers beyond 2^53 are an error, never another number, and leave the connection whole', async () => {
      const error = await failure(db.query(tooLarge));
      expect(error).toBeInstanceOf(DbError);
      expect((error as DbError).sqlState).toBe('22003');
      expect(await names()).toEqual([]);
    });

    it('can be megabytes: ten thousand rows as one parameter, and as many rows back', async () => {
      const rows = Array.from({ length: 10_000 }, () => ({ text: 'ß'.repeat(200) }));
      expect(await db.query(countRows, [JSON.stringify(rows)])).toEqual([{ rows: 10_000, characters: 2_000_000 }]);
      const found = await db.query(many, [10_000]);
      expect(found).toHaveLength(10_000);
      expect(found[9_999]).toEqual({ number: 10_000, text: `${'ä'.repeat(20)}10000` });
    });
  });

  describe('a query', () => {
    it('is recorded when it has resolved', async () => {
      await db.query(insert, ['a', 1]);
      expect(await db.query(read)).toEqual([{ name: 'a', amount: 1 }]);
    });

    it('tells what failed by SQLSTATE, constraint and statement, and harms nothing after it', async () => {
      await db.query(insert, ['a', 1]);
      const error = await failure(db.query(insert, ['a', 2]));
      expect(error).toMatchObject({ sqlState: '23505', constraint: 'conform_once', statementName: 'conform_insert' });
      expect(isUniqueViolation(error, 'conform_once')).toBe(true);
      expect(isUniqueViolation(error, 'another')).toBe(false);
      expect(await db.query(read)).toEqual([{ name: 'a', amount: 1 }]);
    });

    it('that can not be prepared says why, each time and to each who asked at once', async () => {
      const errors = await Promise.all([1, 2, 3].map(() => failure(db.query(broken))));
      errors.push(await failure(db.query(broken)));
      for (const error of errors) {
        expect(error).toMatchObject({ sqlState: '42703', statementName: 'conform_broken' });
      }
    });

    it('that failed when it ran works with other parameters', async () => {
      const first = await Promise.all([failure(db.query(divide, [0])), failure(db.query(divide, [0]))]);
      for (const error of first) expect(error).toMatchObject({ sqlState: '22012' });
      expect(await db.query(divide, [1])).toEqual([{ quotient: 1 }]);
      expect(await failure(db.query(divide, [0]))).toMatchObject({ sqlState: '22012' });
      expect(await db.query(divide, [-1])).toEqual([{ quotient: -1 }]);
    });

    it('asked a hundred times at once is answered a hundred times, each with its own', async () => {
      const found = await Promise.all(Array.from({ length: 100 }, (_, n) => db.query(divide, [n === 0 ? 1 : n])));
      expect(found.map(([row]) => row?.quotient)).toEqual([1, 1, ...Array(98).fill(0)]);
    });
  });

  describe('a transaction', () => {
    it('commits what it wrote and returns what its work returned', async () => {
      const result = await db.transaction(async (tx) => {
        await tx.query(insert, ['a', 1]);
        await tx.query(insert, ['b', 2]);
        expect(await names(tx)).toEqual(['a', 'b']);
        return 'done';
      });
      expect(result).toBe('done');
      expect(await names()).toEqual(['a', 'b']);
    });

    it('that asks nothing returns too', async () => {
      expect(await db.transaction(async () => 7)).toBe(7);
      expect(await names()).toEqual([]);
    });

    it('whose work throws leaves nothing', async () => {
      const error = new Error('no');
      const work = db.transaction(async (tx) => {
        await tx.query(insert, ['a', 1]);
        throw error;
      });
      expect(await failure(work)).toBe(error);
      expect(await names()).toEqual([]);
    });

    it('with a failed statement leaves nothing, even when its work goes on as if all were well', async () => {
      const work = db.transaction(async (tx) => {
        await tx.query(insert, ['a', 1]);
        await failure(tx.query(insert, ['a', 1]));
        return 'well';
      });
      expect(await failure(work)).toMatchObject({ sqlState: '23505', constraint: 'conform_once' });
      expect(await names()).toEqual([]);
    });

    it('whose first statement fails leaves the database ready for the next', async () => {
      expect(await failure(db.transaction((tx) => tx.query(broken)))).toMatchObject({ sqlState: '42703' });
      await db.transaction((tx) => tx.query(insert, ['a', 1]));
      expect(await names()).toEqual(['a']);
    });

    it('whose commit fails is rejected with the reason, and those that follow are not touched', async () => {
      const orphan = failure(db.transaction((tx) => tx.query(insertChild, ['nobody'])));
      const followers = Array.from({ length: 5 }, (_, n) => db.transaction((tx) => tx.query(insert, [`f${n}`, n])));
      expect(await orphan).toMatchObject({ sqlState: '23503', constraint: 'conform_parent' });
      await Promise.all(followers);
      expect(await names()).toEqual(['f0', 'f1', 'f2', 'f3', 'f4']);
    });

    it('is alone with the rows it has locked: two hundred at once lose no increment', async () => {
      await db.query(insert, ['a', 0]);
      const once = () =>
        db.transaction(async (tx) => {
          const [row] = await tx.query(lock, ['a']);
          await tx.query(set, ['a', (row?.amount ?? 0) + 1]);
        });
      await Promise.all([
        ...Array.from({ length: 200 }, once),
        ...Array.from({ length: 50 }, () => db.query(raise, ['a'])),
      ]);
      expect(await db.query(read)).toEqual([{ name: 'a', amount: 250 }]);
    });

    it('is never seen half by a query outside', async () => {
      const seen: number[] = [];
      const write = async () => {
        for (let n = 0; n < 30; n += 1) {
          await db.transaction(async (tx) => {
            await tx.query(insert, [`x${n}`, n]);
            await tx.query(insert, [`y${n}`, n]);
          });
        }
      };
      let writing = true;
      const look = async () => {
        while (writing) seen.push((await names()).length);
      };
      const looking = look();
      await write();
      writing = false;
      await looking;
      expect(seen.filter((count) => count % 2 !== 0)).toEqual([]);
    });

    it('leaves room for others: while long ones queue, a query is answered in its turn', async () => {
      const order: string[] = [];
      const long = (name: string) =>
        db.transaction(async (tx) => {
          for (let n = 0; n < 20; n += 1) await tx.query(insert, [`${name}${n}`, n]);
        });
      const all = [
        long('p').then(() => order.push('first')),
        db.query(read).then(() => order.push('query')),
        long('q').then(() => order.push('second')),
      ];
      await Promise.all(all);
      expect(order.indexOf('query')).toBeLessThan(order.indexOf('second'));
    });
  });

  describe('a script', () => {
    it('is one transaction: when its last statement fails, its first left nothing', async () => {
      const script = "insert into conform_items values ('a', 1); insert into conform_items values ('a', 2);";
      expect(await failure(db.script(script))).toMatchObject({ sqlState: '23505', constraint: 'conform_once' });
      expect(await names()).toEqual([]);
    });

    it('may change a table whose statements were used before', async () => {
      await db.query(read);
      await db.script("alter table conform_items add column note text not null default 'none'");
      await db.query(insert, ['a', 1]);
      expect(await db.query(read)).toEqual([{ name: 'a', amount: 1 }]);
    });

    it('may be empty, or nothing but a comment', async () => {
      await db.script('');
      await db.script('-- nothing\n');
      expect(await names()).toEqual([]);
    });
  });

  it('tells listeners of notifications that were committed, until they leave', async () => {
    const heard: string[] = [];
    const also: string[] = [];
    const leave = await db.listen('conform', (payload) => heard.push(payload));
    const leaveAlso = await db.listen('conform', (payload) => also.push(payload));
    await failure(
      db.transaction(async (tx) => {
        await tx.query(notify, ['rolled back']);
        throw new Error('no');
      }),
    );
    await db.transaction((tx) => tx.query(notify, ['one']));
    await until('the first notification', async () => heard.includes('one') && also.includes('one'));
    await leave();
    await db.query(notify, ['two']);
    await until('the second notification', async () => also.includes('two'));
    expect(heard).toEqual(['one']);
    expect(also).toEqual(['one', 'two']);
    await leaveAlso();
  });

  it('does under one name one thing at a time', async () => {
    let finish = (): void => undefined;
    const busy = new Promise<void>((done) => {
      finish = done;
    });
    let begun = (): void => undefined;
    const started = new Promise<void>((done) => {
      begun = done;
    });
    const first = db.exclusively('chore', () => {
      begun();
      return busy;
    });
    await started;
    expect(await db.exclusively('chore', async () => undefined)).toBe(false);
    expect(await db.exclusively('another', async () => undefined)).toBe(true);
    finish();
    expect(await first).toBe(true);
    expect(await db.exclusively('chore', async () => undefined)).toBe(true);
  });

  it('answers what was asked before it was closed, refuses what is asked after, and can be closed twice', async () => {
    const own = await open();
    const asked = Promise.all([own.query(divide, [1]), own.transaction((tx) => tx.query(divide, [1]))]);
    const [answers] = await Promise.all([asked, asked.then(() => own.close())]);
    expect(answers).toEqual([[{ quotient: 1 }], [{ quotient: 1 }]]);
    await own.close();
    expect(await failure(own.query(divide, [1]))).toBeInstanceOf(Error);
    expect(await failure(own.transaction((tx) => tx.query(divide, [1])))).toBeInstanceOf(Error);
  });
}
