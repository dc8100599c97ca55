import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { LogLine } from '../../src/contract/worker.js';
import { LogSpool } from '../../src/runner/log-spool.js';

const directory = mkdtempSync(join(tmpdir(), 'reprise-spool-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
let ids = 0;
const newId = () => {
  ids += 1;
  return `a${ids}`;
};
const lineOf = (n: number): LogLine => ({ line: `line ${n} é`, is_error: n % 2 === 0, ts: n });
const SMALL = { memoryBytes: 1000, fileBytes: 5000 };

type Step = { push: number } | { send: number };
const steps = fc.array(
  fc.oneof(
    fc.record({ push: fc.integer({ min: 1, max: 40 }) }),
    fc.record({ send: fc.integer({ min: 1, max: 3000 }) }),
  ),
  { maxLength: 60 },
);

/** Plays the steps; what the server has then. */
function play(spool: LogSpool, all: readonly Step[]): { server: LogLine[]; pushed: number } {
  const server: LogLine[] = [];
  let pushed = 0;
  for (const step of all) {
    if ('push' in step) {
      spool.push(Array.from({ length: step.push }, (_, n) => lineOf(pushed + n)));
      pushed += step.push;
    } else send(spool, server, step.send);
  }
  return { server, pushed };
}

function send(spool: LogSpool, server: LogLine[], bytes: number): boolean {
  const part = spool.peek(bytes);
  if (part === null) return false;
  server.push(...part.lines.slice(server.length - part.first));
  spool.confirm(server.length);
  return true;
}

describe('a spool', () => {
  it('gives every line once and in order, whatever was spilled in between', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const id = newId();
        const spool = new LogSpool(directory, id, SMALL);
        const { server, pushed } = play(spool, all);
        while (send(spool, server, 700)) expect(server.length).toBeLessThanOrEqual(pushed);
        expect(server).toEqual(Array.from({ length: pushed }, (_, n) => lineOf(n)));
        expect(spool.isEmpty).toBe(true);
        expect(readdirSync(directory).filter((file) => file.startsWith(`${id}-`))).toEqual([]);
      }),
    );
  });

  it('loses nothing that was noted when its host dies: the file and the journal together have what the server lacks', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const id = newId();
        const first = new LogSpool(directory, id, SMALL);
        const { server, pushed } = play(first, all);
        const noted = first.unspilled();
        const file = readdirSync(directory).find((name) => name.startsWith(`${id}-`));
        if (file !== undefined) appendFileSync(join(directory, file), '{"line":"half a li');
        const recovered = LogSpool.recover(directory, id);
        const spool = recovered.isEmpty ? new LogSpool(directory, id, SMALL, noted.first, noted.lines) : recovered;
        while (send(spool, server, 700));
        expect(server).toEqual(Array.from({ length: pushed }, (_, n) => lineOf(n)));
        spool.remove();
      }),
    );
  });

  it('keeps little in memory, says when it is full, and is not when enough was taken', () => {
    const id = newId();
    const spool = new LogSpool(directory, id, SMALL);
    for (let n = 0; !spool.isFull; n += 1) spool.push([lineOf(n)]);
    expect(spool.bytes).toBeLessThan(2 * SMALL.memoryBytes);
    const server: LogLine[] = [];
    while (spool.isFull) send(spool, server, 10_000);
    expect(server.length).toBeGreaterThan(0);
    spool.remove();
  });

  it('takes lines longer than it reads at once', () => {
    const id = newId();
    const spool = new LogSpool(directory, id, { memoryBytes: 10, fileBytes: 10_000_000 });
    // one character of one byte that takes six in JSON
    const long = { line: '\u0001'.repeat(64 * 1024), is_error: false, ts: 1 };
    spool.push([lineOf(0), long, long, lineOf(3)]);
    const server: LogLine[] = [];
    while (send(spool, server, 1000));
    expect(server).toEqual([lineOf(0), long, long, lineOf(3)]);
  });

  it('writes its file readable by its owner only', () => {
    const id = newId();
    const spool = new LogSpool(directory, id, SMALL);
    spool.push(Array.from({ length: 100 }, (_, n) => lineOf(n)));
    const file = readdirSync(directory).find((name) => name.startsWith(`${id}-`)) as string;
    expect(statSync(join(directory, file)).mode & 0o077).toBe(0);
    spool.remove();
  });
});
