/** Log lines, stored a chunk per append. Positions of a job are consecutive from 0, given under the counter's row lock. */
import { type Queryable, statement } from './db.js';

export interface StoredLine {
  readonly line: string;
  readonly is_error: boolean;
  /** ms since the epoch */
  readonly ts: number;
  readonly late?: true;
}

const reserveLogPositions = statement<{ job_id: string; line_count: number }>(
  'reserve_log_positions',
  `
  insert into log_counters as c (job_id, line_count)
  select job_id, lines
  from json_to_recordset($1::json) as t (job_id text, lines integer)
  order by job_id
  on conflict (job_id) do update set line_count = c.line_count + excluded.line_count
  returning c.job_id, c.line_count`,
);

const insertLogChunks = statement(
  'insert_log_chunks',
  `
  insert into log_chunks (job_id, first_line, line_count, lines)
  select job_id, first_line, line_count, lines
  from json_to_recordset($1::json) as t (job_id text, first_line integer, line_count integer, lines text)`,
);

/** Bounds a chunk so that a page of a huge log never loads much more than it shows. */
const CHUNK_LINES = 500;
const CHUNK_CHARACTERS = 256 * 1024;

/** One entry per job. Returns each job's number of lines afterwards. Zero lines create the log if it is missing. */
export async function appendLogs(
  tx: Queryable,
  entries: readonly { jobId: string; lines: readonly StoredLine[] }[],
): Promise<Map<string, number>> {
  if (entries.length === 0) return new Map();
  const wanted = entries.map((entry) => ({ job_id: entry.jobId, lines: entry.lines.length }));
  const rows = await tx.query(reserveLogPositions, [JSON.stringify(wanted)]);
  const totals = new Map(rows.map((row) => [row.job_id, row.line_count]));
  const chunks = entries.flatMap((entry) => toChunks(entry.jobId, totals.get(entry.jobId)!, entry.lines));
  if (chunks.length > 0) await tx.query(insertLogChunks, [JSON.stringify(chunks)]);
  return totals;
}

function toChunks(jobId: string, total: number, lines: readonly StoredLine[]) {
  const chunks: { job_id: string; first_line: number; line_count: number; lines: string }[] = [];
  let first = total - lines.length;
  let held: string[] = [];
  let size = 0;
  const flush = () => {
    if (held.length === 0) return;
    chunks.push({ job_id: jobId, first_line: first, line_count: held.length, lines: `[${held.join(',')}]` });
    first += held.length;
    held = [];
    size = 0;
  };
  for (const line of lines) {
    const text = JSON.stringify(line);
    if (held.length >= CHUNK_LINES || size + text.length > CHUNK_CHARACTERS) flush();
    held.push(text);
    size += text.length;
  }
  flush();
  return chunks;
}

const selectLogChunks = statement<{ first_line: number; lines: string }>(
  'select_log_chunks',
  `
  select first_line, lines
  from log_chunks
  where job_id = $1::text
    and first_line < $3::integer
    and first_line >= coalesce(
      (select max(first_line) from log_chunks where job_id = $1::text and first_line <= $2::integer), 0
    )
  order by first_line
  limit $4::integer`,
);

export interface NumberedLine extends StoredLine {
  readonly position: number;
}

/** Read at once: at most 8 MB, unless a single line is longer. */
const CHUNKS_AT_ONCE = 32;

/**
 * Lines at positions `from` .. `to - 1`, or the first of them whose texts come to `most` characters: a log may be larger
 * than the memory.
 */
export async function readLines(
  db: Queryable,
  jobId: string,
  from: number,
  to: number,
  most = Number.POSITIVE_INFINITY,
): Promise<NumberedLine[]> {
  const lines: NumberedLine[] = [];
  let size = 0;
  for (let next = from; next < to && size < most; ) {
    const chunks = await db.query(selectLogChunks, [jobId, next, to, CHUNKS_AT_ONCE]);
    for (const line of chunks.flatMap(linesOf)) {
      if (line.position < next || line.position >= to || size >= most) continue;
      lines.push(line);
      size += line.line.length;
      next = line.position + 1;
    }
    if (chunks.length < CHUNKS_AT_ONCE) break;
  }
  return lines;
}

function linesOf(chunk: { first_line: number; lines: string }): NumberedLine[] {
  const stored = JSON.parse(chunk.lines) as StoredLine[];
  return stored.map((line, index) => ({ ...line, position: chunk.first_line + index }));
}
