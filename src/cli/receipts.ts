/** `reprise receipts`: the durable answers of a retry request. */
import type { Command } from 'commander';
import { asAdmin, asking, type Common, quiet } from './options.js';
import { columns, print, printJson, say } from './output.js';
import { byCode } from './retry.js';
import { connect } from './session.js';
import { counted, oneLine, paragraph, table } from './text.js';

export function addReceipts(program: Command): void {
  asking(program.command('receipts'))
    .description('the verdicts of a retry request, item by item')
    .argument('<request>', 'the id told by retry, or given with --request-id')
    .addOption(quiet())
    .addOption(asAdmin())
    .action(receipts);
}

async function receipts(requestId: string, o: Common & { quiet?: true; asAdmin?: true }): Promise<void> {
  const result = await connect(o).call('getReceipts', { request_id: requestId, ...(o.asAdmin && { as_admin: true }) });
  if (o.json) return printJson(result);
  if (o.quiet) return result.receipts.forEach(({ retry_id }) => void (retry_id === null || print(retry_id)));
  const rows = result.receipts.map((receipt) => [
    receipt.requested_id,
    receipt.retry_number === null ? '-' : String(receipt.retry_number),
    receipt.retry_id ?? `${receipt.code}: ${oneLine(receipt.message ?? '')}`,
  ]);
  const refused = result.receipts.filter((receipt) => !receipt.accepted);
  if (rows.length > 0) print(table(['asked for', 'retry', 'new job, or why not'], rows, { width: columns() }));
  if (result.reason !== null) say(paragraph(`why: ${oneLine(result.reason)}`, '', columns()));
  say(
    `${counted(result.accepted, 'job')} retried, ${refused.length} refused${refused.length > 0 ? ` (${byCode(refused)})` : ''}`,
  );
}
