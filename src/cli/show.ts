/** `reprise show`: one job, or a batch. */
import type { Command } from 'commander';
import { RepriseError } from '../contract/errors.js';
import { showBatch } from './batch-show.js';
import { jobText } from './job-text.js';
import { asAdmin, asking, type Common } from './options.js';
import { columns, paintStates, print, printJson } from './output.js';
import { connect } from './session.js';

export function addShow(program: Command): void {
  asking(program.command('show'))
    .description('one job with inputs, output and failure; or a batch')
    .argument('<job>')
    .addOption(asAdmin())
    .action(show);
}

async function show(id: string, o: Common & { asAdmin?: true }): Promise<void> {
  const session = connect(o);
  const admin = o.asAdmin ? { as_admin: true } : {};
  const job = await session.call('getJob', { job_id: id, ...admin }).catch((error) => {
    if (error instanceof RepriseError && error.code === 'IS_BATCH') return null;
    throw error;
  });
  if (job === null) return showBatch(session, id, o);
  if (o.json) return printJson(job);
  print(paintStates(jobText(job, new Date(), columns())));
}
