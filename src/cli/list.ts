/** `reprise list`: jobs, newest first. */
import { type Command, Option } from 'commander';
import type { Status } from '../contract/status.js';
import { messageOf } from './failures.js';
import { asAdmin, asking, type Common, limit, positive, quiet, states } from './options.js';
import { columns, paintStates, print, printJson, say } from './output.js';
import { allPages } from './pages.js';
import { connect } from './session.js';
import { ago, oneLine, safeLine, table, thousands } from './text.js';

interface ListOptions extends Common {
  readonly state?: readonly Status[];
  readonly app?: string;
  readonly batch?: string;
  readonly user?: string;
  readonly wsid?: number;
  readonly inputs?: string;
  readonly all?: true;
  readonly limit: number;
  readonly quiet?: true;
  readonly asAdmin?: true;
}

export function addList(program: Command): void {
  asking(program.command('list'))
    .description('jobs, newest first; of a lineage the newest')
    .addOption(new Option('--state <states>', 'e.g. running,failed').argParser(states))
    .addOption(new Option('--app <name>', 'module or module.method'))
    .addOption(new Option('--batch <batch>', 'of this batch'))
    .addOption(new Option('--user <name>', 'of another user (with --as-admin)'))
    .addOption(new Option('--wsid <n>', 'of a workspace').argParser(positive))
    .addOption(new Option('--inputs <key>', 'that ran with these inputs, anywhere'))
    .addOption(new Option('--all', 'also jobs that were retried since'))
    .addOption(limit('at most so many').default(20))
    .addOption(quiet())
    .addOption(asAdmin())
    .action(list);
}

async function list(o: ListOptions): Promise<void> {
  const session = connect(o);
  const filter = {
    ...(o.state !== undefined && { state: [...o.state] }),
    ...(o.app !== undefined && { app: o.app }),
    ...(o.batch !== undefined && { batch_id: o.batch }),
    ...(o.user !== undefined && { user: o.user }),
    ...(o.wsid !== undefined && { wsid: o.wsid }),
    ...(o.inputs !== undefined && { input_key: o.inputs }),
    ...(o.all && { latest_only: false }),
    ...(o.asAdmin && { as_admin: true }),
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
