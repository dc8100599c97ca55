/**
 * PostgreSQL's wire protocol, as much of it as one session needs. Speaking it ourselves makes a query ONE message to the
 * database's thread and one back: PGlite's own `query` takes six calls, prepares anew each time, and reads rows ten
 * times slower. https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
import { parserOf } from './embedded-values.js';

/** Writes one request into one buffer, which is then handed over to the thread without a copy. */
export class Request {
  #buffer = Buffer.allocUnsafeSlow(512);
  #length = 0;
  #start = 0;
  /** How many statements it carries out: as many must be answered. */
  executes = 0;

  parse(name: string, text: string): this {
    return this.#open('P').#text(name).#text(text).#int16(0).#close();
  }

  describe(name: string): this {
    return this.#open('D').#bytes(Buffer.from('S')).#text(name).#close();
  }

  bind(name: string, values: readonly (string | Uint8Array | null)[]): this {
    this.#open('B').#text('').#text(name).#int16(values.length);
    for (const value of values) this.#int16(value instanceof Uint8Array ? 1 : 0);
    this.#int16(values.length);
    for (const value of values) this.#value(value);
    return this.#int16(0).#close();
  }

  execute(): this {
    this.executes += 1;
    return this.#open('E').#text('').#int32(0).#close();
  }

  closeStatement(name: string): this {
    return this.#open('C').#bytes(Buffer.from('S')).#text(name).#close();
  }

  sync(): this {
    return this.#open('S').#close();
  }

  /** A text of one or more statements, without parameters. */
  simple(text: string): this {
    this.executes += 1;
    return this.#open('Q').#text(text).#close();
  }

  get size(): number {
    return this.#length;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(0, this.#length);
  }

  #open(code: string): this {
    this.#bytes(Buffer.from(code));
    this.#start = this.#length;
    return this.#int32(0);
  }

  #close(): this {
    this.#buffer.writeInt32BE(this.#length - this.#start, this.#start);
    return this;
  }

  #value(value: string | Uint8Array | null): void {
    if (value === null) this.#int32(-1);
    else if (typeof value === 'string') {
      const size = Buffer.byteLength(value);
      this.#int32(size).#reserve(size);
      this.#length += this.#buffer.write(value, this.#length);
    } else this.#int32(value.length).#bytes(value);
  }

  #text(text: string): this {
    this.#reserve(Buffer.byteLength(text) + 1);
    this.#length += this.#buffer.write(text, this.#length);
    this.#buffer[this.#length] = 0;
    this.#length += 1;
    return this;
  }

  #bytes(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  #int16(value: number): this {
    this.#reserve(2);
    this.#length = this.#buffer.writeInt16BE(value, this.#length);
    return this;
  }

  #int32(value: number): this {
    this.#reserve(4);
    this.#length = this.#buffer.writeInt32BE(value, this.#length);
    return this;
  }

  #reserve(size: number): void {
    if (this.#length + size <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow((this.#length + size) * 2);
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}

export interface Column {
  readonly name: string;
  readonly parse: ((text: string) => unknown) | undefined;
}

export interface ServerError {
  readonly severity: string;
  readonly sqlState: string;
  readonly message: string;
  readonly constraint: string | undefined;
}

export interface Response {
  /** Of the statement that was described; undefined when none was. */
  readonly columns: readonly Column[] | undefined;
  readonly rows: readonly Record<string, unknown>[];
  readonly error: ServerError | undefined;
  /** What each carried-out statement says of itself, e.g. `COMMIT`, `ROLLBACK`. */
  readonly tags: readonly string[];
  readonly notifications: readonly { channel: string; payload: string }[];
}

/** Reads one whole answer. Rows are read with `known` columns, or with those the answer itself describes. */
export function readResponse(bytes: Uint8Array, known: readonly Column[] | undefined): Response {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const rows: Record<string, unknown>[] = [];
  const tags: string[] = [];
  const notifications: { channel: string; payload: string }[] = [];
  let columns: readonly Column[] | undefined;
  let error: ServerError | undefined;
  for (let at = 0; at < buffer.length; at += 1 + buffer.readInt32BE(at + 1)) {
    const code = buffer[at];
    const body = at + 5;
    if (code === 0x44) rows.push(readRow(buffer, body, known ?? columns ?? []));
    else if (code === 0x54) columns = readColumns(buffer, body);
    else if (code === 0x6e) columns = [];
    else if (code === 0x43) tags.push(readText(buffer, body));
    else if (code === 0x49) tags.push('');
    else if (code === 0x45) error ??= readError(buffer, body);
    else if (code === 0x41) notifications.push(readNotification(buffer, body));
  }
  return { columns, rows, error, tags, notifications };
}

function readRow(buffer: Buffer, body: number, columns: readonly Column[]): Record<string, unknown> {
  const row: Record<string, unknown> = {};
  let at = body + 2;
  for (const { name, parse } of columns) {
    const size = buffer.readInt32BE(at);
    at += 4;
    if (size < 0) row[name] = null;
    else {
      const text = buffer.toString('utf8', at, at + size);
      row[name] = parse === undefined ? text : parse(text);
      at += size;
    }
  }
  return row;
}

function readColumns(buffer: Buffer, body: number): Column[] {
  const columns: Column[] = [];
  let at = body + 2;
  for (let left = buffer.readInt16BE(body); left > 0; left -= 1) {
    const name = readText(buffer, at);
    // name, NUL, table (4), attribute (2), type (4), size (2), modifier (4), format (2)
    at += Buffer.byteLength(name) + 1;
    columns.push({ name, parse: parserOf(buffer.readInt32BE(at + 6)) });
    at += 18;
  }
  return columns;
}

function readError(buffer: Buffer, body: number): ServerError {
  const fields = new Map<string, string>();
  for (let at = body; buffer[at] !== 0; ) {
    const text = readText(buffer, at + 1);
    fields.set(String.fromCharCode(buffer[at] ?? 0), text);
    at += Buffer.byteLength(text) + 2;
  }
  return {
    severity: fields.get('V') ?? 'ERROR',
    sqlState: fields.get('C') ?? 'XX000',
    message: fields.get('M') ?? 'the database gave no message',
    constraint: fields.get('n'),
  };
}

function readNotification(buffer: Buffer, body: number): { channel: string; payload: string } {
  const channel = readText(buffer, body + 4);
  return { channel, payload: readText(buffer, body + 4 + Buffer.byteLength(channel) + 1) };
}

function readText(buffer: Buffer, at: number): string {
  return buffer.toString('utf8', at, buffer.indexOf(0, at));
}
