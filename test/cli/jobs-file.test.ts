import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { formatOf, readCsv, readJsonLines, readText } from '../../src/cli/jobs-file.js';

const paramsOf = (rows: { good: readonly { params: string }[] }) => rows.good.map(({ params }) => params);

describe('JSON lines', () => {
  it('keep the text of each line exactly, numbers too', () => {
    const line = '{"b":1.0, "a":9007199254740993,"c":[1e22,-0.0,"\\u2028"]}';
    expect(readJsonLines(`${line}\n\n 7 \r\n`)).toEqual({
      good: [
        { line: 1, params: line },
        { line: 3, params: '7' },
      ],
      bad: [],
    });
  });

  it('report every bad line with its number', () => {
    const { good, bad } = readJsonLines('\ufeff{"a":1}\n{"a":\n{}\nnope');
    expect(good.map(({ line }) => line)).toEqual([1, 3]);
    expect(bad.map(({ line }) => line)).toEqual([2, 4]);
    for (const { sentence } of bad) expect(sentence).toMatch(/^not JSON \(/);
  });
});

describe('CSV', () => {
  it('takes the parameter names from the first row and leaves empty cells out', () => {
    const text = '\ufeffname,count,ratio\r\n"a, ""quoted""",1,1.0\r\nb,,0.5\r\n';
    expect(readCsv(text, null)).toEqual({
      good: [
        { line: 2, params: '{"name":"a, \\"quoted\\"","count":1,"ratio":1.0}' },
        { line: 3, params: '{"name":"b","ratio":0.5}' },
      ],
      bad: [],
    });
  });

  it('knows the line a record begins at, whatever is quoted and whichever line ends are mixed', () => {
    const text = 'a,b\r\n"x\r\ny",1\n\n\r\n"p\nq\rr",2\r3,4,5\n6,7';
    const { good, bad } = readCsv(text, null);
    expect(good.map(({ line }) => line)).toEqual([2, 6, 10]);
    expect(bad).toEqual([{ line: 9, sentence: '3 cells where the header has 2' }]);
  });

  it('types cells by the schema: a string stays one, a number must be one', () => {
    const schema = { properties: { id: { type: 'string' }, n: { type: 'integer' }, on: { type: 'boolean' } } };
    const { good, bad } = readCsv('id,n,on\n007,12,TRUE\n1e5,x,false\n8,+5,yes\n', schema);
    expect(good).toEqual([{ line: 2, params: '{"id":"007","n":12,"on":true}' }]);
    expect(bad).toEqual([
      { line: 3, sentence: "'n' must be an integer, not 'x'" },
      { line: 4, sentence: "'n' must be an integer, not '+5'" },
    ]);
  });

  it('refuses a header with an empty or a doubled name, and an open quote', () => {
    expect(() => readCsv('a,,b\n', null)).toThrow('column 2 of the CSV has no name');
    expect(() => readCsv('a,a\n', null)).toThrow("two columns named 'a'");
    expect(() => readCsv('a\n"open\n', null)).toThrow('the CSV cannot be read: Quote Not Closed');
  });

  it('asks for commas where the header is one column with another separator in its name', () => {
    expect(() => readCsv('n;label\n1;a\n', null)).toThrow(
      "the CSV has one column named 'n;label': is the separator ';'? columns are separated by commas",
    );
    expect(() => readCsv('n\tlabel\n', null)).toThrow("one column named 'n\\tlabel': is the separator a tab?");
    expect(readCsv('n,label\n1;a\n', null).bad).toEqual([{ line: 2, sentence: '1 cell where the header has 2' }]);
    expect(readCsv('n;label,b\n1,2\n', null).bad).toEqual([]);
  });

  it('gives back any cells that were written by the rules of CSV', () => {
    const cell = fc.string({ minLength: 1 });
    const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;
    const schema = { additionalProperties: { type: 'string' } };
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell), { minLength: 1 }), (rows) => {
        const text = ['x,y', ...rows.map((cells) => cells.map(quote).join(','))].join('\r\n');
        const values = paramsOf(readCsv(text, schema)).map((params) => JSON.parse(params) as object);
        expect(values).toEqual(rows.map(([x, y]) => ({ x, y })));
      }),
    );
  });
});

describe('a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'reprise-jobs-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('that is missing, a directory or not UTF-8 is refused with a sentence', async () => {
    writeFileSync(join(folder, 'latin1.csv'), Buffer.from([0x61, 0xe9, 0x0a]));
    await expect(readText(join(folder, 'none'))).rejects.toThrow('there is no file');
    await expect(readText(folder)).rejects.toThrow('is a directory');
    await expect(readText(join(folder, 'latin1.csv'))).rejects.toThrow('is not UTF-8 text');
  });

  it('tells its format by its name, or is told', () => {
    expect(formatOf('x/Jobs.CSV', undefined)).toBe('csv');
    expect(formatOf('jobs.ndjson', undefined)).toBe('jsonl');
    expect(formatOf('-', undefined)).toBe('jsonl');
    expect(formatOf('jobs.txt', 'csv')).toBe('csv');
    expect(() => formatOf('jobs.txt', undefined)).toThrow('--format');
  });
});
