/** `reprise run`: one job. */
import { type Command, Option } from 'commander';
import { buildParams, exactJson } from '../client/params.js';
import { RawJson } from '../contract/raw-json.js';
import type { JobDetail, SubmitResult } from '../contract/schemas.js';
import { messageOf } from './failures.js';
import { runTime } from './job-text.js';
import { readText } from './jobs-file.js';
import { methodSchema } from './method-schema.js';
import {
  asAdmin,
  asking,
  type Common,
  collected,
  dryRun,
  type JobOptions,
  jobMembers,
  newRequestId,
  positive,
  requestId,
  splitPair,
  strings,
  wait,
  withJobOptions,
} from './options.js';
import { EXIT, exitWith, paint, print, printJson, reportRefusal, say, UsageError } from './output.js';
import { connect, type Session } from './session.js';
import { oneLine, shortCommit } from './text.js';
import { waitForJobs } from './waiting.js';

interface RunOptions extends Common, JobOptions {
  readonly param?: readonly string[];
  readonly paramsFile?: string;
  readonly wsid?: number;
  readonly meta?: readonly string[];
  readonly source?: readonly string[];
  readonly appId?: string;
  readonly wait?: true;
  readonly dryRun?: true;
  readonly requestId?: string;
  readonly asAdmin?: true;
}

const EXAMPLES = `
A --param is typed by the method's schema; where that does not say, it is JSON
if it can be, else a string. Numbers are kept as they are written.

Examples:
  reprise run phix.stats --param name=one --wait
  reprise run phix.stats --params-file input.json --tag beta --memory 2G
  echo '[1.0, 2]' | reprise run phix.sum --params-file -`;

export function addRun(program: Command): void {
  const command = asking(program.command('run'))
    .description('run one job; prints its id')
    .argument('<module.method>')
    .addOption(new Option('--param <name=value>', 'one parameter; may be given again').argParser(collected))
    .addOption(new Option('--params-file <file>', 'all parameters as JSON, - = standard input').conflicts('param'));
  withJobOptions(command)
    .addOption(new Option('--wsid <n>', 'workspace the job belongs to').argParser(positive))
    .addOption(new Option('--source <ref>', 'an object it reads; may be given again').argParser(collected))
    .addOption(new Option('--app-id <id>', 'a name of yours for what it is'))
    .addOption(new Option('--meta <name=value>', 'a note; may be given again').argParser(collected))
    .addOption(wait())
    .addOption(dryRun())
    .addOption(requestId())
    .addOption(asAdmin())
    .addHelpText('after', EXAMPLES)
    .action(run);
}

async function run(method: string, o: RunOptions): Promise<void> {
  const session = connect(o);
  const params = await paramsOf(session, method, o);
  const job = {
    method,
    ...(params !== undefined && { params }),
    ...jobMembers(o),
    ...(o.wsid !== undefined && { wsid: o.wsid }),
    ...(o.appId !== undefined && { app_id: o.appId }),
    ...(o.source !== undefined && { source_ws_objects: [...o.source] }),
    ...(o.meta !== undefined && { meta: strings(o.meta, '--meta') }),
  };
  const asked = { jobs: [job], ...(o.dryRun && { dry_run: true }), ...(o.asAdmin && { as_admin: true }) };
  const result = await session.repeatably('submitJobs', asked, { id: o.requestId ?? newRequestId(), part: 1 });
  tell(result, method, o);
  const id = result.items[0]?.job_id;
  if (o.wait && id != null) tellEnd((await waitForJobs(session, [id], o.asAdmin))[0] as JobDetail, o);
}

async function paramsOf(session: Session, method: string, o: RunOptions): Promise<RawJson | undefined> {
  if (o.paramsFile !== undefined) return new RawJson(await readParams(o.paramsFile));
  if (o.param === undefined) return undefined;
  const pairs = o.param.map((pair) => splitPair(pair, '--param'));
  const schema = await methodSchema(session, method, o);
  try {
    return new RawJson(buildParams(pairs, schema));
  } catch (error) {
    throw new UsageError(`--param: ${(error as Error).message}`);
  }
}

async function readParams(file: string): Promise<string> {
  try {
    return exactJson(await readText(file));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UsageError(`${file === '-' ? 'standard input' : file} is not JSON: ${error.message}`);
  }
}

function tell(result: SubmitResult, method: string, { json }: Common): void {
  const [item] = result.items;
  if (item?.error != null) reportRefusal(method, item.error.message, item.error.code);
  else if (result.dry_run) say(`would run ${method} at ${shortCommit(item?.commit ?? '')}; nothing was recorded`);
  if (json) printJson(result);
  else if (item?.job_id != null) print(item.job_id);
}

export function tellEnd(job: JobDetail, { json }: Common): void {
  if (json) printJson(job);
  say(endOf(job));
  if (job.status === 'error') say(`see: reprise logs ${job.job_id}; again: reprise retry ${job.job_id}`);
  if (job.status !== 'completed') exitWith(EXIT.refused);
}

function endOf(job: JobDetail): string {
  const time = runTime(job, new Date());
  const after = time === null ? '' : ` after ${time}`;
  if (job.status === 'completed') return `${paint('green', 'completed', process.stderr)}${after}`;
  if (job.status === 'terminated') return `${paint('yellow', 'cancelled', process.stderr)}${after}`;
  return `${paint('red', 'failed', process.stderr)}${after}: ${oneLine(messageOf(job))}`;
}
