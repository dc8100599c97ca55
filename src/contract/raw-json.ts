/**
 * JSON whose text must survive: `params`, outputs, and numbers where 1 and 1.0 differ. A parsed body holds such members
 * as `RawJson` (their source text); everything else is plain JavaScript.
 */

export class RawJson {
  constructor(readonly text: string) {}
  /** The value, as far as JavaScript numbers go. */
  parse(): unknown {
    return JSON.parse(this.text);
  }
  get isNull(): boolean {
    return this.text === 'null';
  }
}

/** A path into a body; `*` stands for any index or key. */
export type RawPath = readonly string[];

/**
 * Parses `text`; every value at one of `rawPaths` becomes a `RawJson` with its exact source text.
 * Throws SyntaxError as JSON.parse does. Duplicate keys: the last wins, as in JSON.parse.
 */
export function parseKeepingText(text: string, rawPaths: readonly RawPath[]): unknown {
  const value = JSON.parse(text) as unknown;
  return rawPaths.length === 0 ? value : new Slicer(text).value(rawPaths);
}

/** Writes a value; RawJson members are written as their text. `undefined` members are left out. */
export function stringifyKeepingText(value: unknown): string {
  const chunks: string[] = [];
  write(value, chunks);
  return chunks.join('');
}

function write(value: unknown, out: string[]): void {
  if (value instanceof RawJson) out.push(value.text);
  else if (Array.isArray(value)) writeArray(value, out);
  else if (value !== null && typeof value === 'object' && !('toJSON' in value)) writeObject(value, out);
  else out.push(JSON.stringify(value) ?? 'null');
}

function writeArray(items: readonly unknown[], out: string[]): void {
  out.push('[');
  items.forEach((item, index) => {
    if (index > 0) out.push(',');
    write(item, out);
  });
  out.push(']');
}

function writeObject(object: object, out: string[]): void {
  let first = true;
  out.push('{');
  for (const [key, member] of Object.entries(object)) {
    if (member === undefined) continue;
    out.push(first ? '' : ',', JSON.stringify(key), ':');
    first = false;
    write(member, out);
  }
  out.push('}');
}

const SPACE = /[ \t\n\r]/y;
const QUOTE = 34;
const BACKSLASH = 92;

/** Walks a text that JSON.parse has already accepted, so it needs no checks of its own. */
class Slicer {
  private at = 0;
  constructor(private readonly text: string) {}

  value(paths: readonly RawPath[]): unknown {
    this.skipSpace();
    if (paths.some((path) => path.length === 0)) return new RawJson(this.sliceValue());
    const first = this.text[this.at];
    if (paths.length > 0 && first === '[') return this.items(paths);
    if (paths.length > 0 && first === '{') return this.members(paths);
    return JSON.parse(this.sliceValue());
  }

  private items(paths: readonly RawPath[]): unknown[] {
    const items: unknown[] = [];
    this.at += 1;
    for (this.skipSpace(); this.text[this.at] !== ']'; this.skipSeparator()) {
      items.push(this.value(step(paths, String(items.length))));
    }
    this.at += 1;
    return items;
  }

  private members(paths: readonly RawPath[]): object {
    const members = {};
    this.at += 1;
    for (this.skipSpace(); this.text[this.at] !== '}'; this.skipSeparator()) {
      const key = JSON.parse(this.sliceValue()) as string;
      this.skipSpace();
      this.at += 1;
      // defined, not assigned: a member named __proto__ is data
      const value = this.value(step(paths, key));
      Object.defineProperty(members, key, { value, enumerable: true, writable: true, configurable: true });
    }
    this.at += 1;
    return members;
  }

  private skipSeparator(): void {
    this.skipSpace();
    if (this.text[this.at] === ',') this.at += 1;
    this.skipSpace();
  }

  private skipSpace(): void {
    while (this.at < this.text.length) {
      SPACE.lastIndex = this.at;
      if (!SPACE.test(this.text)) return;
      this.at += 1;
    }
  }

  private sliceValue(): string {
    const start = this.at;
    const first = this.text[start];
    if (first === '"') this.skipString();
    else if (first === '{' || first === '[') this.skipContainer();
    else while (this.at < this.text.length && !/[,\]}\s]/.test(this.text[this.at]!)) this.at += 1;
    return this.text.slice(start, this.at);
  }

  private skipString(): void {
    this.at += 1;
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code === QUOTE) break;
      this.at += code === BACKSLASH ? 2 : 1;
    }
    this.at += 1;
  }

  private skipContainer(): void {
    let depth = 0;
    do {
      const char = this.text[this.at];
      if (char === '"') {
        this.skipString();
        continue;
      }
      if (char === '{' || char === '[') depth += 1;
      else if (char === '}' || char === ']') depth -= 1;
      this.at += 1;
    } while (depth > 0);
  }
}

function step(paths: readonly RawPath[], key: string): RawPath[] {
  return paths.filter((path) => path[0] === key || path[0] === '*').map((path) => path.slice(1));
}
