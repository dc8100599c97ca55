/** `reprise logs`: what a job has written. */

import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import { RepriseError } from '../contract/errors.js';
import type { LogPage } from '../contract/schemas.js';
import { sayAtInterrupt } from './interrupt.js';
import { asAdmin, asking, type Common, limit, natural, positive } from './options.js';
import { paint, print, printJson, say } from './output.js';
import { connect, type Session } from './session.js';
import { clock, lastDrawn, safeLine } from './text.js';

interface LogsOptions extends Common {
  readonly follow?: true;
  readonly skip?: number;
  readonly limit?: number;
  readonly tail?: number;
  readonly timestamps?: true;
  readonly contains?: string;
  readonly errors?: true;
  readonly asAdmin?: true;
}

const NOTES = `
Lines go to standard output as the job wrote them. At a terminal those of its
standard error are red, and control characters are shown instead of obeyed.`;

export function addLogs(program: Command): void {
  asking(program.command('logs'))
    .description('the log of a job')
    .argument('<job>')
    .addOption(new Option('-f, --follow', 'go on until the job has ended'))
    .addOption(new Option('--skip <n>', 'leave out the first lines').argParser(natural))
    .addOption(new Option('--tail <n>', 'only the last lines').argParser(positive).conflicts('skip'))
    .addOption(limit('at most so many lines'))
    .addOption(new Option('--contains <text>', 'only lines with this text'))
    .addOption(new Option('--errors', 'only lines of standard error'))
    .addOption(new Option('-t, --timestamps', 'with the time of each line'))
    .addOption(asAdmin())
    .addHelpText('after', NOTES)
    .action(logs);
}

type Line = LogPage['lines'][number];

const MOST_LINES = 10_000;
const FOLLOW_MS = 400;

async function logs(jobId: string, o: LogsOptions): Promise<void> {
  const session = connect(o);
  if (o.follow) sayAtInterrupt(undefined);
  const which = {
    job_id: jobId,
    ...(o.contains !== undefined && { contains: o.contains }),
    ...(o.errors && { errors_only: true }),
    ...(o.asAdmin && { as_admin: true }),
  };
  const read = (skip: number, most: number) => session.call('getLogs', { ...which, skip, limit: most });
  let skip = o.skip ?? (o.tail === undefined ? 0 : Math.max((await read(0, 1)).total - o.tail, 0));
  let left = o.limit ?? Number.POSITIVE_INFINITY;
  while (left > 0) {
    const next = () => read(skip, Math.min(left, MOST_LINES));
    const page = await (o.follow ? patiently(next) : next());
    for (const line of page.lines) show(line, o);
    skip = page.next;
    left -= page.lines.length;
    if (page.lines.length > 0 || page.next < page.total) continue;
    if (!o.follow || page.finished) break;
    await sleep(FOLLOW_MS);
  }
  if (o.follow) await tellEnd(session, jobId, o);
}

function show(line: Line, { json, timestamps }: LogsOptions): void {
  const time = timestamps ? `${clock(new Date(line.ts).toISOString())}  ` : '';
  if (json) printJson(line);
  else print(process.stdout.isTTY === true ? paint('dim', time) + shown(line) : time + line.line);
}

function shown({ line, late, is_error }: Line): string {
  const text = `${safeLine(lastDrawn(line))}${late ? ' (late)' : ''}`;
  return is_error ? paint('red', text) : text;
}

/** Following outlives a server that is started again. */
async function patiently<T>(read: () => Promise<T>): Promise<T> {
  let told = false;
  for (;;) {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof RepriseError) || error.code !== 'UNAVAILABLE') throw error;
      if (!told) say('the server does not answer; waiting for it to come back');
      told = true;
      await sleep(FOLLOW_MS * 2);
    }
  }
}

async function tellEnd(session: Session, jobId: string, o: LogsOptions): Promise<void> {
  const job = await session.call('getJob', { job_id: jobId, ...(o.asAdmin && { as_admin: true }) });
  say(`the job is ${job.status}`);
}
