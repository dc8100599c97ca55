/** `reprise batch show`: what became of a batch, failures first. */
import { type Command, Option } from 'commander';
import type { BatchItem, BatchView } from '../contract/schemas.js';
import type { Status } from '../contract/status.js';
import { batchItems, failedItems, failuresText } from './failures.js';
import { asAdmin, asking, type Common, limit, quiet, states } from './options.js';
import { columns, paintStates, print, printJson, say } from './output.js';
import { connect, type Session } from './session.js';
import { clockAndAgo, counted, fields, oneLine, safeLine, shortCommit, table, tally, thousands } from './text.js';

interface ShowOptions extends Common {
  readonly state?: readonly Status[];
  readonly failed?: true;
  readonly limit?: number;
  readonly quiet?: true;
  readonly asAdmin?: true;
}

const EXAMPLES = `
An item is a lineage: a job and its retries. Its state is that of the newest.

Examples:
  reprise batch show 6924c1f0a1b2c3d4e5000000
  reprise batch show 6924c1f0a1b2c3d4e5000000 --failed      # all that failed
  reprise batch show 6924c1f0a1b2c3d4e5000000 --failed -q | reprise retry -`;

export function addBatchShow(batch: Command): void {
  asking(batch.command('show'))
    .description('the counts of a batch, its failures by reason, and its items')
    .argument('<batch>')
    .addOption(new Option('--state <states>', 'list the items in these, e.g. running,failed').argParser(states))
    .addOption(new Option('--failed', 'list the items that failed').conflicts('state'))
    .addOption(limit('list so many items (default: 10; all with --state, --failed, -q)'))
    .addOption(quiet())
    .addOption(asAdmin())
    .addHelpText('after', EXAMPLES)
    .action(async (batchId: string, o: ShowOptions) => showBatch(connect(o), batchId, o));
}

export async function showBatch(session: Session, batchId: string, o: ShowOptions): Promise<void> {
  const batch = await session.call('getBatch', { batch_id: batchId, ...(o.asAdmin && { as_admin: true }) });
  const chosen = o.failed ? (['error'] as const) : o.state;
  if (o.quiet) return (await itemsOf(session, batchId, o, chosen)).forEach(({ job_id }) => void print(job_id));
  if (o.json)
    return printJson(chosen === undefined ? batch : { ...batch, jobs: await itemsOf(session, batchId, o, chosen) });
  print(described(batch));
  if (chosen === undefined && batch.counts.error > 0) {
    print(`\nfailures\n${failuresText(await failedItems(session, batchId, o.asAdmin), columns())}`);
  }
  await listItems(session, batch, o, chosen);
  if (batch.counts.error > 0) say(`\nretry them with: reprise retry --batch ${batchId} --failed`);
}

function described(batch: BatchView): string {
  return [
    paintStates(`batch ${batch.batch_id}  ${batch.state}`),
    fields(
      [
        ['name', batch.name === null ? null : oneLine(batch.name)],
        ['app', batch.app === null ? null : appOf(batch.app)],
        ['user', `${batch.user}${batch.wsid === null ? '' : `, workspace ${batch.wsid}`}`],
        ['created', clockAndAgo(batch.created_at, new Date())],
        ['items', `${thousands(batch.items)}: ${tally(batch.counts)}`],
        ['retries', String(batch.retries)],
        ['cancelled', batch.cancelled ? 'yes; it takes no new jobs, its items can be retried' : null],
      ],
      '  ',
      columns(),
    ),
  ].join('\n');
}

const appOf = ({ method, commit, tag }: NonNullable<BatchView['app']>): string =>
  `${safeLine(method)} at ${shortCommit(commit)}${tag === null ? '' : ` (${safeLine(tag)})`}`;

const FEW = 10;

function itemsOf(session: Session, batchId: string, o: ShowOptions, chosen?: readonly Status[]): Promise<BatchItem[]> {
  const most = o.limit ?? (chosen !== undefined || o.quiet ? undefined : FEW);
  return batchItems(session, batchId, { states: chosen, asAdmin: o.asAdmin, most });
}

async function listItems(
  session: Session,
  batch: BatchView,
  o: ShowOptions,
  chosen?: readonly Status[],
): Promise<void> {
  const items = await itemsOf(session, batch.batch_id, o, chosen);
  if (items.length === 0) {
    say(chosen === undefined ? 'the batch has no items' : `no item is ${chosen.join(' or ')}`);
    return;
  }
  const rows = items.map((item) => [item.job_id, String(item.retry_number), item.status, whatOf(item)]);
  const all = chosen !== undefined || items.length === batch.items;
  print(`\n${all ? 'items' : `first ${items.length} of ${counted(batch.items, 'item')}`}`);
  print(paintStates(table(['job', 'retry', 'state', 'params, or failure'], rows, { indent: '  ', width: columns() })));
}

const whatOf = (item: BatchItem): string =>
  oneLine((item.status === 'error' ? item.error_start : item.params_start) ?? '');
