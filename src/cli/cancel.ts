/** `reprise cancel`: ends jobs, or whole batches. */
import type { Command } from 'commander';
import { RepriseError } from '../contract/errors.js';
import type { CancelResult, JobSummary } from '../contract/schemas.js';
import { isTerminal } from '../contract/status.js';
import { idParts, idsFrom } from './ids.js';
import { asAdmin, asking, type Common } from './options.js';
import { EXIT, exitWith, print, printJson, say } from './output.js';
import { reportJobs } from './refusals.js';
import { connect, type Session } from './session.js';
import { counted } from './text.js';

export function addCancel(program: Command): void {
  asking(program.command('cancel'))
    .description('cancel jobs, or batches with all their jobs')
    .argument('<id...>', 'of jobs or batches, or - for those on standard input')
    .addOption(asAdmin())
    .addHelpText('after', '\nWhat has ended already stays as it is. A cancelled job can be retried.')
    .action((ids: string[], o: CancelOptions) => cancelAndTell(ids, o));
}

interface CancelOptions extends Common {
  readonly asAdmin?: true;
}

/** Prints the ids of what was cancelled. */
export async function cancelAndTell(args: readonly string[], o: CancelOptions): Promise<void> {
  const session = connect(o);
  const items: CancelResult['items'] = [];
  for (const part of idParts(await idsFrom(args))) {
    const answer = await session.call('cancelJobs', { job_ids: part, ...(o.asAdmin && { as_admin: true }) });
    items.push(...answer.items);
  }
  if (o.json) printJson({ items });
  const refused = items.flatMap(({ requested_id: subject, error }) =>
    error === null ? [] : { subject, sentence: error.message, code: error.code },
  );
  reportJobs(refused);
  if (!o.json) for (const { requested_id, cancelled } of items) if (cancelled > 0) print(requested_id);
  const untouched = items.filter(({ cancelled, error }) => cancelled === 0 && error === null);
  const goingOn = await retriesOf(
    session,
    untouched.map(({ requested_id }) => requested_id),
    o,
  );
  for (const { id, head } of goingOn) sayGoesOn(id, head, o);
  const jobs = items.reduce((sum, item) => sum + item.cancelled, 0);
  if (jobs > 0) say(`${counted(jobs, 'job')} cancelled`);
  else if (items.length === 0 || refused.length + goingOn.length < items.length) say('nothing was left to cancel');
}

interface GoingOn {
  readonly id: string;
  /** The newest job of its lineage, which has not ended. */
  readonly head: JobSummary;
}

const ASKED_AT_ONCE = 64;

/** Of jobs that have ended, those with a retry that has not. */
async function retriesOf(session: Session, ids: readonly string[], o: CancelOptions): Promise<GoingOn[]> {
  const found: GoingOn[] = [];
  for (let at = 0; at < ids.length; at += ASKED_AT_ONCE) {
    const heads = await Promise.all(ids.slice(at, at + ASKED_AT_ONCE).map((id) => retryOf(session, id, o)));
    found.push(...heads.flatMap((one) => one ?? []));
  }
  return found;
}

async function retryOf(session: Session, id: string, o: CancelOptions): Promise<GoingOn | null> {
  try {
    const { jobs } = await session.call('getLineage', { job_id: id, ...(o.asAdmin && { as_admin: true }) });
    const head = jobs.at(-1);
    return head === undefined || head.job_id === id || isTerminal(head.status) ? null : { id, head };
  } catch (error) {
    // a batch has no lineage
    if (error instanceof RepriseError && error.code !== 'UNAVAILABLE') return null;
    throw error;
  }
}

function sayGoesOn(id: string, { job_id: retry, status }: JobSummary, o: CancelOptions): void {
  say(`${id} has ended; its retry ${retry} is ${status}: reprise cancel ${retry}${o.asAdmin ? ' --as-admin' : ''}`);
  exitWith(EXIT.refused);
}
