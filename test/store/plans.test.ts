/**
 * What is written about a job by its id looks at that job and at no other, and a page of some states at no other state,
 * however many wait and whatever the statistics say:
 * they are those of a quiet night, when nothing waited, and thousands have come since.
 */
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Db, declaredStatements, type Param, type Queryable, statement } from '../../src/store/db.js';
import { databases } from '../support/databases.js';

const store = resolve(import.meta.dirname, '../../src/store');
const IS_A_PROGRAM = 'embedded-worker.ts';
const WAITING = 3000;
const MANY = 1000;
/** Rows for each that was asked for: who sees more sees those that wait, or compares each with each. */
const ENOUGH = 5;

beforeAll(async () => {
  for (const file of readdirSync(store)) if (file !== IS_A_PROGRAM) await import(join(store, file));
});

const quiet = (from: number, to: number, columns: string, values: string) => `
  insert into jobs (
    job_id, root_id, owner, input_id, module, method, app_commit, cpus, memory_mb, timeout_ms, scheduler, ${columns}
  )
  select
    lpad(to_hex(n), 24, '0'), lpad(to_hex(n), 24, '0'), 'ada', 'i', 'm', 'm.f', repeat('a', 40), 1, 1, 1, 'local', ${values}
  from generate_series(${from}, ${to}) n;`;

const FILL = `
  alter table jobs set (autovacuum_enabled = false);
  alter table dispatches set (autovacuum_enabled = false);
  insert into inputs (input_id, input_key, method, app_commit) values ('i', 'i', 'm.f', repeat('a', 40));
  ${quiet(1, 5000, 'status, finished_at, job_output', "'completed', now(), '1'")}
  analyze jobs, dispatches;
  ${quiet(10_001, 10_000 + WAITING, 'status', "'created'")}
  ${quiet(20_001, 20_000 + WAITING, 'status', "'queued'")}
  ${quiet(30_001, 30_000 + WAITING, 'status, finished_at, error_code, failure_class', "'error', now(), 1, 'app'")}
  insert into dispatches (dispatch_id, job_id, dispatch_number, scheduler, scheduler_name, submitted_at)
  select job_id, job_id, 1, 'local', 'reprise-1/' || row_number() over (), now()
  from jobs
  where status = 'queued'`;

const idOf = (n: number) => n.toString(16).padStart(24, '0');
/** Ids in a row, from the middle of those that are so. */
const some = (from: number) => (count: number) => Array.from({ length: count }, (_, n) => idOf(from + 500 + n));
const [created, queued, failed] = [some(10_000), some(20_000), some(30_000)] as const;
const json = (ids: readonly string[], row: (id: string, n: number) => object) => JSON.stringify(ids.map(row));

const TAKE_ONE = 'move_queued_dispatch';

/** What each is told for so many jobs. */
const CASES: Readonly<Record<string, (count: number) => readonly Param[]>> = {
  start_jobs_if_startable: (n) => [json(queued(n), (id) => ({ job_id: id, estimating: false }))],
  finish_jobs_if_unfinished: (n) => [json(queued(n), (id) => ({ job_id: id, status: 'completed', job_output: '1' }))],
  terminate_jobs_if_unfinished: (n) => [queued(n), 0, 'user', null],
  requeue_jobs_if_unfinished: (n) => [queued(n), false],
  set_wait_reasons: (n) => [json(created(n), (id) => ({ job_id: id, wait_reason: 'full' }))],
  open_dispatches_if_created: (n) => [json(created(n), (id) => ({ dispatch_id: id, job_id: id })), 'local', null, true],
  queue_accepted_dispatches: (n) => [json(queued(n), (id) => ({ dispatch_id: id, scheduler_id: 'x' }))],
  close_open_dispatches: (n) => [json(queued(n), (id) => ({ dispatch_id: id, close_reason: 'finished' }))],
  lock_reported_dispatches: (n) => [queued(n)],
  note_dispatch_reports: (n) => [
    json(queued(n), (id) => ({ dispatch_id: id, started: true, lines: 0, late_lines: 0, close_reason: 'finished' })),
  ],
  [TAKE_ONE]: () => ['local', 'reprise-1/', [], 'reprise-1/0', 'x'],
  // thousands of others are newer
  select_jobs_page_of_states: (n) => [null, null, null, null, null, null, false, null, n, ['completed']],
  link_retries_if_head_retryable: (n) => [
    json(failed(n), (id, at) => ({ head_id: id, new_id: idOf(40_000 + at) })),
    'ada',
    null,
    false,
  ],
};

interface Node {
  readonly 'Node Type': string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Rows Removed by Index Recheck'?: number;
  readonly Plans?: readonly Node[];
}

/** A small table is read as a whole where that is cheaper than its index: never a large one. */
const OF_SMALL_TABLES = ['Seq Scan', 'Hash'];

/** The most rows that any node of the plan looked at. */
function mostRows(node: Node): number {
  const seen =
    node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0);
  const own = OF_SMALL_TABLES.includes(node['Node Type']) ? 0 : seen * node['Actual Loops'];
  return Math.max(own, ...(node.Plans ?? []).map(mostRows));
}

/** What `work` answers; whatever it wrote is undone. */
async function undone<T>(db: Db, work: (tx: Queryable) => Promise<T>): Promise<T> {
  const answer: T[] = [];
  const undo = new Error('undo');
  const done = db.transaction(async (tx) => {
    answer.push(await work(tx));
    throw undo;
  });
  await expect(done).rejects.toBe(undo);
  return answer[0] as T;
}

describe.each(databases)('on $name', ({ open }) => {
  let db: Db;
  beforeAll(async () => {
    db = await open();
    await db.script(FILL);
  }, 60_000);
  afterAll(() => db.close());

  it.each(
    Object.keys(CASES)
      .flatMap(
        (name) =>
          [
            [name, 1],
            [name, MANY],
          ] as const,
      )
      .filter(([name, count]) => count === 1 || name !== TAKE_ONE),
  )('%s looks at what it is told of: %i', async (name, count) => {
    const declared = declaredStatements().find((one) => one.name === name);
    const explained = statement<{ 'QUERY PLAN': unknown }>(
      `explain_${name}_${count}_${db.kind}`,
      `explain (analyze, timing off, format json) ${declared?.text}`,
    );
    const params = CASES[name]?.(count) ?? [];
    const plan = await undone(db, async (tx) => (await tx.query(explained, params))[0]?.['QUERY PLAN']);
    const [{ Plan }] = (typeof plan === 'string' ? JSON.parse(plan) : plan) as [{ Plan: Node }];
    expect(mostRows(Plan)).toBeGreaterThanOrEqual(count);
    expect(mostRows(Plan), JSON.stringify(Plan, null, 1)).toBeLessThanOrEqual(ENOUGH * count);
  });
});
