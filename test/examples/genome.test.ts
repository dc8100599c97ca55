import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeRepository } from '../../examples/genome/make-repository.mjs';
import {
  differences,
  mergeWindows,
  planWindows,
  readGenome,
  type WindowParams,
  type WindowResult,
  wholeGenome,
} from '../../examples/genome/merge.mjs';

const example = (name: string) => fileURLToPath(new URL(`../../examples/genome/${name}`, import.meta.url));
/** Carsonella ruddii DC, ASM44157v1, 174,014 bp. */
const genome = fileURLToPath(new URL('../fixtures/carsonella_ASM44157v1.fna.gz', import.meta.url));
const codonTable = example('codon-table.json');
const sequence = readGenome(genome);
const whole = wholeGenome(sequence);

const directory = mkdtempSync(join(tmpdir(), 'reprise-genome-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** Runs the app as a job would, and says how it ended. */
function run(app: string, params: WindowParams, codons = codonTable) {
  const cwd = mkdtempSync(join(directory, 'job-'));
  writeFileSync(join(cwd, 'input.json'), JSON.stringify({ genome, ...params, codon_table: codons }));
  const { status, stderr } = spawnSync(process.execPath, [join(app, 'window.mjs')], { cwd, encoding: 'utf8' });
  const outputFile = join(cwd, 'output.json');
  const output = existsSync(outputFile) ? (JSON.parse(readFileSync(outputFile, 'utf8')) as WindowResult) : null;
  return { status, stderr, output };
}

const resultOf = (params: WindowParams) => run(example('app-v1'), params).output as WindowResult;

describe('windows of a genome', () => {
  let results: WindowResult[];
  beforeAll(() => {
    results = planWindows(sequence.length, { count: 12 }).map(resultOf);
  });

  test('merged they equal the run over the whole genome in number, length, position and bases', () => {
    expect(whole.orfs.length).toBeGreaterThan(100);
    expect(differences(mergeWindows(results), whole)).toEqual([]);
    expect(mergeWindows(results)).toEqual(whole);
  });

  test('any one window that is lost shows in the counts', () => {
    for (const lost of results.keys()) {
      const rest = results.filter((_, index) => index !== lost);
      expect(differences(mergeWindows(rest), whole), `window ${lost + 1}`).not.toEqual([]);
    }
  });

  test('any one window that is counted twice shows in the counts', () => {
    for (const doubled of results)
      expect(differences(mergeWindows([...results, doubled]), whole), `at ${doubled.start}`).not.toEqual([]);
  });

  test('a window in the place of another shows in the counts', () => {
    const [first, , ...rest] = results as [WindowResult, WindowResult, ...WindowResult[]];
    expect(differences(mergeWindows([first, first, ...rest]), whole)).not.toEqual([]);
  });
});

test('the cores of the windows tile a genome of any length without gap or overlap', () => {
  for (const length of [3, 40, 41, 1000, sequence.length, 4_938_920]) {
    let next = 1;
    for (const { start, core_length, overlap } of planWindows(length)) {
      expect(start).toBe(next);
      next = start + core_length;
      expect(next + overlap).toBeLessThanOrEqual(length + 1);
    }
    expect(next).toBe(length + 1);
  }
});

test('the genome of E. coli 536 (NC_008253) makes 40 windows of 123,473 bp', () => {
  const windows = planWindows(readGenome(example('NC_008253.fna.gz')).length);
  expect(windows).toHaveLength(40);
  expect(windows.every(({ core_length }) => core_length === 123_473)).toBe(true);
  expect(windows.at(-1)?.overlap).toBe(0);
});

describe('the app', () => {
  const window = { start: 1, core_length: 20_000, overlap: 10_000 };

  test('a codon table that is missing ends it with exit code 3 and a sentence that names the file', () => {
    const { status, stderr, output } = run(example('app-v1'), window, '/nowhere/codon-table.json');
    expect({ status, output }).toEqual({ status: 3, output: null });
    expect(stderr).toBe('the codon table /nowhere/codon-table.json is missing\n');
  });

  test('an overlap too short for a reading frame is an error, never a wrong result', () => {
    const { status, output } = run(example('app-v1'), { ...window, overlap: 30 });
    expect({ status, output }).toEqual({ status: 4, output: null });
  });

  test('its repository has the same two commits wherever it is made, and they give different results', () => {
    const places = ['one', 'two'].map((name) => join(directory, name)) as [string, string];
    const [one, two] = [makeRepository(places[0]), makeRepository(places[1])];
    expect(one).toEqual(two);
    const atCommit = (commit: string) => {
      execFileSync('git', ['checkout', '--quiet', commit], { cwd: places[0] });
      return run(places[0], window).output as WindowResult;
    };
    const [older, newer] = one.map(atCommit) as [WindowResult, WindowResult];
    expect([older.minimum_length, newer.minimum_length]).toEqual([300, 150]);
    expect(newer.orfs.length).toBeGreaterThan(older.orfs.length);
  });
});
