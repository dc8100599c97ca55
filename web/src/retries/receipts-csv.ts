/** Receipts for a spreadsheet. */
import type { Receipt } from '../../../src/contract/schemas.js';

const COLUMNS = [
  'index',
  'requested_id',
  'accepted',
  'retry_id',
  'retry_number',
  'code',
  'message',
  'blocking_id',
  'root_id',
] as const;

export function receiptsCsv(receipts: readonly Receipt[]): string {
  const lines = [COLUMNS.join(','), ...receipts.map((receipt) => COLUMNS.map((name) => cell(receipt[name])).join(','))];
  return `${lines.join('\r\n')}\r\n`;
}

/** A text that a spreadsheet would take for a formula is made plain: sentences may quote what a job said. */
function cell(value: string | number | boolean | null): string {
  const text = value === null ? '' : String(value);
  const plain = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}
