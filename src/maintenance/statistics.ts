/**
 * Execution statistics of jobs that had started, to whoever collects them. Never on the way of a state change: the event
 * of the end is in the record, and this goes through the record at its own pace.
 *
 * Each end is sent once: the place is moved on after each answer. Killed between the answer and that, or when an answer is
 * lost, this one end is sent again; the collector would count it twice, which is better than never.
 */
import type { ExecutionStatistics } from '../contract/execution-statistics.js';
import type { Db } from '../store/db.js';
import type { EventCursor } from '../store/events.js';
import { addRelay, advanceRelay, claimRelay, type EndedRow, findEndsAfter } from '../store/relays.js';

/** Throws if it can not be asked now. A text: it refuses this record, and why. */
export type StatisticsSink = (statistics: ExecutionStatistics) => Promise<string | null>;

export interface StatisticsParts {
  readonly db: Db;
  /** Tells this server apart from others on the same database, and from those before it. */
  readonly server: string;
  readonly send: StatisticsSink;
  /** ms */
  readonly now: () => number;
  readonly log: (message: string, detail?: object) => void;
}

const RELAY = 'execution statistics';
const CLAIM_SECONDS = 120;
const AT_ONCE = 200;
const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 300_000;
/** A record that is refused for so long is passed over. Long, because a wrong token refuses every record. */
const PATIENCE_MS = 3_600_000;

interface Trouble {
  readonly since: number;
  readonly pauseMs: number;
  readonly nextAt: number;
}

export interface Statistics {
  /** Sends what is due; returns how many were sent. After a failure it does nothing until the pause is over. */
  runOnce(): Promise<number>;
  /** A run under way ends after the answer it waits for. */
  stop(): void;
}

export function createStatistics(parts: StatisticsParts): Statistics {
  let trouble: Trouble | null = null;
  let isThere = false;
  let on = true;
  return {
    stop() {
      on = false;
    },
    async runOnce() {
      if (!isThere) await addRelay(parts.db, RELAY);
      isThere = true;
      if (trouble !== null && parts.now() < trouble.nextAt) return 0;
      const { sent, failure } = await passOn(parts, trouble, () => on);
      trouble = failure === null ? null : worse(parts, sent > 0 ? null : trouble, failure);
      return sent;
    },
  };
}

function worse({ now, log }: StatisticsParts, before: Trouble | null, why: string): Trouble {
  const pauseMs = before === null ? FIRST_PAUSE_MS : Math.min(LONGEST_PAUSE_MS, before.pauseMs * 2);
  if (before === null) log('execution statistics can not be delivered; they are kept and sent later', { why });
  return { since: before?.since ?? now(), pauseMs, nextAt: now() + pauseMs };
}

interface Passed {
  readonly sent: number;
  /** Why it stopped before the end of the record. */
  readonly failure: string | null;
}

async function passOn(parts: StatisticsParts, trouble: Trouble | null, isOn: () => boolean): Promise<Passed> {
  const { db, server } = parts;
  let cursor = await claimRelay(db, RELAY, server, CLAIM_SECONDS);
  let sent = 0;
  while (cursor !== undefined) {
    const rows: EndedRow[] = await findEndsAfter(db, cursor, AT_ONCE);
    for (const row of rows.filter((one) => one.job_id !== null)) {
      if (!isOn()) return { sent, failure: null };
      const failure = await sendOne(parts, row, sent > 0 ? null : trouble);
      if (failure !== null) return { sent, failure };
      if (!(await advanceRelay(db, RELAY, server, cursorOf(row), CLAIM_SECONDS))) return { sent, failure: null };
      sent += 1;
    }
    const last = rows.at(-1);
    if (last !== undefined) await advanceRelay(db, RELAY, server, cursorOf(last), CLAIM_SECONDS);
    cursor = rows.length < AT_ONCE || last === undefined ? undefined : cursorOf(last);
  }
  return { sent, failure: null };
}

const cursorOf = (row: EndedRow): EventCursor => ({ txid: row.txid, eventId: row.event_id });

/** Null: go on with the next. */
async function sendOne({ send, now, log }: StatisticsParts, row: EndedRow, trouble: Trouble | null) {
  const jobId = row.job_id as string;
  try {
    const refused = await send(statisticsOf(row, jobId));
    if (refused === null) return null;
    if (trouble === null || now() - trouble.since < PATIENCE_MS) return `job ${jobId} was refused: ${refused}`;
    log('the execution statistics of a job are refused for good and passed over', { job: jobId, why: refused });
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

const seconds = (time: Date) => time.getTime() / 1000;

function statisticsOf(row: EndedRow, jobId: string): ExecutionStatistics {
  return {
    jobId,
    user: row.owner,
    method: row.method,
    commit: row.app_commit,
    appId: row.app_id,
    created: seconds(row.created_at),
    started: seconds(row.running_at),
    finished: seconds(row.finished_at),
    isError: row.status === 'error',
  };
}
