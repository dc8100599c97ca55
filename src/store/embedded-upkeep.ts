/**
 * What a PostgreSQL server's background processes do and single-user PostgreSQL leaves undone: checkpoints (or the log
 * grows without end and the next start replays it all), vacuum (or tables only grow, and transaction ids run out), and
 * analyze (or plans are made for the empty tables of the beginning). One step at a time, in quiet moments.
 */
import { statement } from './db.js';
import type { Session } from './embedded-session.js';

export interface Upkeep {
  /** One look and at most one task; says what it did. */
  runOnce(): Promise<string | null>;
  stop(): void;
}

export interface UpkeepLimits {
  readonly walBytes: number;
  /** Transactions after which old rows are frozen; at 2^31 PostgreSQL would refuse to write. */
  readonly freezeAge: number;
}

/** 30 MB are replayed in about a second. */
const LIMITS: UpkeepLimits = { walBytes: 30 * 1024 * 1024, freezeAge: 150_000_000 };
const LOOK_MS = 250;
/** A server that is never quiet is looked after this often all the same, when twice as much is due. */
const LONGEST_MS = 1_000;

interface Need {
  readonly wal: number;
  readonly task: string | null;
}

/** The statistics are written down at most once a second unless told; the next look sees what this one flushes. */
const selectNeed = statement<Need>(
  'select_upkeep_need',
  `
  select
    pg_wal_lsn_diff(pg_current_wal_insert_lsn(), c.redo_lsn)::float8 as wal,
    (
      select
        case
          when age(t.relfrozenxid) > $2::integer then format('vacuum (freeze) %I.%I', s.schemaname, s.relname)
          when s.n_dead_tup > $1::float8 * (1000 + 0.2 * greatest(t.reltuples, 0))
            then format('vacuum (analyze) %I.%I', s.schemaname, s.relname)
          else format('analyze %I.%I', s.schemaname, s.relname)
        end
      from pg_stat_all_tables s
      join pg_class t on t.oid = s.relid
      where t.relkind = 'r'
        and (
          age(t.relfrozenxid) > $2::integer
          or s.n_dead_tup > $1::float8 * (1000 + 0.2 * greatest(t.reltuples, 0))
          or s.schemaname = 'public'
            and s.n_mod_since_analyze > $1::float8 * (500 + 0.1 * greatest(t.reltuples, 0))
        )
      order by age(t.relfrozenxid) > $2::integer desc, s.n_mod_since_analyze + s.n_dead_tup desc
      limit 1
    ) as task
  from pg_control_checkpoint() c
  cross join (select pg_stat_force_next_flush()) flush`,
);

export function startUpkeep(session: Session, limits: UpkeepLimits = LIMITS): Upkeep {
  let seen = 0;
  let lookedAt = 0;
  let running = false;

  async function look(slack: number): Promise<string | null> {
    const [need] = await session.query(selectNeed, [slack, limits.freezeAge]);
    if (need === undefined) return null;
    const task = need.wal > slack * limits.walBytes ? 'checkpoint' : need.task;
    if (task !== null) await session.command(task);
    return task;
  }

  /** Quiet = nothing is asked, and nothing was since the last tick. Nothing at all since the last look: nothing is due. */
  let atLastTick = 0;
  async function tick(): Promise<void> {
    const { sent, unanswered } = session.traffic();
    const quiet = unanswered === 0 && sent === atLastTick;
    atLastTick = sent;
    if (running || sent === seen || (!quiet && performance.now() - lookedAt < LONGEST_MS)) return;
    running = true;
    const task = await look(quiet ? 1 : 2).catch(() => null);
    running = false;
    lookedAt = performance.now();
    atLastTick = session.traffic().sent;
    // after a task there may be another
    seen = task === null ? atLastTick : 0;
  }

  const timer = setInterval(() => void tick(), LOOK_MS);
  timer.unref();
  return { runOnce: () => look(1), stop: () => clearInterval(timer) };
}
