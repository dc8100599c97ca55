/** Failed jobs by what they said, the commonest first. */
import type { JobSummary } from '../contract/schemas.js';
import { allPages } from './pages.js';
import type { Session } from './session.js';
import { oneLine, paragraph } from './text.js';

export interface FailureGroup {
  readonly jobs: readonly JobSummary[];
  /** What the first of them said. */
  readonly message: string;
}

export const messageOf = (job: JobSummary): string => job.failure?.message ?? 'no reason was recorded';

/** Numbers and hex words differ between jobs that failed alike: file names, process ids, addresses. */
const keyOf = (message: string): string => message.replace(/\b(0x)?[0-9a-f]{8,}\b|\d+/gi, '#');

export function groupFailures(jobs: readonly JobSummary[], key: (message: string) => string = keyOf): FailureGroup[] {
  const groups = new Map<string, [JobSummary, ...JobSummary[]]>();
  for (const job of jobs) {
    const group = groups.get(key(messageOf(job)));
    if (group === undefined) groups.set(key(messageOf(job)), [job]);
    else group.push(job);
  }
  return [...groups.values()]
    .map((group) => ({ jobs: group, message: messageOf(group[0]) }))
    .sort((a, b) => b.jobs.length - a.jobs.length);
}

/** More than these are not fetched to be grouped. */
const MOST_GROUPED = 20_000;
const GROUPS_SHOWN = 8;

export async function failedJobs(session: Session, batchId: string, asAdmin: boolean): Promise<JobSummary[]> {
  const filter = { batch_id: batchId, state: ['error' as const], ...(asAdmin && { as_admin: true }) };
  return (await allPages((at) => session.call('listJobs', { ...filter, ...at }), MOST_GROUPED)).items;
}

export function failuresText(jobs: readonly JobSummary[], width: number): string {
  const groups = groupFailures(jobs);
  const shown = groups.slice(0, GROUPS_SHOWN).map(({ jobs: alike, message }) => {
    const failure = alike[0]?.failure;
    const how = failure?.exit_signal ?? (failure?.exit_code == null ? null : `exit code ${failure.exit_code}`);
    const title = `  ${alike.length} x ${failure?.failure_class ?? 'unknown'}${how === null ? '' : `, ${how}`}, e.g. ${alike[0]?.job_id}`;
    return `${title}\n${paragraph(oneLine(message), '      ', width, 4)}`;
  });
  const rest = groups.slice(GROUPS_SHOWN).reduce((sum, group) => sum + group.jobs.length, 0);
  return [...shown, ...(rest > 0 ? [`  ${rest} more, each for another reason`] : [])].join('\n');
}
