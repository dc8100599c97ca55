/** `reprise cancel`: ends jobs, or whole batches. */
import type { Command } from 'commander';
import type { CancelResult } from '../contract/schemas.js';
import { idParts, idsFrom } from './ids.js';
import { asAdmin, asking, type Common } from './options.js';
import { print, printJson, reportRefusal, say } from './output.js';
import { connect } from './session.js';
import { counted } from './text.js';

export function addCancel(program: Command): void {
  asking(program.command('cancel'))
    .description('cancel jobs, or batches with all their jobs')
    .argument('<id...>', 'of jobs or batches, or - for those on standard input')
    .addOption(asAdmin())
    .addHelpText('after', '\nWhat has ended already stays as it is. A cancelled job can be retried.')
    .action((ids: string[], o: Common & { asAdmin?: true }) => cancelAndTell(ids, o));
}

/** Prints the ids of what was cancelled. */
export async function cancelAndTell(args: readonly string[], o: Common & { asAdmin?: true }): Promise<void> {
  const session = connect(o);
  const items: CancelResult['items'] = [];
  for (const part of idParts(await idsFrom(args))) {
    const answer = await session.call('cancelJobs', { job_ids: part, ...(o.asAdmin && { as_admin: true }) });
    items.push(...answer.items);
  }
  if (o.json) printJson({ items });
  for (const { requested_id, cancelled, error } of items) {
    if (error !== null) reportRefusal(requested_id, error.message, error.code);
    else if (cancelled > 0 && !o.json) print(requested_id);
  }
  const jobs = items.reduce((sum, item) => sum + item.cancelled, 0);
  say(jobs === 0 ? 'nothing was left to cancel' : `${counted(jobs, 'job')} cancelled`);
}
