/** `reprise batch show`: what became of a batch, failures first. */
import { type Command, Option } from 'commander';
import type { BatchView, JobSummary } from '../contract/schemas.js';
import { STATUSES, type Status } from '../contract/status.js';
import { failedJobs, failuresText, messageOf } from './failures.js';
import { asAdmin, asking, type Common, limit, quiet, states } from './options.js';
import { columns, paintStates, print, printJson, say } from './output.js';
import { allPages } from './pages.js';
import { connect, type Session } from './session.js';
import { clockAndAgo, counted, fields, oneLine, safeLine, table } from './text.js';

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
    print(`\nfailures\n${failuresText(await failedJobs(session, batchId, o.asAdmin ?? false), columns())}`);
  }
  await listItems(session, batch, o, chosen);
  if (batch.counts.error > 0) say(`\nretry them with: reprise retry --batch ${batchId} --failed`);
}

function described(batch: BatchView): string {
  const counts = STATUSES.filter((status) => batch.counts[status] > 0).map(
    (status) => `${batch.counts[status]} ${status}`,
  );
  return [
    paintStates(`batch ${batch.batch_id}  ${batch.state}`),
    fields(
      [
        ['name', batch.name === null ? null : oneLine(batch.name)],
        ['user', `${batch.user}${batch.wsid === null ? '' : `, workspace ${batch.wsid}`}`],
        ['created', clockAndAgo(batch.created_at, new Date())],
        ['items', `${batch.items}${counts.length > 0 ? `: ${counts.join(', ')}` : ''}`],
        ['retries', String(batch.retries)],
        ['cancelled', batch.cancelled ? 'yes; it takes no new jobs, its items can be retried' : null],
      ],
      '  ',
      columns(),
    ),
  ].join('\n');
}

const FEW = 10;

async function itemsOf(
  session: Session,
  batchId: string,
  o: ShowOptions,
  chosen?: readonly Status[],
): Promise<JobSummary[]> {
  const filter = {
    batch_id: batchId,
    ...(chosen !== undefined && { state: [...chosen] }),
    ...(o.asAdmin && { as_admin: true }),
  };
  const most = o.limit ?? (chosen !== undefined || o.quiet ? Number.POSITIVE_INFINITY : FEW);
  return (await allPages((at) => session.call('listJobs', { ...filter, ...at }), most)).items;
}

async function listItems(
  session: Session,
  batch: BatchView,
  o: ShowOptions,
  chosen?: readonly Status[],
): Promise<void> {
  const items = await itemsOf(session, batch.batch_id, o, chosen);
  if (items.length === 0)
    return say(chosen === undefined ? 'the batch has no items' : `no item is ${chosen.join(' or ')}`);
  const rows = items.map((job) => [job.job_id, String(job.retry_number), job.status, whatNow(job)]);
  const title =
    chosen === undefined && items.length < batch.items
      ? `newest ${items.length} of ${counted(batch.items, 'item')}`
      : 'items';
  print(
    `\n${title}\n${paintStates(table(['job', 'retry', 'state', 'what'], rows, { indent: '  ', width: columns() }))}`,
  );
}

function whatNow(job: JobSummary): string {
  if (job.status === 'error') return oneLine(messageOf(job));
  return job.wait_reason === null ? safeLine(job.method) : oneLine(job.wait_reason);
}
