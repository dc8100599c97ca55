/** `reprise batch submit` and `batch extend`: a file of parameters, one job a row. */
import { type Command, Option } from 'commander';
import { RepriseError } from '../contract/errors.js';
import type { SubmitResult } from '../contract/schemas.js';
import { checkRows, parts, type Submission, submitRows } from './batch-submission.js';
import { watchBatch } from './batch-watch.js';
import { groupAlike } from './failures.js';
import { type Format, formatOf, type Row, readRows, readText } from './jobs-file.js';
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
  strings,
  wait,
  withJobOptions,
} from './options.js';
import { clearProgress, EXIT, exitWith, print, printJson, say, showProgress, UsageError } from './output.js';
import { linesText, reportRows } from './refusals.js';
import { connect, type Session } from './session.js';
import { counted, safeLine, thousands } from './text.js';

interface SubmitOptions extends Common, JobOptions {
  readonly method: string;
  readonly format?: Format;
  readonly name?: string;
  readonly wsid?: number;
  readonly meta?: readonly string[];
  readonly partial?: true;
  readonly wait?: true;
  readonly dryRun?: true;
  readonly requestId?: string;
  readonly asAdmin?: true;
}

const EXAMPLES = `
JSON lines: each line is the parameters of one job, kept exactly as written.
CSV: the first row names the parameters, an empty cell leaves its parameter out,
and cells are typed by the method's schema as --param is.

Bad rows are all reported with their line, and then nothing is submitted (exit
code 2 for a row that cannot be read, 3 for one that the server refuses).
Large files go in several calls; a broken command can be repeated with the same
--request-id and file, and submits nothing twice.

Examples:
  reprise batch submit jobs.jsonl --method phix.stats --name "run 7" --wait
  reprise batch submit samples.csv --method phix.stats --tag beta
  generate | reprise batch submit - --format csv --method phix.stats`;

function withSubmitOptions(command: Command): Command {
  asking(command)
    .requiredOption('--method <module.method>', 'what to run')
    .addOption(new Option('--format <format>', 'if the name of the file does not say').choices(['jsonl', 'csv']));
  return withJobOptions(command)
    .addOption(new Option('--partial', 'leave refused rows out instead of submitting nothing'))
    .addOption(wait())
    .addOption(dryRun())
    .addOption(requestId())
    .addOption(asAdmin());
}

export function addSubmit(batch: Command): void {
  withSubmitOptions(batch.command('submit'))
    .description('run a file of jobs as one batch; prints the id of the batch')
    .argument('<file>', 'jobs.jsonl, jobs.csv, or - for standard input')
    .addOption(new Option('--name <name>', 'of the batch'))
    .addOption(new Option('--wsid <n>', 'workspace the batch belongs to').argParser(positive))
    .addOption(new Option('--meta <name=value>', 'a note; may be given again').argParser(collected))
    .addHelpText('after', EXAMPLES)
    .action(async (file: string, o: SubmitOptions) => {
      const target = {
        ...(o.name !== undefined && { name: o.name }),
        ...(o.wsid !== undefined && { wsid: o.wsid }),
        ...(o.meta !== undefined && { meta: strings(o.meta, '--meta') }),
      };
      await submit(file, o, target, (batchId) => print(batchId));
    });
}

export function addExtend(batch: Command): void {
  withSubmitOptions(batch.command('extend'))
    .description('run more jobs in a batch; prints the ids of the new jobs')
    .argument('<batch>')
    .argument('<file>', 'as of batch submit')
    .action(async (batchId: string, file: string, o: SubmitOptions) => {
      const result = await submit(file, o, { batchId }, () => {});
      if (!o.json) for (const { job_id } of result?.items ?? []) if (job_id !== null) print(job_id);
    });
}

async function submit(
  file: string,
  o: SubmitOptions,
  target: Submission['target'],
  onBatch: (batchId: string) => void,
): Promise<SubmitResult | undefined> {
  const session = connect(o);
  const rows = await rowsOf(session, file, o);
  const submission: Submission = {
    job: { method: o.method, ...jobMembers(o) },
    rows,
    target,
    requestId: o.requestId ?? newRequestId(),
    asAdmin: o.asAdmin ?? false,
    partial: o.partial ?? false,
    onProgress: (done, total) => showProgress(`${thousands(done)} of ${thousands(total)} jobs`),
  };
  if (!(await isAcceptable(session, submission, o))) return undefined;
  const result = await submitRows(session, submission, o.json ? () => {} : onBatch).catch((error) => {
    throw tellRefused(error, rows);
  });
  tell(result, rows, o);
  if (o.wait && result.batch_id !== null) await watchBatch(session, result.batch_id, o);
  return result;
}

async function rowsOf(session: Session, file: string, o: SubmitOptions): Promise<readonly Row[]> {
  const format = formatOf(file, o.format);
  const text = await readText(file);
  const schema = format === 'csv' ? await methodSchema(session, o.method, o) : null;
  const { good, bad } = readRows(text, format, schema);
  for (const { message, members } of groupAlike(bad, ({ sentence }) => sentence)) {
    const [first, ...others] = members;
    say(`${linesText([first.line, ...others.map(({ line }) => line)])}: ${safeLine(message)}`);
  }
  if (bad.length > 0)
    throw new UsageError(
      `${counted(bad.length, 'row')} of ${good.length + bad.length} cannot be read; nothing was submitted`,
    );
  if (good.length === 0) throw new UsageError(`${file === '-' ? 'standard input' : file} has no jobs in it`);
  return good;
}

/** A dry run, or the check before the first of several calls: false if it ends here. */
async function isAcceptable(session: Session, submission: Submission, o: SubmitOptions): Promise<boolean> {
  const several = parts(submission.rows).length > 1;
  if (!o.dryRun && (!several || o.partial)) return true;
  const verdicts = await checkRows(session, submission);
  clearProgress();
  if (o.dryRun || verdicts.refused > 0) {
    refuse(verdicts.items, submission.rows);
    if (o.json) printJson(verdicts);
  }
  if (o.dryRun)
    say(
      `would submit ${counted(verdicts.accepted, 'job')}, ${thousands(verdicts.refused)} refused; nothing was recorded`,
    );
  else if (verdicts.refused > 0)
    say(`${counted(verdicts.refused, 'row')} refused; nothing was submitted (--partial leaves them out)`);
  else say(`if this breaks, repeat the command with: --request-id ${submission.requestId}`);
  return !o.dryRun && verdicts.refused === 0;
}

function refuse(items: SubmitResult['items'], rows: readonly Row[]): void {
  reportRows(
    items.flatMap(({ index, error }) => {
      const row = rows[index];
      if (error === null || row === undefined) return [];
      return { subject: row.line, sentence: error.message, code: error.code };
    }),
  );
}

/** What was refused whole is told by reason, and then in one sentence. */
function tellRefused(error: unknown, rows: readonly Row[]): unknown {
  clearProgress();
  const items = error instanceof RepriseError ? (error.details?.items as SubmitResult['items'] | undefined) : undefined;
  if (items === undefined) return error;
  refuse(items, rows);
  const refused = items.filter((item) => item.error !== null).length;
  const { code, details } = error as RepriseError;
  return new RepriseError(
    code,
    `${counted(refused, 'row')} of ${rows.length} refused; nothing was submitted (--partial leaves them out)`,
    details,
  );
}

function tell(result: SubmitResult, rows: readonly Row[], o: SubmitOptions): void {
  clearProgress();
  refuse(result.items, rows);
  if (o.json) printJson(result);
  if (result.refused > 0) exitWith(EXIT.refused);
  const left = result.refused > 0 ? `, ${counted(result.refused, 'row')} left out` : '';
  say(
    `${counted(result.accepted, 'job')} submitted${left}${result.batch_id === null ? '' : ` in batch ${result.batch_id}`}`,
  );
}
