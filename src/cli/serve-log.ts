/** The server's log as `serve` shows it: lines to read at a terminal, one JSON object a line elsewhere. */
import { pino } from 'pino';
import { createLog, type Log } from '../log.js';
import { paint, say } from './output.js';
import { clock, oneLine } from './text.js';

export type Level = Parameters<typeof createLog>[0]['level'];

export function createServeLog(level: Level): Log {
  if (process.stderr.isTTY !== true) return createLog({ level });
  const readable = { write: (line: string) => say(readableLine(line)) };
  return pino({ level, serializers: { error: pino.stdSerializers.err } }, readable);
}

const QUIET = ['level', 'time', 'pid', 'hostname', 'msg'];
const WARN = 40;

/** `12:00:00 the runner host is up: release 0.1.0, limits …` */
export function readableLine(line: string): string {
  const entry = JSON.parse(line) as Record<string, unknown> & { time: number; level: number; msg?: string };
  const details = Object.entries(entry)
    .filter(([name]) => !QUIET.includes(name))
    .map(([name, value]) => `${name} ${textOf(value)}`);
  const time = clock(new Date(entry.time).toISOString()).slice(-8);
  const text = oneLine([entry.msg ?? '', ...details].join(details.length > 0 && entry.msg ? ', ' : ''));
  return `${paint('dim', time, process.stderr)} ${entry.level >= WARN ? paint('red', text, process.stderr) : text}`;
}

function textOf(value: unknown): string {
  const message = (value as { message?: unknown } | null)?.message;
  if (typeof message === 'string') return message;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
