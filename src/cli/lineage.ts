/** `reprise lineage`: a job and its retries, what each had another than the one before, and what became of it. */
import type { Command } from 'commander';
import type { JobSummary, Lineage } from '../contract/schemas.js';
import { messageOf } from './failures.js';
import { differences, outcomeOf, requirementsOf, runTime } from './job-text.js';
import { asAdmin, asking, type Common, quiet } from './options.js';
import { columns, paintStates, print, printJson } from './output.js';
import { connect, type Session } from './session.js';
import { clockAndAgo, counted, oneLine, paragraph, safeLine, shortCommit, wrapped } from './text.js';

interface LineageOptions extends Common {
  readonly quiet?: true;
  readonly asAdmin?: true;
}

export function addLineage(program: Command): void {
  asking(program.command('lineage'))
    .description('a job and all its retries: who, when, why, and what came of it')
    .argument('<job>', 'any of the lineage')
    .addOption(quiet())
    .addOption(asAdmin())
    .action(lineage);
}

async function lineage(jobId: string, o: LineageOptions): Promise<void> {
  const session = connect(o);
  const found = await session.call('getLineage', { job_id: jobId, ...(o.asAdmin && { as_admin: true }) });
  if (o.json) return printJson(found);
  if (o.quiet) return found.jobs.forEach(({ job_id }) => void print(job_id));
  const askers = await Promise.all(found.jobs.map((job) => askedBy(session, job, o)));
  print(paintStates(lineageText(found, askers, new Date(), columns())));
}

/** Who asked for this retry: its first event tells. */
async function askedBy(session: Session, job: JobSummary, { asAdmin: admin }: LineageOptions): Promise<string> {
  const asked = { job_id: job.job_id, limit: 1, ...(admin && { as_admin: true }) };
  const { items } = await session.call('listJobEvents', asked);
  return items[0]?.actor ?? job.user;
}

export function lineageText(found: Lineage, askers: readonly string[], now: Date, width: number): string {
  const [root] = found.jobs;
  const head = found.jobs.at(-1);
  const retries = found.retry_count === 0 ? 'not retried' : counted(found.retry_count, 'retry', 'retries');
  const title = `${safeLine(root?.method ?? '')}: ${retries}; the newest job is ${head?.status}`;
  const attempts = found.jobs.map((job, index) =>
    attempt(found.jobs[index - 1], job, askers[index] ?? job.user, now, width),
  );
  return [title, ...attempts].join('\n\n');
}

function attempt(before: JobSummary | undefined, job: JobSummary, by: string, now: Date, width: number): string {
  const number = before === undefined ? 'root   ' : `retry ${job.retry_number}`;
  const time = runTime(job, now);
  const facts = [`by ${safeLine(by)}`, clockAndAgo(job.created_at, now), ...(time === null ? [] : [`ran ${time}`])];
  const outcome = outcomeOf(job);
  return [
    `${number}  ${job.job_id}  ${job.status}`,
    wrapped(facts.join(', '), '  ', width),
    ...(job.retry_reason === null ? [] : [paragraph(`why: ${oneLine(job.retry_reason)}`, '  ', width, 4)]),
    wrapped(before === undefined ? baseOf(job) : changeOf(before, job), '  ', width),
    ...(outcome === null
      ? []
      : [paragraph(job.status === 'error' ? `${outcome}: ${oneLine(messageOf(job))}` : outcome, '  ', width, 4)]),
  ].join('\n');
}

const baseOf = (job: JobSummary): string =>
  `commit ${shortCommit(job.commit)}${job.tag === null ? '' : ` (${safeLine(job.tag)})`}, needs ${requirementsOf(job.requirements)}`;

function changeOf(before: JobSummary, job: JobSummary): string {
  const changes = differences(before, job);
  return changes.length === 0 ? 'same inputs, commit and needs' : `changed: ${changes.join('; ')}`;
}
