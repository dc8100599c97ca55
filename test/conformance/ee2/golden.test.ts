/**
 * Golden exchanges: what EE2's clients send and the exact bytes they get, written from docs/ee2-compatibility.md. In a file
 *
 *     ## a sentence about the exchange
 *     ! dispatch                      (what the far side does first: dispatch)
 *     > POST /any/path                (then headers; `>>` is the body)
 *     > AUTHORIZATION: alice
 *     >> {"method": …}
 *     < 200                           (then headers that must be there; `<<` is the whole body)
 *     << {"version":"1.1",…}
 *
 * `{{id:x}}` is an id, the same wherever x stands; `{{created:x}}` the ms of its making; `{{ms}}`, `{{s}}` (with a fraction)
 * and `{{sec}}` are times, `{{text}}` what Node's parser says. The exchanges of a file go on from each other. Unless it says
 * otherwise, a request goes to /services/ee2 by alice.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Db } from '../../../src/store/db.js';
import { openTestDb } from '../../support/databases.js';
import { type Ee2App, openEe2 } from '../../support/ee2-app.js';

interface Exchange {
  readonly title: string;
  readonly before: string[];
  readonly request: string[];
  readonly body: string;
  readonly status: string[];
  readonly answer: string;
}

function exchangesOf(text: string): Exchange[] {
  const blocks = text.split(/^## /m).slice(1);
  return blocks.map((block) => {
    const [title = '', ...lines] = block.split('\n');
    const of = (mark: string) =>
      lines.filter((line) => line === mark || line.startsWith(`${mark} `)).map((line) => line.slice(mark.length + 1));
    return {
      title,
      before: of('!'),
      request: of('>'),
      body: of('>>').join('\n'),
      status: of('<'),
      answer: of('<<').join('\n'),
    };
  });
}

class Names {
  private readonly ids = new Map<string, string>();

  filled(text: string): string {
    return text.replace(/\{\{(\w+):(\w+)\}\}/g, (_, kind: string, name: string) => {
      const id = this.ids.get(name);
      if (id === undefined) throw new Error(`no exchange before this one has named ${name}`);
      return kind === 'id' ? id : `${Number.parseInt(id.slice(0, 8), 16)}000`;
    });
  }

  /** Names what is new in the answer, then compares every byte. */
  compare(expected: string, got: string): void {
    const pieces = expected.split(/(\{\{\w+(?::\w+)?\}\})/);
    const fresh: string[] = [];
    const form = pieces.map((piece) => this.formOf(piece, fresh)).join('');
    const match = new RegExp(`^${form}$`).exec(got);
    // shown as a difference of texts, which says where
    if (match === null) expect(got).toBe(expected);
    fresh.forEach((name, index) => {
      this.ids.set(name, match![index + 1]!);
    });
    const kept = expected.replace(/\{\{(id|created):\w+\}\}/g, (hole) => this.filled(hole));
    const times = kept.split(/\{\{\w+\}\}/);
    for (const piece of times) expect(got).toContain(piece);
  }

  private formOf(piece: string, fresh: string[]): string {
    const [, kind, name = ''] = /^\{\{(\w+)(?::(\w+))?\}\}$/.exec(piece) ?? [];
    if (kind === undefined) return piece.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    if (kind === 'ms') return '\\d{13}';
    if (kind === 'text') return '(?:[^"\\\\]|\\\\.)*';
    if (kind === 'sec') return '\\d{10}';
    if (kind === 's') return '\\d{10}\\.\\d{3}';
    if (kind === 'created') return '\\d{10}000';
    if (this.ids.has(name)) return this.ids.get(name)!;
    if (fresh.includes(name)) return `\\${fresh.indexOf(name) + 1}`;
    fresh.push(name);
    return '([0-9a-f]{24})';
  }
}

const directory = import.meta.dirname;
const files = readdirSync(directory).filter((file) => file.endsWith('.txt'));

let db: Db;
let app: Ee2App;
beforeAll(async () => {
  db = await openTestDb();
  app = openEe2(db, { bodyLimit: 100_000, settings: SETTINGS });
  for (const member of ['alice/5', 'bob/5', 'alice/6', 'alice/7']) app.h.rights.set(member, 'write');
  app.h.unreadable.add('1/2/404');
});
afterAll(() => db.close());

describe.each(files)('%s', (file) => {
  const names = new Names();

  it.each(exchangesOf(readFileSync(join(directory, file), 'utf8')))('$title', async (exchange) => {
    if (exchange.before.includes('dispatch')) await app.h.dispatcher.runOnce();
    const [first = 'POST /services/ee2', ...lines] = exchange.request;
    const [method, path] = first.split(' ') as [string, string];
    const headers = Object.fromEntries(lines.map((line) => line.split(/:\s*/, 2).map((part) => names.filled(part))));
    const isAnonymous = lines.includes('(no AUTHORIZATION)');
    delete headers['(no AUTHORIZATION)'];
    const named = isAnonymous || lines.some((line) => /^authorization:/i.test(line));
    const all = lower(named ? headers : { authorization: 'alice', ...headers });
    const answer = await app.post(names.filled(exchange.body), all, path, method);
    const [status = '200', ...expected] = exchange.status;
    names.compare(exchange.answer, answer.text);
    expect(String(answer.status)).toBe(status);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    for (const header of expected) {
      const [name = '', value] = header.split(/:\s*/, 2);
      expect(answer.headers.get(name), name).toBe(value);
    }
  });
});

function lower(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

const GROUP = { cpus: 4, memoryMb: 2000, diskGb: 30, regex: null, debugMode: null };
const SETTINGS = {
  clientGroups: [
    { name: 'njs', ...GROUP },
    { name: 'bigmem', ...GROUP, memoryMb: 9000 },
    { name: 'concierge', ...GROUP },
  ],
  defaultClientGroup: 'njs',
  listConfig: { 'kbase-endpoint': 'https://kbase.us/services', scratch: '/scratch' },
};
