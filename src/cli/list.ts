/** `reprise list`: jobs, newest first. */
import { type Command, Option } from 'commander';
import type { Status } from '../contract/status.js';
import { messageOf } from './failures.js';
import { asking, type ListOptions, listing, listMembers, states } from './options.js';
import { columns, paintStates, print, printJson, say } from './output.js';
import { allPages } from './pages.js';
import { connect } from './session.js';
import { ago, oneLine, safeLine, table, thousands } from './text.js';

interface JobListOptions extends ListOptions {
  readonly state?: readonly Status[];
  readonly batch?: string;
  readonly inputs?: string;
  readonly all?: true;
}

export function addList(program: Command): void {
  const command = asking(program.command('list'))
    .description('jobs, newest first; of a lineage the newest')
    .addOption(new Option('--state <states>', 'e.g. running,failed').argParser(states))
    .addOption(new Option('--batch <batch>', 'of this batch'))
    .addOption(new Option('--inputs <key>', 'that ran with these inputs, anywhere'))
    .addOption(new Option('--all', 'also jobs that were retried since'));
  listing(command).action(list);
}

async function list(o: JobListOptions): Promise<void> {
  const session = connect(o);
  const filter = {
    ...(o.state !== undefined && { state: [...o.state] }),
    ...(o.batch !== undefined && { batch_id: o.batch }),
    ...(o.inputs !== undefined && { input_key: o.inputs }),
    ...(o.all && { latest_only: false }),
    ...listMembers(o),
  };
  const page = await allPages((at) => session.call('listJobs', { ...filter, ...at }), o.limit);
  if (o.json) return printJson(page);
  if (o.quiet) return page.items.forEach(({ job_id }) => void print(job_id));
  if (page.items.length === 0) return say('no such jobs');
  const now = new Date();
  const rows = page.items.map((job) => [
    job.job_id,
    job.status,
    ago(job.created_at, now),
    String(job.retry_number),
    `${safeLine(job.method)}${job.status === 'error' ? `: ${oneLine(messageOf(job))}` : ''}`,
  ]);
  print(paintStates(table(['job', 'state', 'created', 'retry', 'method'], rows, { width: columns() })));
  if (page.next_cursor !== null) say(`there are more than ${thousands(o.limit)} jobs; see them with --limit`);
}
