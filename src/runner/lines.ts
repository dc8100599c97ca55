/**
 * Bytes of a stream → lines of text. A line ends at a newline, at the end of the stream, or where it grows longer than
 * `MOST_BYTES`: it is split there, never inside a character. What is not UTF-8 becomes U+FFFD, and so does NUL, which
 * PostgreSQL cannot keep.
 */

export const MOST_BYTES = 64 * 1024;
const NEWLINE = 0x0a;
const RETURN = 0x0d;

export interface LineSplitter {
  push(chunk: Buffer): string[];
  /** The last line, if it came without a newline. */
  end(): string[];
}

export function createLineSplitter(most = MOST_BYTES): LineSplitter {
  let held: Buffer[] = [];
  let heldBytes = 0;

  const hold = (part: Buffer) => {
    if (part.length === 0) return;
    held.push(part);
    heldBytes += part.length;
  };
  const takeHeld = (): Buffer => {
    const whole = held.length === 1 ? (held[0] as Buffer) : Buffer.concat(held, heldBytes);
    held = [];
    heldBytes = 0;
    return whole;
  };
  return {
    push(chunk) {
      const lines: string[] = [];
      let from = 0;
      for (;;) {
        const newline = chunk.indexOf(NEWLINE, from);
        hold(chunk.subarray(from, newline === -1 ? chunk.length : newline));
        if (newline === -1) break;
        const whole = takeHeld();
        cut(whole, most, lines, true);
        from = newline + 1;
      }
      // the chunk is reused by nobody, but holding a small part of it would hold all of it
      if (heldBytes > most) hold(cut(takeHeld(), most, lines, false));
      else if (held.length === 1 && heldBytes < chunk.length / 2) held = [Buffer.from(held[0] as Buffer)];
      return lines;
    },
    end() {
      const lines: string[] = [];
      if (heldBytes > 0) cut(takeHeld(), most, lines, true);
      return lines;
    },
  };
}

/** Adds pieces of at most `most` bytes; the rest is added too if it is the end of a line, and returned if not. */
function cut(bytes: Buffer, most: number, lines: string[], ends: boolean): Buffer {
  let rest = bytes;
  while (rest.length > most) {
    const at = characterStart(rest, most);
    lines.push(textOf(rest.subarray(0, at)));
    rest = rest.subarray(at);
  }
  if (!ends) return rest;
  lines.push(textOf(rest.at(-1) === RETURN ? rest.subarray(0, -1) : rest));
  return Buffer.alloc(0);
}

/** The last place at or before `at` where a UTF-8 character may begin; `at` itself if there is none near: not UTF-8. */
function characterStart(bytes: Buffer, at: number): number {
  for (let place = at; place > at - 4 && place > 0; place -= 1) {
    if (((bytes[place] as number) & 0xc0) !== 0x80) return place;
  }
  return at;
}

function textOf(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  return text.includes('\0') ? text.replaceAll('\0', '\uFFFD') : text;
}
