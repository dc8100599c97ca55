/** The server's log: one JSON object a line, to standard error, or nowhere. */
import { pino } from 'pino';

export type Log = ReturnType<typeof createLog>;

export function createLog(options: { level: 'silent' | 'error' | 'warn' | 'info' | 'debug' }) {
  return pino({ level: options.level, serializers: { error: pino.stdSerializers.err } }, pino.destination(2));
}
