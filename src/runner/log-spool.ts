/**
 * The lines of one dispatch that the server has not confirmed. They wait in memory; when there are too many (a loud app,
 * a server that is away) all of them go to a file and come back a piece at a time, so that the host's memory stays
 * bounded. When the file grows too long too, or the disk is full, `isFull` says so and the app's pipes are no longer read: the
 * app waits until the server has taken lines.
 *
 * Lines are counted from 0 over the whole dispatch; the file is named after its first line, so that a successor of a
 * killed host can send it again from there: what the server already has, it passes over.
 */
import { closeSync, ftruncateSync, openSync, readdirSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { LogLine } from '../contract/worker.js';

export interface SpoolLimits {
  /** Held in memory for one dispatch. */
  readonly memoryBytes: number;
  /** Waiting in the file before the app's pipes are no longer read. */
  readonly fileBytes: number;
}
export const SPOOL_LIMITS: SpoolLimits = { memoryBytes: 512 * 1024, fileBytes: 64 * 1024 * 1024 };

/** What an object of one line costs beside its text. */
const LINE_OVERHEAD = 100;
const WRITE_BYTES = 64 * 1024;
const READ_BYTES = 256 * 1024;

export const weightOf = (line: LogLine): number => line.line.length + LINE_OVERHEAD;

export class LogSpool {
  /** How many lines the server has. */
  #confirmed: number;
  #held: LogLine[] = [];
  #heldBytes = 0;
  #file: SpoolFile | undefined;

  constructor(
    private readonly directory: string,
    private readonly id: string,
    private readonly limits: SpoolLimits = SPOOL_LIMITS,
    first = 0,
    lines: readonly LogLine[] = [],
  ) {
    this.#confirmed = first;
    for (const line of lines) this.#hold(line);
  }

  /** What a host that died had spilled of this dispatch, or an empty spool. */
  static recover(directory: string, id: string): LogSpool {
    const name = readdirSync(directory).find((file) => file.startsWith(`${id}-`));
    if (name === undefined) return new LogSpool(directory, id);
    const spool = new LogSpool(directory, id, SPOOL_LIMITS, Number(name.slice(id.length + 1)));
    spool.#file = new SpoolFile(join(directory, name));
    return spool;
  }

  push(lines: readonly LogLine[]): void {
    for (const line of lines) {
      if (this.#file === undefined && this.#heldBytes > this.limits.memoryBytes) this.#spill();
      if (this.#file !== undefined) this.#file.append(line);
      else this.#hold(line);
    }
  }

  /** The next lines in order, at most about `bytes`, at least one; null if there are none. Stays until `confirm`. */
  peek(bytes: number): { first: number; lines: LogLine[]; isAll: boolean } | null {
    if (this.#held.length === 0) this.#readBack();
    if (this.#held.length === 0) return null;
    let end = 0;
    for (let weight = 0; end < this.#held.length && (end === 0 || weight < bytes); end += 1) {
      weight += weightOf(this.#held[end] as LogLine);
    }
    const isAll = end === this.#held.length && (this.#file === undefined || this.#file.isRead);
    return { first: this.#confirmed, lines: this.#held.slice(0, end), isAll };
  }

  /** The server has `count` lines of this dispatch; it may have had more than was sent now. */
  confirm(count: number): void {
    const known = Math.min(Math.max(0, count - this.#confirmed), this.#held.length);
    for (const line of this.#held.splice(0, known)) this.#heldBytes -= weightOf(line);
    this.#confirmed += known;
    if (this.#held.length === 0 && this.#file?.isRead === true) this.#dropFile();
  }

  get isEmpty(): boolean {
    return this.#held.length === 0 && (this.#file === undefined || this.#file.isRead);
  }

  get bytes(): number {
    return this.#heldBytes;
  }

  get isFull(): boolean {
    return this.isStuck || (this.#file !== undefined && this.#file.unread > this.limits.fileBytes);
  }

  /** The disk takes no more; what is in memory waits there. */
  get isStuck(): boolean {
    return this.#file?.isStuck ?? this.#heldBytes > 2 * this.limits.memoryBytes;
  }

  /** For the journal: what a successor would not find in the file. */
  unspilled(): { first: number; lines: readonly LogLine[] } {
    this.#file?.flush();
    return { first: this.#confirmed, lines: this.#file === undefined ? [...this.#held] : [] };
  }

  remove(): void {
    this.#dropFile();
    this.#held = [];
    this.#heldBytes = 0;
  }

  #hold(line: LogLine): void {
    this.#held.push(line);
    this.#heldBytes += weightOf(line);
  }

  /** Tried again with every line while the disk has no room even for a new file. */
  #spill(): void {
    try {
      this.#file = new SpoolFile(join(this.directory, `${this.id}-${this.#confirmed}`));
    } catch (error) {
      if (isDiskFull(error)) return;
      throw error;
    }
    for (const line of this.#held) this.#file.append(line);
    this.#held = [];
    this.#heldBytes = 0;
  }

  /** All that was read is confirmed by now: a file without room for the rest is given up, which makes room. */
  #readBack(): void {
    const file = this.#file;
    if (file === undefined) return;
    for (const line of file.read()) this.#hold(line);
    if (this.#held.length > 0 || file.isRead) return;
    const unwritten = file.unwritten();
    this.#dropFile();
    for (const line of unwritten) this.#hold(line);
  }

  #dropFile(): void {
    this.#file?.remove();
    this.#file = undefined;
  }
}

/** Appended at its end, read from its beginning; one JSON object a line. */
class SpoolFile {
  readonly #fd: number;
  #written: number;
  #offset = 0;
  #unwritten: string[] = [];
  #unwrittenBytes = 0;
  #isStuck = false;

  constructor(private readonly file: string) {
    this.#fd = openSync(file, 'a+', 0o600);
    this.#written = sizeOfWhole(this.#fd);
  }

  append(line: LogLine): void {
    const text = `${JSON.stringify(line)}\n`;
    this.#unwritten.push(text);
    this.#unwrittenBytes += text.length;
    if (this.#unwrittenBytes > WRITE_BYTES && !this.#isStuck) this.flush();
  }

  get isStuck(): boolean {
    return this.#isStuck;
  }

  /** What the disk did not take. */
  unwritten(): LogLine[] {
    return this.#unwritten.map((text) => JSON.parse(text) as LogLine);
  }

  flush(): void {
    if (this.#unwritten.length === 0) return;
    const bytes = Buffer.from(this.#unwritten.join(''));
    this.#isStuck = !this.#takes(bytes);
    if (this.#isStuck) return;
    this.#written += bytes.length;
    this.#unwritten = [];
    this.#unwrittenBytes = 0;
  }

  /** All or nothing: half of it would be read as lines. */
  #takes(bytes: Buffer): boolean {
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
      return true;
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      ftruncateSync(this.#fd, this.#written);
      return false;
    }
  }

  get unread(): number {
    return this.#written - this.#offset + this.#unwrittenBytes;
  }

  get isRead(): boolean {
    return this.unread === 0;
  }

  read(): LogLine[] {
    if (this.#written === this.#offset) this.flush();
    const bytes = Buffer.alloc(Math.min(READ_BYTES, this.#written - this.#offset));
    const got = readSync(this.#fd, bytes, 0, bytes.length, this.#offset);
    // a line is at most 64 kB of text, 6 times that in JSON: a whole one may not fit
    const end = bytes.lastIndexOf('\n', got - 1) + 1;
    if (end === 0) return got === 0 ? [] : this.#readLong();
    this.#offset += end;
    return parseLines(bytes.subarray(0, end));
  }

  #readLong(): LogLine[] {
    const bytes = Buffer.alloc(Math.min(8 * READ_BYTES, this.#written - this.#offset));
    const got = readSync(this.#fd, bytes, 0, bytes.length, this.#offset);
    const end = bytes.subarray(0, got).indexOf('\n') + 1;
    this.#offset += end;
    return parseLines(bytes.subarray(0, end));
  }

  remove(): void {
    closeSync(this.#fd);
    rmSync(this.file, { force: true });
  }
}

const isDiskFull = (error: unknown): boolean =>
  ['ENOSPC', 'EDQUOT', 'EFBIG'].includes((error as NodeJS.ErrnoException).code ?? '');

function parseLines(bytes: Buffer): LogLine[] {
  const lines = bytes.toString('utf8').split('\n');
  lines.pop();
  return lines.map((line) => JSON.parse(line) as LogLine);
}

/** A host that was killed while writing left half a line: it ends before that. */
function sizeOfWhole(fd: number): number {
  const chunk = Buffer.alloc(READ_BYTES);
  let whole = 0;
  for (let at = 0; ; ) {
    const got = readSync(fd, chunk, 0, chunk.length, at);
    if (got === 0) return whole;
    const last = chunk.subarray(0, got).lastIndexOf('\n');
    if (last !== -1) whole = at + last + 1;
    at += got;
  }
}
