/** What the pages compute: searches, rows of a file, receipts for a spreadsheet, numbers for the charts. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BatchItem, Receipt } from '../../src/contract/schemas.js';
import { durationBins, endings, quantile } from '../../web/src/batch/chart-data.js';
import { agoText, durationText } from '../../web/src/parts/durations.js';
import { parseSearch, withTerm } from '../../web/src/parts/search.js';
import { receiptsCsv } from '../../web/src/retries/receipts-csv.js';
import { firstMapping, guessFormat, readRows, readSheet } from '../../web/src/submit/rows.js';

describe('a search', () => {
  it('is terms and words, and says what it does not understand', () => {
    expect(parseSearch('state:failed,running user:me app:phix.stats ws:3 two words')).toEqual({
      states: ['error', 'running'],
      user: 'me',
      app: 'phix.stats',
      workspace: 3,
      inputs: null,
      text: 'two words',
      problems: [],
    });
    expect(parseSearch('state:waiting').states).toEqual(['created', 'estimating', 'queued']);
    expect(parseSearch('user:"ada l"').user).toBe('ada l');
    expect(parseSearch('http://x state:blue ws:x')).toMatchObject({ text: 'http://x', states: [], workspace: null });
    expect(parseSearch('state:blue ws:x').problems).toHaveLength(2);
  });

  it('keeps its other terms when one is set and taken away again', () => {
    expect(withTerm('user:me hello', 'state', 'failed')).toBe('state:failed user:me hello');
    expect(withTerm('state:failed user:me', 'state', 'running')).toBe('state:running user:me');
    expect(withTerm('state:failed user:me', 'state', null)).toBe('user:me');
    fc.assert(
      fc.property(fc.string(), (typed) => {
        expect(parseSearch(withTerm(typed, 'state', 'failed')).states).toEqual(['error']);
        expect(parseSearch(withTerm(withTerm(typed, 'state', 'failed'), 'state', null)).states).toEqual([]);
      }),
    );
  });
});

const SCHEMA = {
  type: 'object',
  additionalProperties: false,
  properties: { name: { type: 'string' }, Reads: { type: 'integer' } },
};

describe('rows of a file', () => {
  it('of CSV become parameters of the schema’s types, each bad one told with its line', () => {
    const sheet = readSheet('name,reads,extra\r\n007,7,x\n"two\nlines",9007199254740993,x\nc,z,x\nshort,1\n', 'csv');
    const mapping = firstMapping('names' in sheet ? sheet.names : [], SCHEMA);
    expect(mapping).toEqual({ name: 'name', reads: 'Reads', extra: null });
    expect(readRows(sheet, mapping, SCHEMA)).toEqual([
      { line: 2, params: '{"name":"007","Reads":7}', problem: null },
      { line: 3, params: '{"name":"two\\nlines","Reads":9007199254740993}', problem: null },
      { line: 5, params: null, problem: "'Reads' must be an integer, not 'z'" },
      { line: 6, params: null, problem: '2 cells where the first row has 3' },
    ]);
  });

  it('may be separated by tabs or semicolons, as spreadsheets paste and save them', () => {
    const pasted = readSheet('name\treads, all\nx\t"a, ""b"""\n', 'csv');
    expect(readRows(pasted, firstMapping(['name', 'reads, all'], null), null)).toEqual([
      { line: 2, params: JSON.stringify({ name: 'x', 'reads, all': 'a, "b"' }), problem: null },
    ]);
    const saved = readSheet('name;n\nx;"1,5"\ny\n', 'csv');
    expect(readRows(saved, { name: 'name', n: null }, null)).toEqual([
      { line: 2, params: '{"name":"x"}', problem: null },
      { line: 3, params: null, problem: '1 cell where the first row has 2' },
    ]);
    // one column is one column
    expect(readSheet('name\nx;1\n', 'csv')).toMatchObject({ names: ['name'], rows: [{ cells: ['x;1'] }] });
  });

  it('of JSON lines keep their text to the letter', () => {
    const sheet = readSheet('\ufeff{"b":1.0, "a":9007199254740993}\n\n{"a":\n[1]', 'jsonl');
    const rows = readRows(sheet, {}, null);
    expect(rows[0]).toEqual({ line: 1, params: '{"b":1.0, "a":9007199254740993}', problem: null });
    expect(rows[1]).toMatchObject({ line: 3, params: null });
    expect(rows[1]!.problem).toMatch(/^not JSON/);
    expect(rows[2]).toEqual({ line: 4, params: '[1]', problem: null });
  });

  it('are told apart by the file’s name, else by how they begin', () => {
    expect(guessFormat('a,b', 'x.jsonl')).toBe('jsonl');
    expect(guessFormat('{"a":1}', null)).toBe('jsonl');
    expect(guessFormat('name,reads\na,1', null)).toBe('csv');
    expect(() => readSheet('a,a\n1,2', 'csv')).toThrow("the CSV has two columns named 'a'");
    expect(() => readSheet('a;;b\n1;2;3', 'csv')).toThrow('column 2 of the CSV has no name');
    expect(() => readSheet('a,"b\n1,2', 'csv')).toThrow('the CSV cannot be read');
  });
});

describe('receipts as CSV', () => {
  it('quote what must be quoted and hold no formula', () => {
    const receipt: Receipt = {
      index: 0,
      requested_id: '=1+1',
      accepted: false,
      root_id: null,
      retry_id: null,
      retry_number: null,
      code: 'NOT_FOUND',
      message: 'no "job", here',
      blocking_id: null,
    };
    const [, row] = receiptsCsv([receipt]).split('\r\n');
    expect(row).toBe(`0,'=1+1,false,,,NOT_FOUND,"no ""job"", here",,`);
  });
});

const attempt = (ms: number, failed: boolean): BatchItem =>
  ({
    status: failed ? 'error' : 'completed',
    running_at: new Date(0).toISOString(),
    finished_at: new Date(ms).toISOString(),
  }) as BatchItem;

describe('charts', () => {
  it('count every attempt in exactly one bin, and at the last moment all of them', () => {
    const attempts = fc.array(fc.tuple(fc.integer({ min: 0, max: 10 ** 9 }), fc.boolean()), { minLength: 1 });
    fc.assert(
      fc.property(attempts, (all) => {
        const rows = all.map(([ms, failed]) => attempt(ms, failed));
        const bins = durationBins(rows);
        expect(bins.reduce((sum, bin) => sum + bin.failed + bin.completed, 0)).toBe(all.length);
        const { completed, failed } = endings(rows);
        expect(completed.at(-1)! + failed.at(-1)!).toBe(all.length);
      }),
    );
    expect(durationBins([])).toEqual([]);
    expect(quantile([3, 1, 2], 0.5)).toBe(2);
  });
});

describe('times', () => {
  it('have two units at most, and never sixty of one', () => {
    const texts = [0, 950, 12_340, 59_960, 252_000, 12_000_000, 187_200_000].map(durationText);
    expect(texts).toEqual(['0 ms', '950 ms', '12.3 s', '1 min 0 s', '4 min 12 s', '3 h 20 min', '2 d 4 h']);
    expect([0, 59_000, 61_000, 7_200_000].map(agoText)).toEqual(['just now', '59 s ago', '1 min ago', '2 h ago']);
  });
});
