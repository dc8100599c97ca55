/** `reprise batch`: jobs submitted together, counted as logical items. */
import { type Command, Option } from 'commander';
import type { Status } from '../contract/status.js';
import { addBatchShow } from './batch-show.js';
import { addExtend, addSubmit } from './batch-submit.js';
import { watchBatch } from './batch-watch.js';
import { cancelAndTell } from './cancel.js';
import { asAdmin, asking, type Common, type ListOptions, listing, listMembers, states } from './options.js';
import { columns, paintStates, print, printJson, say } from './output.js';
import { allPages } from './pages.js';
import { connect } from './session.js';
import { ago, counted, oneLine, table } from './text.js';

export function addBatch(program: Command): void {
  const batch = program.command('batch').description('batches: submit, look, wait, cancel').helpCommand(false);
  addSubmit(batch);
  addExtend(batch);
  addBatchShow(batch);
  addWatch(batch);
  addList(batch);
  addBatchCancel(batch);
}

function addWatch(batch: Command): void {
  asking(batch.command('watch'))
    .description('wait until all items of a batch have ended; exit code 3 if any failed')
    .argument('<batch>')
    .addOption(asAdmin())
    .action(async (batchId: string, o: Common & { asAdmin?: true }) => {
      await watchBatch(connect(o), batchId, o);
    });
}

interface BatchListOptions extends ListOptions {
  readonly state?: readonly Status[];
  readonly search?: string;
}

function addList(batch: Command): void {
  const command = asking(batch.command('list'))
    .description('batches, newest first')
    .addOption(new Option('--state <states>', 'with items in one of these, e.g. failed,running').argParser(states))
    .addOption(new Option('--search <text>', 'in the name, or the beginning of the id'));
  listing(command).action(list);
}

async function list(o: BatchListOptions): Promise<void> {
  const session = connect(o);
  const filter = {
    ...(o.state !== undefined && { state: [...o.state] }),
    ...(o.search !== undefined && { search: o.search }),
    ...listMembers(o),
  };
  const page = await allPages((at) => session.call('listBatches', { ...filter, ...at }), o.limit);
  if (o.json) return printJson(page);
  if (o.quiet) return page.items.forEach(({ batch_id }) => void print(batch_id));
  if (page.items.length === 0)
    return say('no batches; submit one with: reprise batch submit jobs.jsonl --method <module.method>');
  const now = new Date();
  const rows = page.items.map((item) => [
    item.batch_id,
    item.state,
    String(item.items),
    String(item.counts.error),
    ago(item.created_at, now),
    oneLine(item.name ?? ''),
  ]);
  print(paintStates(table(['batch', 'state', 'items', 'failed', 'created', 'name'], rows, { width: columns() })));
  if (page.next_cursor !== null)
    say(`there are more than ${counted(o.limit, 'batch', 'batches')}; see them with --limit`);
}

function addBatchCancel(batch: Command): void {
  asking(batch.command('cancel'))
    .description('cancel all unfinished jobs of batches')
    .argument('<batch...>')
    .addOption(asAdmin())
    .action((ids: string[], o: Common & { asAdmin?: true }) => cancelAndTell(ids, o));
}
