import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { RawJson } from '../../src/contract/raw-json.js';
import { examineFor } from '../../src/maintenance/doctor.js';
import { exportRecord, importRecord } from '../../src/maintenance/transfer.js';
import { type Db, statement } from '../../src/store/db.js';
import { NOT_TRANSFERRED, TRANSFER_TABLES } from '../../src/store/transfer.js';
import { databases, openTestDb } from '../support/databases.js';
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

const quiet = () => undefined;
const scratch = mkdtempSync(join(tmpdir(), 'reprise-transfer-'));

const selectTables = statement<{ name: string }>(
  'test_tables',
  "select table_name as name from information_schema.tables where table_schema = current_schema() and table_type = 'BASE TABLE'",
);
/** Every row of a table as one text, in any order. */
const contentsOf = (table: string) => {
  const row = table === 'events' ? "jsonb_set(to_jsonb(t), '{txid}', '0')" : 'to_jsonb(t)';
  return statement<{ row: string }>(`test_contents_${table}`, `select ${row}::text as row from ${table} t order by 1`);
};
const contents = new Map(TRANSFER_TABLES.map(({ name }) => [name, contentsOf(name)]));
const addMore = [
  statement('test_add_user', "insert into users (user_name, admin_role) values ('zoë', 'write')"),
  statement(
    'test_add_token',
    "insert into tokens (token_id, user_name, token_name, token_hash, created_by) values ('t1', 'zoë', 'a', '\\x00ff5c', 'zoë')",
  ),
  statement('test_add_workspace', "insert into workspaces (name, created_by) values ('w', 'zoë')"),
  statement(
    'test_add_members',
    "insert into workspace_members (wsid, member, role) select wsid, '*', 'read' from workspaces",
  ),
  statement('test_add_secret', "insert into secrets (secret_name, secret_value) values ('s', '\\x0102')"),
  statement('test_add_app', "insert into apps (module, repository, added_by) values ('demo', '/r', 'zoë')"),
  statement(
    'test_add_version',
    "insert into app_versions (module, app_commit, manifest, added_by) values ('demo', repeat('a', 40), '{}', 'zoë')",
  ),
  statement(
    'test_add_tag',
    "insert into app_tags (module, tag, app_commit, moved_by) values ('demo', 'release', repeat('a', 40), 'zoë')",
  ),
  statement(
    'test_add_move',
    "insert into app_tag_moves (module, tag, to_commit, moved_by) values ('demo', 'release', repeat('a', 40), 'zoë')",
  ),
  statement('test_add_bundle', "insert into app_bundles (module, app_commit) values ('demo', repeat('a', 40))"),
  statement(
    'test_add_part',
    "insert into app_bundle_parts (bundle_id, part, bytes) select bundle_id, 0, '\\x1f8b00' from app_bundles",
  ),
  statement('test_add_horizon', "insert into event_horizon (removed_before) values ('2001-01-01T00:00:00.123456Z')"),
  statement(
    'test_add_job_token',
    "insert into job_tokens (job_id, sealed) select max(job_id), '\\x00' from jobs where status = 'created'",
  ),
];
const addRelay = statement('test_add_relay', "insert into relays (relay_name, txid, event_id) values ('r', '0', 0)");
const relayOf = statement<{ event_id: number }>('test_relay', "select event_id from relays where relay_name = 'r'");

async function allOf(db: Db) {
  const all: Record<string, string[]> = {};
  for (const [name, read] of contents) all[name] = (await db.query(read)).map(({ row }) => row);
  return all;
}

describe('export and import', () => {
  let from: Db;
  let h: Harness;
  let root = '';
  const opened: Db[] = [];
  beforeAll(async () => {
    from = await openTestDb();
    h = openEngine(from);
    const params = new RawJson('[1.0, 9007199254740993, 1e22, -0.0, "\u2028 \\n \\" \\u00e9", {"b":1,"a":2}]');
    [root] = idsOf(await submitJobs(h, 3, { target: newBatch, job: { params }, requestId: 'the batch' })) as [string];
    await h.engine.addLogs(alice, root, [{ line: 'a "line"\twith \u2028 and \\ and é', isError: true, ts: 1 }]);
    await runAll(h, () => 'fail');
    await retryIds(h, [root], { reason: 'again', requestId: 'the retry' });
    await runAll(h, () => 'ok');
    await submitJobs(h, 1200);
    for (const more of addMore) await from.query(more);
  });
  afterEach(async () => {
    for (const db of opened.splice(0)) await db.close();
  });
  afterAll(async () => {
    await from.close();
    rmSync(scratch, { recursive: true, force: true });
  });
  const openNew = async (open: () => Promise<Db>) => {
    const db = await open();
    opened.push(db);
    return db;
  };

  it('know every table of the schema', async () => {
    const tables = (await from.query(selectTables)).map(({ name }) => name);
    expect([...TRANSFER_TABLES.map(({ name }) => name), ...NOT_TRANSFERRED].sort()).toEqual(tables.sort());
  });

  it.each(databases)(
    'take every row of every table to $name as it is, and the jobs go on there',
    async ({ name, open }) => {
      const file = join(scratch, `to-${name}.jsonl.gz`);
      const counts = await exportRecord(from, file, quiet);
      const to = await openNew(open);
      expect(await importRecord(to, file, quiet)).toEqual(counts);
      expect(await allOf(to)).toEqual(await allOf(from));

      const there = openEngine(to);
      expect((await there.engine.lineage(alice, root)).map((job) => job.status)).toEqual(['error', 'completed']);
      const { items } = await there.engine.listEvents(alice, { jobId: root, batchId: null, after: null, limit: 100 });
      const told = await h.engine.listEvents(alice, { jobId: root, batchId: null, after: null, limit: 100 });
      expect(items.map((event) => event.kind)).toEqual(told.items.map((event) => event.kind));
      // the same request id, the same answer; new events come after the old ones
      const again = await retryIds(there, [root], { reason: 'again', requestId: 'the retry' });
      expect(again.receipts).toMatchObject([{ accepted: true, root_id: root, retry_number: 1 }]);
      const [fresh] = idsOf(await submitJobs(there, 1));
      expect(await statusOf(there, fresh!)).toBe('created');
      expect((await examineFor(to, null, { repair: false, budgetMs: 60_000 })).findings).toMatchObject(
        // the token of a job is there for the test only
        [],
      );
    },
  );

  it('take what was passed on to a service outside along: nothing is left out, and nothing is passed on twice', async () => {
    const file = join(scratch, 'relay.jsonl');
    await from.query(addRelay);
    await exportRecord(from, file, quiet);
    const to = await openNew(openTestDb);
    await importRecord(to, file, quiet);
    expect((await to.query(relayOf))[0]?.event_id).toBe(0);
  });

  it('import all or nothing: half a file, a damaged one and a record that is there already are refused', async () => {
    const file = join(scratch, 'whole.jsonl');
    await exportRecord(from, file, quiet);
    const text = readFileSync(file, 'utf8');
    const half = join(scratch, 'half.jsonl');
    writeFileSync(half, text.slice(0, text.length / 2));
    const short = join(scratch, 'short.jsonl');
    const lines = text.split('\n');
    writeFileSync(short, lines.filter((_, n) => n !== lines.indexOf('{"table":"jobs"}') + 1).join('\n'));
    const zipped = join(scratch, 'half.jsonl.gz');
    await exportRecord(from, zipped, quiet);
    writeFileSync(zipped, readFileSync(zipped).subarray(0, 5000));

    const to = await openNew(openTestDb);
    for (const wrong of [half, short, zipped]) {
      await expect(importRecord(to, wrong, quiet)).rejects.toThrow(/./);
      expect((await allOf(to)).jobs).toEqual([]);
    }
    await expect(importRecord(to, join(import.meta.dirname, 'transfer.test.ts'), quiet)).rejects.toThrow(
      'is not a whole export',
    );
    await importRecord(to, file, quiet);
    await expect(importRecord(to, file, quiet)).rejects.toThrow('there is a record already');
  });
});
