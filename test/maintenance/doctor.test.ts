import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawJson } from '../../src/contract/raw-json.js';
import { examineFor, RULES } from '../../src/maintenance/doctor.js';
import { type Db, statement } from '../../src/store/db.js';
import { openTestDb } from '../support/databases.js';
import {
  alice,
  type Harness,
  idsOf,
  newBatch,
  openEngine,
  retryIds,
  runAll,
  statusOf,
  submitJobs,
} from '../support/engine.js';

async function examine(db: Db, repair = false) {
  const findings = [];
  for (let cursor: string | null = null; ; ) {
    const stretch = await examineFor(db, cursor, { repair, budgetMs: 0 });
    findings.push(...stretch.findings);
    cursor = stretch.next_cursor;
    if (cursor === null) return findings;
  }
}

/** What no statement of ours does; the constraints that would refuse it are dropped first. */
const GUARDS = `
  alter table jobs
    drop constraint jobs_superseded_failed, drop constraint jobs_finished_has_time, drop constraint if exists jobs_ids_grow,
    drop constraint jobs_root_is_zero, drop constraint jobs_numbers_without_gap, drop constraint jobs_retry_number_once;
  drop index jobs_one_head;
  drop index jobs_one_unfinished;
  drop index dispatches_one_live;
  alter table jobs drop constraint jobs_batch_id_fkey, drop constraint jobs_input_id_fkey;
  alter table dispatches drop constraint dispatches_check, drop constraint dispatches_number_once, drop constraint dispatches_job_id_fkey;
  alter table batches drop constraint batches_check;
`;

/** By the rule that it breaks. `$1` is the job (a finished root with one retry), its retry, a batch or a request. */
const DAMAGE: Readonly<Record<string, string>> = {
  'lineage-head': 'update jobs set superseded_by = null where job_id = $1::text',
  'lineage-unfinished':
    "update jobs set status = 'running', finished_at = null where root_id = $1::text and status = 'error'",
  'lineage-numbers': 'update jobs set retry_number = 3 where root_id = $1::text and retry_number = 1',
  'lineage-root': "update jobs set root_id = 'ffffffffffffffffffffffff' where root_id = $1::text and retry_number = 1",
  'lineage-link': "update jobs set superseded_by = 'ffffffffffffffffffffffff' where job_id = $1::text",
  'lineage-superseded': "update jobs set status = 'completed' where job_id = $1::text",
  'lineage-order': "update jobs set job_id = '000000000000000000000001' where root_id = $1::text and retry_number = 1",
  'retry-same-inputs': "update jobs set method = 'demo.other' where root_id = $1::text and retry_number = 1",
  'job-inputs': "update jobs set app_commit = 'abc' where job_id = $1::text",
  'job-batch': "update jobs set batch_id = 'ffffffffffffffffffffffff' where job_id = $1::text",
  'job-times': 'update jobs set finished_at = null where job_id = $1::text',
  'job-outcome': 'update jobs set failure_class = null where job_id = $1::text',
  'job-created-event': "delete from events where job_id = $1::text and kind = 'job.created'",
  'job-end-event': "update events set kind = 'job.completed' where job_id = $1::text and kind = 'job.failed'",
  'job-event-path': `update events set payload = '{"previous_status":"completed"}' where job_id = $1::text and kind = 'job.started'`,
  'job-token': "insert into job_tokens (job_id, sealed) values ($1::text, 'x')",
  'dispatch-open': `
    insert into dispatches (dispatch_id, job_id, dispatch_number, scheduler)
    select 'd' || n || '-' || $1::text, $1::text, n, 'local'
    from generate_series(2, 3) n`,
  'dispatch-numbers': 'update dispatches set dispatch_number = 7 where job_id = $1::text',
  'dispatch-closed': 'update dispatches set close_reason = null where job_id = $1::text',
  'queued-dispatch': "update jobs set status = 'queued', finished_at = null where job_id = $1::text",
  'running-dispatch': "update jobs set status = 'running', finished_at = null where job_id = $1::text",
  'started-status': `
    with opened as (
      update dispatches set closed_at = null, close_reason = null where job_id = $1::text
    )
    update jobs set status = 'queued', finished_at = null where job_id = $1::text`,
  'ended-dispatch': `
    with opened as (
      update dispatches set closed_at = null, close_reason = null where job_id = $1::text
    )
    update jobs set finished_at = finished_at - interval '2 days' where job_id = $1::text`,
  'log-lines': 'update log_counters set line_count = line_count + 5 where job_id = $1::text',
  'log-chunk': `update log_chunks set lines = '[]' where job_id = $1::text`,
  'batch-times':
    'update batches set finished_at = now() where batch_id = (select batch_id from jobs where job_id = $1::text)',
  'batch-created-event':
    "delete from events where kind = 'batch.created' and batch_id = (select batch_id from jobs where job_id = $1::text)",
  'request-answer': 'delete from receipts where root_id = $1::text',
  'request-jobs': `
    update requests set answer = '{"items":[{"job_id":"ffffffffffffffffffffffff"}]}'
    where request_key in (select request_key from receipts where root_id = $1::text)`,
  'receipt-items': 'update receipts set item = 4 where root_id = $1::text',
  'receipt-retry': "update receipts set retry_id = 'ffffffffffffffffffffffff' where root_id = $1::text",
  'input-identity': `update inputs set params = '{"other":1}' where input_id = (select input_id from jobs where job_id = $1::text)`,
};
const damages = new Map(
  Object.entries(DAMAGE).map(([name, text]) => [name, statement(`test_damage_${name.replaceAll('-', '_')}`, text)]),
);
const wrongKey = statement(
  'test_wrong_key',
  "update inputs set input_key = 'x' where input_id = (select input_id from jobs where job_id = $1::text)",
);
const closedAsFinished = statement(
  'test_close_as_finished',
  "update dispatches set closed_at = now(), close_reason = 'finished' where job_id = $1::text",
);
const queuedAgain = statement(
  'test_queue_again',
  "update jobs set status = 'queued', running_at = null where job_id = $1::text",
);
const repairEvents = statement<{ kind: string }>(
  'test_repair_events',
  "select kind from events where job_id = $1::text and kind in ('job.repaired', 'job.requeued') order by event_id",
);

describe('the doctor', () => {
  let db: Db;
  let h: Harness;
  beforeAll(async () => {
    db = await openTestDb();
    h = openEngine(db);
  });
  afterAll(() => db.close());

  /** A root that failed and its retry that completed, in a batch, with a log and a request. */
  async function lineage(): Promise<string> {
    const params = new RawJson(JSON.stringify({ at: Math.random() }));
    const [root] = idsOf(
      await submitJobs(h, 1, { target: newBatch, job: { params }, requestId: `s-${Math.random()}` }),
    );
    await h.engine.addLogs(alice, root!, [{ line: 'a line', isError: false, ts: 1 }]);
    await runAll(h, () => 'fail');
    await retryIds(h, [root!], { requestId: `r-${Math.random()}` });
    await runAll(h, () => 'ok');
    return root!;
  }

  it('finds nothing in a record that was only ever written by the engine', async () => {
    for (let n = 0; n < 3; n += 1) await lineage();
    const [cancelled] = idsOf(await submitJobs(h, 1));
    await h.engine.cancel(alice, [cancelled!], null);
    await submitJobs(h, 3);
    expect(await examine(db)).toEqual([]);
    await runAll(h, () => 'ok');
  });

  it('mends a wrong link, a wrong count of lines, a token that was left, a key, and a queued job that nobody has', async () => {
    const [link, count, token, key] = [await lineage(), await lineage(), await lineage(), await lineage()];
    const [queued] = idsOf(await submitJobs(h, 1));
    await h.dispatcher.runOnce();
    await db.query(
      statement(
        `test_lose_dispatch_${db.kind}`,
        "update dispatches set closed_at = now(), close_reason = 'lost' where job_id = $1::text",
      ),
      [queued!],
    );
    await db.script('alter table jobs drop constraint if exists jobs_ids_grow');
    await db.query(damages.get('lineage-link')!, [link]);
    await db.query(damages.get('log-lines')!, [count]);
    await db.query(damages.get('job-token')!, [token]);
    await db.query(wrongKey, [key]);
    const found = await examine(db, true);
    expect(found.map((one) => [one.check, one.mended]).sort()).toEqual([
      ['input-identity', true],
      ['job-token', true],
      ['lineage-link', true],
      ['log-lines', true],
      ['queued-dispatch', true],
      ['schema', false],
    ]);
    for (const id of [link, count, token])
      expect(await db.query(repairEvents, [id])).toEqual([{ kind: 'job.repaired' }]);
    expect(await statusOf(h, queued!)).toBe('created');
    expect((await examine(db)).map((one) => one.check)).toEqual(['schema']);
    await runAll(h, () => 'ok');
  });

  it('ends a job that runs without a dispatch, and lets a started one that counts as waiting run', async () => {
    const ids = idsOf(await submitJobs(h, 2));
    const [lost, waiting] = ids as [string, string];
    await h.dispatcher.runOnce();
    const open = [...h.scheduler.given.values()].filter(({ jobId }) => ids.includes(jobId));
    await h.engine.report(open.map(({ token }) => ({ token, start: { host: 'here' } })));
    await db.query(closedAsFinished, [lost]);
    await db.query(queuedAgain, [waiting]);
    const found = await examine(db, true);
    expect(found.filter((one) => ids.includes(one.id)).map((one) => [one.check, one.id, one.mended])).toEqual(
      expect.arrayContaining([
        ['running-dispatch', lost, true],
        ['started-status', waiting, true],
      ]),
    );
    expect([await statusOf(h, lost), await statusOf(h, waiting)]).toEqual(['error', 'running']);
    const after = await examine(db);
    expect(after.filter((one) => ids.includes(one.id) && /dispatch|status/.test(one.check))).toEqual([]);
    const { token } = open.find(({ jobId }) => jobId === waiting)!;
    await h.engine.report([{ token, gone: true }]);
  });

  it('tells every rule that does not hold by its name, and mends nothing unasked', async () => {
    const roots = new Map<string, string>();
    for (const name of damages.keys()) roots.set(name, await lineage());
    await db.script(GUARDS);
    for (const [name, root] of roots) await db.query(damages.get(name)!, [root]);
    const found = await examine(db);
    const names = new Set(found.map((one) => one.check));
    expect([...RULES.keys()].filter((name) => !names.has(name))).toEqual([]);
    for (const [name, root] of roots) {
      if (['input-identity', 'lineage-order', 'lineage-root'].includes(name)) continue;
      if (/^(batch|request|receipt|retry)/.test(name)) continue;
      expect(found.map((one) => `${one.check} ${one.id}`)).toContain(`${name} ${root}`);
    }
    expect(await examine(db)).toEqual(found);
    expect(found.filter((one) => one.mended)).toEqual([]);
  });
});
