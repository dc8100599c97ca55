/** `reprise events`: the record of what happened, oldest first. */
import { type Command, Option } from 'commander';
import type { EventView } from '../contract/schemas.js';
import { sayAtInterrupt } from './interrupt.js';
import { asAdmin, asking, type Common, limit } from './options.js';
import { columns, print, printJson } from './output.js';
import { allPages } from './pages.js';
import { connect, type Session } from './session.js';
import { clock, oneLine, truncated } from './text.js';

interface EventsOptions extends Common {
  readonly follow?: true;
  readonly job?: string;
  readonly batch?: string;
  readonly after?: string;
  readonly limit?: number;
  readonly asAdmin?: true;
}

const NOTES = `
With --json each event is one object a line; its event_id is a cursor for
--after. Following goes on through lost connections, without a gap.

Examples:
  reprise events --batch 6924c1f0a1b2c3d4e5000000
  reprise events -f --json | jq -c 'select(.kind == "job.failed")'`;

export function addEvents(program: Command): void {
  asking(program.command('events'))
    .description('what happened: to your jobs, to one, or to a batch')
    .addOption(new Option('-f, --follow', 'go on; without --job, --batch or --after only what comes'))
    .addOption(new Option('--job <job>', 'of this job'))
    .addOption(new Option('--batch <batch>', 'of this batch and its jobs').conflicts('job'))
    .addOption(new Option('--after <event>', 'read on after this event_id'))
    .addOption(limit('at most so many'))
    .addOption(asAdmin())
    .addHelpText('after', NOTES)
    .action(events);
}

async function events(o: EventsOptions): Promise<void> {
  const session = connect(o);
  const scope = {
    ...(o.job !== undefined && { job_id: o.job }),
    ...(o.batch !== undefined && { batch_id: o.batch }),
    ...(o.asAdmin && { as_admin: true }),
  };
  if (o.follow) return follow(session, scope, o);
  let { after } = o;
  // the cursor of events is called `after`
  const read = async ({ limit: most }: { limit: number }) => {
    const page = await session.call('listEvents', { ...scope, limit: most, ...(after !== undefined && { after }) });
    after = page.items.at(-1)?.event_id ?? after;
    return page;
  };
  const { items } = await allPages(read, o.limit ?? Number.POSITIVE_INFINITY);
  for (const event of items) show(event, o);
}

async function follow(
  session: Session,
  scope: { job_id?: string; batch_id?: string },
  o: EventsOptions,
): Promise<void> {
  const stopping = new AbortController();
  sayAtInterrupt(undefined);
  const everything = o.job !== undefined || o.batch !== undefined;
  const after = o.after ?? (everything ? undefined : 'now');
  let left = o.limit ?? Number.POSITIVE_INFINITY;
  for await (const event of session
    .client()
    .events({ ...scope, ...(after !== undefined && { after }), signal: stopping.signal })) {
    show(event, o);
    left -= 1;
    if (left === 0) break;
  }
  stopping.abort();
}

function show(event: EventView, { json }: EventsOptions): void {
  if (json) printJson(event);
  else print(process.stdout.isTTY === true ? truncated(lineOf(event), columns()) : lineOf(event));
}

/** Of today the time is enough. */
function whenOf(time: string, now: Date): string {
  const whole = clock(time);
  return whole.slice(0, 10) === clock(now.toISOString()).slice(0, 10) ? whole.slice(11) : whole;
}

function lineOf(event: EventView): string {
  const subject = event.job_id ?? event.batch_id ?? '';
  return `${whenOf(event.at, new Date())}  ${event.kind.padEnd(19)} ${subject}  ${membersOf(event)}`.trimEnd();
}

/** Members that say little to people; --json has them. */
const PLUMBING = ['previous_status', 'dispatch_id', 'dispatch_number', 'root_id'];

function membersOf({ payload, actor }: EventView): string {
  const all = Object.entries((payload.parse() ?? {}) as Record<string, unknown>);
  const members = all.filter(([name, value]) => value !== null && !PLUMBING.includes(name));
  const by = actor === null ? [] : [['by', actor] as const];
  const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
  return oneLine([...by, ...members].map(([name, value]) => `${name}=${text(value)}`).join(' '));
}
