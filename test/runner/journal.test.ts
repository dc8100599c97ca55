import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Journal, openJournal, type Submitted } from '../../src/runner/journal.js';

const directory = mkdtempSync(join(tmpdir(), 'reprise-journal-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
let file = '';
let files = 0;
beforeEach(() => {
  files += 1;
  file = join(directory, `${files}.jsonl`);
});

const journals: Journal[] = [];
/** Those before it are as good as killed: nothing of them is closed until the end. */
async function open(path: string): Promise<Journal> {
  const journal = await openJournal(path);
  journals.push(journal);
  return journal;
}
afterEach(() => Promise.all(journals.splice(0).map((journal) => journal.close())));

const submitted = (id: string): Submitted => ({ is: 'submitted', id, job: `job of ${id}`, token: `token of ${id}` });
const finish = { exit_code: 0, exit_signal: null, output: '1.0', peak_memory_mb: null, cpu_seconds: null };

describe('the journal', () => {
  it('knows after a restart what was open, and how far it came', async () => {
    const first = await open(file);
    await Promise.all(['a', 'b', 'c', 'd'].map((id) => first.append(submitted(id))));
    await first.append({ is: 'started', id: 'b', pid: 17, startTime: '4711' });
    await first.append({ is: 'ended', id: 'c', finish, first: 3, lines: [{ line: 'x', is_error: false, ts: 1 }] });
    await first.append({ is: 'closed', id: 'd' });
    // killed: nothing is closed
    const { open: left } = await open(file);
    expect([...left.keys()]).toEqual(['a', 'b', 'c']);
    expect(left.get('a')).toEqual({ submitted: submitted('a'), started: null, ended: null });
    expect(left.get('b')?.started).toMatchObject({ pid: 17, startTime: '4711' });
    expect(left.get('c')?.ended).toMatchObject({ finish, first: 3, lines: [{ line: 'x' }] });
  });

  it('drops a last line that was torn, and goes on after it', async () => {
    const first = await open(file);
    await first.append(submitted('a'));
    appendFileSync(file, '{"is":"submitted","id":"b"');
    const second = await open(file);
    expect([...second.open.keys()]).toEqual(['a']);
    await second.append(submitted('c'));
    expect([...(await open(file)).open.keys()]).toEqual(['a', 'c']);
  });

  it('is rewritten with what is open only', async () => {
    const first = await open(file);
    for (let n = 0; n < 50; n += 1) {
      await first.append(submitted(`n${n}`));
      await first.append({ is: 'closed', id: `n${n}` });
    }
    await first.append(submitted('last'));
    const before = statSync(file).size;
    await open(file);
    expect(statSync(file).size).toBeLessThan(before / 10);
    expect(readFileSync(file, 'utf8')).toContain('token of last');
  });

  it('is rewritten while it is written when it has grown, and loses nothing', async () => {
    const journal = await open(file);
    const output = `"${'x'.repeat(1024 * 1024)}"`;
    for (let n = 0; n < 20; n += 1) {
      await journal.append(submitted(`n${n}`));
      await journal.append({ is: 'ended', id: `n${n}`, finish: { ...finish, output }, first: 0, lines: [] });
      if (n !== 7) await journal.append({ is: 'closed', id: `n${n}` });
    }
    expect(statSync(file).size).toBeLessThan(16 * 1024 * 1024);
    const { open: left } = await open(file);
    expect([...left.keys()]).toEqual(['n7']);
    expect(left.get('n7')?.ended?.finish?.output).toBe(output);
  });

  it('of another release is refused with a sentence that says what to do', async () => {
    writeFileSync(file, '{"version":99}\n');
    await expect(open(file)).rejects.toThrow(/another release.*start that release once more/);
  });

  it('is readable by its owner only: there are tokens in it', async () => {
    await open(file);
    expect(statSync(file).mode & 0o077).toBe(0);
  });
});
