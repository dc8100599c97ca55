/** Failed jobs by what they said, the commonest first. */
import type { BatchItem, JobSummary } from '../contract/schemas.js';
import type { Status } from '../contract/status.js';
import { allPages } from './pages.js';
import type { Session } from './session.js';
import { oneLine, paragraph, thousands } from './text.js';

export interface Group<T> {
  readonly message: string;
  readonly members: readonly [T, ...T[]];
}

/** Messages with the same key are one group; the first one speaks for it. */
export function groupAlike<T>(
  items: readonly T[],
  messageOf: (item: T) => string,
  keyOf: (message: string) => string = (message) => message,
): Group<T>[] {
  const groups = new Map<string, [T, ...T[]]>();
  for (const item of items) {
    const key = keyOf(messageOf(item));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return [...groups.values()]
    .map((members) => ({ message: messageOf(members[0]), members }))
    .sort((a, b) => b.members.length - a.members.length);
}

/** Numbers and hex words differ between jobs that failed alike: file names, process ids, addresses. */
export const withoutNumbers = (message: string): string => message.replace(/\b(0x)?[0-9a-f]{8,}\b|\d+/gi, '#');

export const messageOf = (job: JobSummary): string => job.failure?.message ?? 'no reason was recorded';

/** What is told of one failed job among many. */
export interface Failed {
  readonly job_id: string;
  readonly root_id: string;
  readonly failure_class: string | null;
  /** May be cut. */
  readonly message: string;
}

export function failedJob(job: JobSummary): Failed {
  return { ...job, failure_class: job.failure?.failure_class ?? null, message: messageOf(job) };
}

const MOST_A_PAGE = 5000;

/** Items of a batch, oldest first; all of them unless told. */
export async function batchItems(
  session: Session,
  batchId: string,
  o: { states?: readonly Status[] | undefined; asAdmin?: boolean | undefined; most?: number | undefined },
): Promise<BatchItem[]> {
  const filter = {
    batch_id: batchId,
    ...(o.states !== undefined && { state: [...o.states] }),
    ...(o.asAdmin && { as_admin: true }),
  };
  const read = (at: { limit: number; cursor?: string }) => session.call('listItems', { ...filter, ...at });
  const { items, next_cursor: rest } = await allPages(read, o.most ?? Number.POSITIVE_INFINITY, MOST_A_PAGE);
  // pages are in the order of the newest jobs, so that none is missed; all of them are told in the order of submission
  return rest === null ? items.sort(byRoot) : items;
}

const byRoot = (a: BatchItem, b: BatchItem) => Number(a.root_id > b.root_id) - Number(a.root_id < b.root_id);

export async function failedItems(session: Session, batchId: string, asAdmin: boolean | undefined): Promise<Failed[]> {
  const items = await batchItems(session, batchId, { states: ['error'], asAdmin });
  return items.map((item) => ({ ...item, message: item.error_start ?? 'no reason was recorded' }));
}

const GROUPS_SHOWN = 8;

export function failuresText(failed: readonly Failed[], width: number): string {
  const groups = groupAlike(failed, ({ message }) => message, withoutNumbers);
  const shown = groups.slice(0, GROUPS_SHOWN).map(({ message, members }) => {
    const [first] = members;
    const example = members.length > 1 ? `, e.g. job ${first.job_id}` : `, job ${first.job_id}`;
    const title = `  ${thousands(members.length)} x class ${first.failure_class ?? 'unknown'}${example}`;
    return `${title}\n${paragraph(oneLine(message), '      ', width, 4)}`;
  });
  const rest = groups.slice(GROUPS_SHOWN).reduce((sum, group) => sum + group.members.length, 0);
  return [
    ...shown,
    ...(rest > 0 ? [`  ${thousands(rest)} more, for ${groups.length - GROUPS_SHOWN} other reasons`] : []),
  ].join('\n');
}
