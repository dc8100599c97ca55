/**
 * What runners say about their dispatches. All reports of a call are carried out in one transaction, a few set-based
 * statements for any number of them. A report can be repeated: its answer may have been lost.
 *
 * | part   | dispatch open, job not ended    | dispatch open, job ended | dispatch closed          |
 * | ------ | ------------------------------- | ------------------------ | ------------------------ |
 * | start  | recorded, once; answers the job | refused                  | refused                  |
 * |  again | the same process: as before     | refused                  | refused                  |
 * |        | another process: refused        |                          |                          |
 * | logs   | stored from what is missing     | the same                 | stored, marked late      |
 * | finish | recorded                        | only its usage           | refused                  |
 * | gone   | see `recordGone`                | closes the dispatch      | nothing                  |
 * | next   | see `next-dispatch.ts`          | nothing                  | what was given before    |
 */
import { RepriseError } from '../contract/errors.js';
import { ERROR_CODE_OF, isTerminal, type Status } from '../contract/status.js';
import { isStorable, toStorable } from '../contract/storable.js';
import type { JobSpec, NextDispatch, WorkerAnswer, WorkerReport } from '../contract/worker.js';
import { type FaultPoint, fault } from '../faults.js';
import type { DispatchRef, Scheduler } from '../schedulers/scheduler.js';
import type { Queryable } from '../store/db.js';
import { type CloseReason, lockDispatches, noteReports, type ReportedDispatchRow } from '../store/dispatches.js';
import { type Finish, finishJobs, requeueJobs, startJobs } from '../store/lifecycle.js';
import { appendLogs, type StoredLine } from '../store/logs.js';
import type { Context } from './context.js';
import { specsOf } from './job-specs.js';
import { takeNext } from './next-dispatch.js';
import { DEFAULT_GRACE_SECONDS } from './other-runner.js';

type Parts = Omit<WorkerReport, 'token'>;

/** A report with what is known of its dispatch; each step works on the fields that its table row says. */
interface Reported {
  readonly parts: Parts;
  readonly row: ReportedDispatchRow;
  status: Status;
  /** Before this call. */
  readonly closed: boolean;
  started: boolean;
  /** Its job's end is recorded by this very call. */
  ended: boolean;
  /** The other dispatch that its runner is given. */
  follower: Reported | null;
  runId: string | null;
  received: number;
  refusal: { code: string; message: string } | null;
  close: CloseReason | null;
}

export async function report(ctx: Context, reports: readonly WorkerReport[]): Promise<WorkerAnswer[]> {
  return carryOut(
    ctx,
    reports.map(({ token, ...parts }) => ({ dispatchId: ctx.tokens.verify(token), parts })),
  );
}

export async function reportOfDispatch(ctx: Context, dispatchId: string, parts: Parts): Promise<WorkerAnswer> {
  return (await carryOut(ctx, [{ dispatchId, parts }]))[0] as WorkerAnswer;
}

interface Named {
  readonly dispatchId: string | null;
  readonly parts: Parts;
}

async function carryOut(ctx: Context, named: readonly Named[]): Promise<WorkerAnswer[]> {
  const ids = [...new Set(named.flatMap(({ dispatchId }) => dispatchId ?? []))].sort();
  const { answers, moved } = await ctx.db.transaction(async (tx) => {
    const moved: Moved[] = [];
    const rows = new Map((await lockDispatches(tx, ids)).map((row) => [row.dispatch_id, row]));
    const reported: (Reported | null)[] = [];
    for (const round of roundsOf(named)) {
      const open = round.map((index) => asReported(named[index]!, rows));
      const known = open.filter((item) => item !== null);
      await carryOutRound(tx, known);
      moved.push(...(await giveNext(ctx, tx, known)));
      for (const item of known) rows.set(item.row.dispatch_id, afterwards(item));
      round.forEach((index, at) => {
        reported[index] = open[at]!;
      });
    }
    return { answers: reported, moved };
  });
  passed('start', 'report.recorded-start', answers);
  passed('logs', 'report.recorded-logs', answers);
  passed('finish', 'report.recorded-finish', answers);
  passed('gone', 'report.recorded-gone', answers);
  for (const { scheduler, from } of moved) ctx.spared.add(scheduler, from);
  const specs = await specsOfStarted(ctx, [...answers, ...answers.map((item) => item?.follower ?? null)]);
  wakeAfter(ctx, answers);
  const grace = ctx.otherRunner?.graceSeconds ?? DEFAULT_GRACE_SECONDS;
  return answers.map((item) => ({
    ...toAnswer(item, specs, grace),
    ...(item?.follower && { next: asNext(ctx, item.follower, toAnswer(item.follower, specs, grace)) }),
  }));
}

function asNext({ tokens }: Context, { row: { dispatch_id } }: Reported, answer: WorkerAnswer): NextDispatch {
  return { dispatch_id, token: tokens.mint(dispatch_id), answer };
}

/** Almost always one round: a dispatch that stands in the call twice is carried out in two, in its order. */
function roundsOf(named: readonly Named[]): number[][] {
  const rounds: number[][] = [];
  const seen = new Map<string, number>();
  named.forEach(({ dispatchId }, index) => {
    const turn = seen.get(dispatchId ?? '') ?? 0;
    if (dispatchId !== null) seen.set(dispatchId, turn + 1);
    rounds[turn] ??= [];
    rounds[turn].push(index);
  });
  return rounds;
}

function asReported({ dispatchId, parts }: Named, rows: ReadonlyMap<string, ReportedDispatchRow>) {
  const row = dispatchId === null ? undefined : rows.get(dispatchId);
  if (row === undefined) return null;
  const state: Reported = {
    parts,
    row,
    status: row.status,
    closed: row.closed_at !== null,
    started: row.started_at !== null,
    ended: false,
    follower: null,
    runId: row.run_id,
    received: row.logs_received,
    refusal: null,
    close: null,
  };
  return state;
}

/** For the next round: the same row as the database has it now. */
function afterwards(item: Reported): ReportedDispatchRow {
  const now = new Date(0);
  return {
    ...item.row,
    status: item.status,
    started_at: item.started ? (item.row.started_at ?? now) : null,
    run_id: item.runId,
    closed_at: item.closed || item.close !== null ? (item.row.closed_at ?? now) : null,
    logs_received: item.received,
  };
}

async function carryOutRound(tx: Queryable, items: readonly Reported[]): Promise<void> {
  await recordStarts(tx, items);
  passed('start', 'report.started', items);
  const lines = await recordLogs(tx, items);
  passed('logs', 'report.logged', items);
  await recordFinishes(tx, items);
  passed('finish', 'report.finished', items);
  await recordGone(tx, items);
  await noteReports(
    tx,
    items.map((item) => ({
      dispatch_id: item.row.dispatch_id,
      started: item.started,
      run_id: item.runId,
      lines: lines.get(item) ?? 0,
      late_lines: item.closed ? (lines.get(item) ?? 0) : 0,
      peak_memory_mb: item.parts.finish?.peak_memory_mb ?? null,
      cpu_seconds: item.parts.finish?.cpu_seconds ?? null,
      close_reason: item.close,
    })),
  );
  passed('gone', 'report.gone', items);
}

/** Only where there is such a part: a test wants to die after one. */
function passed(part: keyof Parts, point: FaultPoint, items: readonly (Reported | null)[]): void {
  if (items.some((item) => item?.parts[part] !== undefined)) fault(point);
}

async function recordStarts(tx: Queryable, items: readonly Reported[]): Promise<void> {
  const asked = items.filter((item) => item.parts.start !== undefined && !isOfAnother(item));
  startOthers(asked.filter((item) => !item.row.own_runner));
  const own = asked.filter((item) => item.row.own_runner);
  const fresh = own.filter((item) => !item.closed && !item.started);
  const won = await startJobs(
    tx,
    fresh.map((item) => ({
      job_id: item.row.job_id,
      host: toStorable(item.parts.start!.host),
      estimating: false,
      actor: null,
    })),
  );
  for (const item of own) {
    if (won.has(item.row.job_id) && fresh.includes(item)) {
      begin(item);
      item.status = 'running';
    } else if (item.closed || !item.started || isTerminal(item.status)) item.refusal = notStarted(item);
  }
}

/** The process is spawned, and the job starts when that process says so (other-runner.ts). */
function startOthers(asked: readonly Reported[]): void {
  for (const item of asked) {
    const isStartable = !isTerminal(item.status) && (item.started || item.status !== 'running');
    if (item.closed || !isStartable) item.refusal = notStarted(item);
    else begin(item);
  }
}

function begin(item: Reported): void {
  if (!item.started) item.runId = item.parts.start?.run ?? null;
  item.started = true;
}

/** A scheduler ran the task again. The first process may live, and its word counts; this one is told to do nothing. */
function isOfAnother(item: Reported): boolean {
  if (!item.started || item.runId === (item.parts.start?.run ?? null)) return false;
  const message = `job ${item.row.job_id} can not be started: this dispatch was started by another process`;
  item.refusal = { code: 'CONFLICT', message };
  return true;
}

function notStarted(item: Reported) {
  const why = item.closed ? 'this dispatch was given up' : `the job is ${item.status}`;
  return { code: 'CONFLICT', message: `job ${item.row.job_id} can not be started: ${why}` };
}

/**
 * Returns how far each dispatch's count moved. A repeated report brings lines that are there already; they are passed
 * over. Late lines count too, so that a repeated late report is not stored twice.
 */
async function recordLogs(tx: Queryable, items: readonly Reported[]): Promise<Map<Reported, number>> {
  const moved = new Map<Reported, number>();
  const entries: { jobId: string; lines: readonly StoredLine[] }[] = [];
  for (const item of items) {
    const { logs } = item.parts;
    const end = logs === undefined ? 0 : logs.first + logs.lines.length;
    if (logs === undefined || end <= item.received) continue;
    const fresh = logs.lines.slice(Math.max(0, item.received - logs.first));
    moved.set(item, end - item.received);
    item.received = end;
    entries.push({
      jobId: item.row.job_id,
      lines: item.closed ? fresh.map((line) => ({ ...line, late: true as const })) : fresh,
    });
  }
  await appendLogs(tx, entries);
  return moved;
}

async function recordFinishes(tx: Queryable, items: readonly Reported[]): Promise<void> {
  const asked = items.filter((item) => item.parts.finish !== undefined);
  for (const item of asked) {
    if (item.closed) {
      item.refusal ??= {
        code: 'CONFLICT',
        message: `this dispatch of job ${item.row.job_id} was given up; it changes nothing`,
      };
    }
  }
  const due = asked.filter((item) => !item.closed && !isTerminal(item.status));
  await endJobs(
    tx,
    due.map((item) => [item, finishOf(item)] as const),
  );
}

async function endJobs(tx: Queryable, ends: readonly (readonly [Reported, Finish])[]): Promise<void> {
  const won = await finishJobs(
    tx,
    ends.map(([, finish]) => finish),
  );
  for (const [item, finish] of ends) {
    item.ended = won.has(item.row.job_id);
    // who lost was cancelled or ended otherwise a moment ago: terminal either way
    item.status = item.ended ? finish.status : 'terminated';
  }
}

function finishOf({ row, parts }: Reported): Finish {
  const finish = parts.finish!;
  const hasOutput = finish.output !== null && isStorable(finish.output);
  const failureClass = finish.failure_class ?? (hasOutput ? null : 'output');
  const message = failureClass === null ? null : toStorable(finish.error_message ?? `the job failed (${failureClass})`);
  const code = failureClass === null ? null : ERROR_CODE_OF[failureClass];
  return {
    job_id: row.job_id,
    status: failureClass === null ? 'completed' : 'error',
    error_code: code,
    failure_class: failureClass,
    errormsg: message,
    error: message === null ? null : JSON.stringify({ code, name: 'Job failed', message, error: message }),
    exit_code: finish.exit_code,
    exit_signal: finish.exit_signal === null ? null : toStorable(finish.exit_signal),
    job_output: failureClass === null ? finish.output : null,
    actor: null,
    ended_ms_ago: endedMsAgo(parts),
  };
}

/** Longer than a runner waits for its server; what says more has a broken clock. */
const LONGEST_AWAY_MS = 30 * 24 * 3_600_000;

function endedMsAgo({ finish, sent_at: sent }: Parts): number {
  const ended = finish?.ended_at;
  if (ended === undefined || sent === undefined) return 0;
  return Math.min(Math.max(0, sent - ended), LONGEST_AWAY_MS);
}

/** The dispatch itself is closed with the note of its report. */
async function recordGone(tx: Queryable, items: readonly Reported[]): Promise<void> {
  const gone = items.filter((item) => item.parts.gone === true && !item.closed);
  await recordLost(tx, gone);
  for (const item of gone) item.close ??= item.status === 'terminated' ? 'canceled' : 'finished';
}

/** Gone without an end: a job that had started failed with its platform; one that had not waits for another dispatch. */
async function recordLost(tx: Queryable, gone: readonly Reported[]): Promise<void> {
  const lost = gone.filter((item) => !isTerminal(item.status));
  for (const item of lost) item.close = 'lost';
  await endJobs(
    tx,
    lost.filter((item) => item.started).map((item) => [item, lostFinish(item.row.job_id)] as const),
  );
  await requeueJobs(
    tx,
    lost.filter((item) => !item.started).map((item) => item.row.job_id),
  );
}

/** A start is recorded and the end never came: `error`, class platform, never silently run again. */
export function lostFinish(
  jobId: string,
  message = 'the job was lost: its process is gone and it left no result (the machine or the runner died)',
): Finish {
  return {
    job_id: jobId,
    status: 'error',
    error_code: ERROR_CODE_OF.platform,
    failure_class: 'platform',
    errormsg: message,
    error: JSON.stringify({ code: ERROR_CODE_OF.platform, name: 'Job lost', message, error: message }),
    exit_code: null,
    exit_signal: null,
    job_output: null,
    actor: null,
  };
}

interface Moved {
  readonly scheduler: Scheduler | undefined;
  readonly from: DispatchRef;
}

/** One after the other: what one is given must not be given to the next. Runners that ask so call for one dispatch. */
async function giveNext(ctx: Context, tx: Queryable, items: readonly Reported[]): Promise<Moved[]> {
  const moved: Moved[] = [];
  for (const item of items) {
    const { parts, row, closed } = item;
    const isOver = closed || (item.close === 'finished' && item.ended && item.status === 'completed');
    if (parts.next === undefined || !row.own_runner || !isOver) continue;
    const scheduler = ctx.schedulers.get(row.scheduler);
    const given = await takeNext(tx, scheduler, { row, next: parts.next, isRepeated: closed });
    if (given === null) continue;
    const start = { host: parts.next.host, run: parts.next.run };
    const rows = new Map((await lockDispatches(tx, [given.dispatchId])).map((one) => [one.dispatch_id, one]));
    item.follower = asReported({ dispatchId: given.dispatchId, parts: { start } }, rows);
    if (item.follower !== null) await carryOutRound(tx, [item.follower]);
    if (given.from !== null) moved.push({ scheduler, from: given.from });
  }
  return moved;
}

/** After the commit: killed before the answer, the runner repeats its start and is answered again. */
async function specsOfStarted(ctx: Context, items: readonly (Reported | null)[]): Promise<Map<Reported, JobSpec>> {
  const started = items.filter((item) => item !== null && item.parts.start !== undefined && item.refusal === null);
  if (started.length === 0) return new Map();
  const told = await specsOf(
    ctx,
    started.map((item) => item!.row),
  );
  const specs = new Map<Reported, JobSpec>();
  for (const item of started) {
    const spec = told.get(item!.row.dispatch_id);
    if (spec instanceof RepriseError) item!.refusal = { code: spec.code, message: spec.message };
    else if (spec !== undefined) specs.set(item!, spec);
  }
  return specs;
}

function wakeAfter(ctx: Context, items: readonly (Reported | null)[]): void {
  const said = items.filter((item) => item !== null).map((item) => item.parts);
  if (said.some((parts) => parts.gone === true)) ctx.wake('dispatch');
  if (said.length > 0) ctx.wake('events');
}

function toAnswer(item: Reported | null, specs: ReadonlyMap<Reported, JobSpec>, grace: number): WorkerAnswer {
  if (item === null) {
    const error = { code: 'UNAUTHENTICATED', message: 'this token is not of any dispatch here; give the job up' };
    return { ok: false, error, canceled: true, logs_received: 0 };
  }
  const hasGrace = !item.row.own_runner && item.started && (item.row.ended_for ?? 0) < grace;
  const job = specs.get(item);
  const over = item.closed || item.close !== null || (isTerminal(item.status) && !hasGrace);
  return {
    ok: item.refusal === null,
    ...(item.refusal !== null && { error: item.refusal }),
    status: item.status,
    canceled: over,
    logs_received: item.received,
    ...(job !== undefined && { job }),
  };
}
