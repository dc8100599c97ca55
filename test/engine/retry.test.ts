import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Db } from '../../src/store/db.js';
import { openTestDb } from '../support/databases.js';
import {
  alice,
  bob,
  type Harness,
  idsOf,
  newBatch,
  openEngine,
  retryBatch,
  retryIds,
  runAll,
  statusOf,
  submitJobs,
} from '../support/engine.js';

let db: Db;
let h: Harness;
beforeAll(async () => {
  db = await openTestDb();
  h = openEngine(db);
});
afterAll(() => db.close());

const fail = () => 'fail' as const;
const ok = () => 'ok' as const;

async function failedJob(): Promise<string> {
  const [id] = idsOf(await submitJobs(h, 1));
  await runAll(h, fail);
  return id!;
}

/** A lineage of `length` failed jobs. */
async function failedLineage(length: number): Promise<string[]> {
  const ids = [await failedJob()];
  while (ids.length < length) {
    ids.push((await retryIds(h, [ids.at(-1)!])).receipts[0]!.retry_id!);
    await runAll(h, fail);
  }
  return ids;
}

describe('a retry', () => {
  it('is a new job of the same lineage and batch, with the inputs, commit and requirements of the root', async () => {
    const submitted = await submitJobs(h, 1, { target: newBatch, job: { requirements: { memory_mb: 333 } } });
    const [root] = idsOf(submitted);
    await runAll(h, fail);
    const { receipts } = await retryIds(h, [root!], { reason: 'the disk was full' });
    expect(receipts).toMatchObject([{ accepted: true, requested_id: root, root_id: root, retry_number: 1 }]);
    const [first, second] = await h.engine.lineage(alice, root!);
    expect(second).toMatchObject({
      jobId: receipts[0]!.retry_id,
      rootId: root,
      batchId: submitted.batch_id,
      params: first!.params,
      inputKey: first!.inputKey,
      appCommit: first!.appCommit,
      memoryMb: 333,
      retryReason: 'the disk was full',
      status: 'created',
    });
    expect(first).toMatchObject({ supersededBy: second!.jobId, retryIds: [second!.jobId], status: 'error' });
    expect(second!.jobId > first!.jobId).toBe(true);
    await runAll(h, ok);
  });

  it('can be asked through the root, a middle job or the head, and always acts on the head', async () => {
    const ids = await failedLineage(3);
    for (const through of [...ids]) {
      const [receipt] = (await retryIds(h, [through])).receipts;
      expect(receipt).toMatchObject({
        accepted: true,
        requested_id: through,
        root_id: ids[0],
        retry_number: ids.length,
      });
      ids.push(receipt!.retry_id!);
      await runAll(h, fail);
    }
    expect((await h.engine.lineage(alice, ids[0]!)).map((job) => job.jobId)).toEqual(ids);
  });

  it('gets a verdict for each id in the order asked, and one bad id never fails the others', async () => {
    const good = await failedJob();
    const [waiting] = idsOf(await submitJobs(h, 1));
    const batch = await submitJobs(h, 1, { target: newBatch });
    const asked = ['nonsense', 'f'.repeat(24), waiting!, batch.batch_id!, good, good];
    const { receipts, accepted, refused } = await retryIds(h, asked);
    expect(receipts.map((receipt) => receipt.requested_id)).toEqual(asked);
    expect(receipts.map((receipt) => receipt.code)).toEqual([
      'NOT_FOUND',
      'NOT_FOUND',
      'NOT_TERMINAL',
      'IS_BATCH',
      null,
      'DUPLICATE_IN_REQUEST',
    ]);
    expect([accepted, refused]).toEqual([1, 5]);
    await runAll(h, ok);
  });

  it('is given once per lineage in one call; the second id of it is told the job just made (EE2: two siblings started two jobs)', async () => {
    const [root, middle] = await failedLineage(2);
    const { receipts } = await retryIds(h, [middle!, root!]);
    expect(receipts[0]).toMatchObject({ accepted: true, root_id: root });
    expect(receipts[1]).toMatchObject({
      accepted: false,
      code: 'IN_FLIGHT',
      blocking_id: receipts[0]!.retry_id,
      message: `Error retrying job ${root}: its retry ${receipts[0]!.retry_id} is created; wait for it or cancel it`,
    });
    await runAll(h, ok);
  });

  it('gives the single and the bulk path the same verdict', async () => {
    const failed = await failedJob();
    const [waiting] = idsOf(await submitJobs(h, 1));
    const completed = idsOf(await submitJobs(h, 1))[0]!;
    await runAll(h, (id) => (id === completed ? 'ok' : 'fail'));
    const [fresh] = idsOf(await submitJobs(h, 1));
    const asked = [completed, fresh!, 'zzz'];
    const bulk = (await retryIds(h, asked, { dryRun: true })).receipts;
    const single = await Promise.all(asked.map(async (id) => (await retryIds(h, [id])).receipts[0]!));
    const verdicts = (all: typeof bulk) => all.map(({ accepted, code, message }) => ({ accepted, code, message }));
    expect(verdicts(bulk)).toEqual(verdicts(single));
    expect([failed, waiting].length).toBe(2);
    await runAll(h, ok);
  });

  it('of a whole batch takes the newest of each item, not every failed row (GitLab: 1, 2, 4, 8 …)', async () => {
    const { batch_id: batchId } = await submitJobs(h, 5, { target: newBatch });
    await runAll(h, fail);
    for (const expected of [5, 5, 5]) {
      const { accepted, receipts } = await retryBatch(h, batchId!, ['error']);
      expect([accepted, receipts.length]).toEqual([expected, expected]);
      await runAll(h, fail);
    }
    expect(await h.engine.batch(alice, batchId!)).toMatchObject({ items: 5, retries: 15, counts: { error: 5 } });
  });

  it('of a batch acts on as many items as the batch counts (bindery: the number and the act disagreed)', async () => {
    const { batch_id: batchId, items } = await submitJobs(h, 6, { target: newBatch });
    const winners = new Set(items.slice(0, 4).map((item) => item.job_id));
    await runAll(h, (id) => (winners.has(id) ? 'ok' : 'fail'));
    const { counts } = await h.engine.batch(alice, batchId!);
    const { accepted } = await retryBatch(h, batchId!, ['error']);
    expect(accepted).toBe(counts.error);
    await runAll(h, ok);
    expect((await h.engine.batch(alice, batchId!)).state).toBe('completed');
  });

  it('of a cancelled batch runs (Horizon: the retried jobs succeeded doing nothing), and the batch can be cancelled again', async () => {
    const { batch_id: batchId } = await submitJobs(h, 2, { target: newBatch });
    await h.engine.cancel(alice, [batchId!], null);
    const { receipts } = await retryBatch(h, batchId!, ['terminated']);
    expect(receipts.map((receipt) => receipt.accepted)).toEqual([true, true]);
    expect((await h.engine.cancel(alice, [batchId!], null)).items[0]!.cancelled).toBe(2);
    const again = await retryBatch(h, batchId!, ['terminated']);
    await runAll(h, ok);
    expect(await statusOf(h, again.receipts[0]!.retry_id!)).toBe('completed');
  });

  it('numbers retries 1, 2, 3 without a gap (Airflow: off by one)', async () => {
    const ids = await failedLineage(4);
    expect((await h.engine.lineage(alice, ids[2]!)).map((job) => job.retryNumber)).toEqual([0, 1, 2, 3]);
  });

  it('of a version that was withdrawn is refused up front (Airflow: stuck in queued for ever)', async () => {
    const id = await failedJob();
    h.catalog.withdrawn.add('demo.run');
    try {
      expect((await retryIds(h, [id])).receipts).toMatchObject([{ accepted: false, code: 'VERSION_WITHDRAWN' }]);
    } finally {
      h.catalog.withdrawn.clear();
    }
  });

  it('of a success is refused with a sentence (Kestra: crashed the executor)', async () => {
    const [id] = idsOf(await submitJobs(h, 1));
    await runAll(h, ok);
    expect((await retryIds(h, [id!])).receipts[0]).toMatchObject({ code: 'ALREADY_SUCCEEDED' });
  });

  it('of a job that never ran at all works (Kestra: retry with no task runs)', async () => {
    const [id] = idsOf(await submitJobs(h, 1));
    await h.engine.cancel(alice, [id!], null);
    const { receipts } = await retryIds(h, [id!]);
    await runAll(h, ok);
    expect(await statusOf(h, receipts[0]!.retry_id!)).toBe('completed');
  });

  it('tells a stranger nothing but that the right is missing', async () => {
    const id = await failedJob();
    const [receipt] = (await retryIds(h, [id], { actor: bob })).receipts;
    expect(receipt).toMatchObject({ code: 'FORBIDDEN', root_id: null, blocking_id: null });
    expect(receipt!.message).toBe(`User bob does not have permission to JobPermissions.WRITE job ${id}`);
  });

  it('by a workspace member belongs to that member, and the root owner keeps read and cancel', async () => {
    h.rights.set('alice/7', 'write').set('bob/7', 'write');
    const [id] = idsOf(await submitJobs(h, 1, { job: { wsid: 7 } }));
    await runAll(h, fail);
    const [receipt] = (await retryIds(h, [id!], { actor: bob })).receipts;
    h.rights.delete('alice/7');
    const retry = (await h.engine.find(alice, [receipt!.retry_id!])).get(receipt!.retry_id!);
    expect(retry).toMatchObject({ kind: 'job', job: { owner: 'bob', wsid: 7 } });
    expect((await h.engine.cancel(alice, [receipt!.retry_id!], null)).items[0]!.cancelled).toBe(1);
  });
});

describe('a dry run', () => {
  it('gives the same verdicts and records nothing', async () => {
    const [root, head] = await failedLineage(2);
    const planned = await retryIds(h, [head!, root!, 'x'], { dryRun: true });
    expect(planned.receipts.map((receipt) => receipt.code)).toEqual([null, 'IN_FLIGHT', 'NOT_FOUND']);
    expect(planned).toMatchObject({ dry_run: true, accepted: 1, refused: 2 });
    expect(await h.engine.lineage(alice, root!)).toHaveLength(2);
  });
});

describe('a request id', () => {
  it('gives the first answer again, word for word (Inngest: the second one was swallowed)', async () => {
    const id = await failedJob();
    const first = await retryIds(h, [id, 'nope'], { requestId: 'r-1' });
    await runAll(h, fail);
    expect(await retryIds(h, [id, 'nope'], { requestId: 'r-1' })).toEqual(first);
    expect(await h.engine.receipts(alice, 'r-1')).toEqual(first);
    expect(await h.engine.lineage(alice, id)).toHaveLength(2);
  });

  it('with another body is a conflict, for retries and for submissions alike', async () => {
    const body = (text: string) => ({ operation: 'retry', requestId: 'r-2', body: text });
    const id = await failedJob();
    const ask = (text: string) =>
      h.engine.retry(alice, { what: { ids: [id] }, reason: null, dryRun: false, repeat: body(text) });
    await ask('one');
    await expect(ask('two')).rejects.toMatchObject({ code: 'REQUEST_ID_REUSED' });
    await runAll(h, fail);
  });

  it('of which everything was refused is not stuck to that refusal (Trigger.dev: the key of a dead run)', async () => {
    const [id] = idsOf(await submitJobs(h, 1));
    expect((await retryIds(h, [id!], { requestId: 'r-3' })).accepted).toBe(0);
    expect((await h.engine.receipts(alice, 'r-3')).receipts[0]!.code).toBe('NOT_TERMINAL');
    await runAll(h, fail);
    expect((await retryIds(h, [id!], { requestId: 'r-3' })).accepted).toBe(1);
    await runAll(h, ok);
  });

  it('of a submission gives the same jobs, even if the version has been withdrawn since', async () => {
    const first = await submitJobs(h, 3, { target: newBatch, requestId: 'r-4' });
    h.catalog.withdrawn.add('demo.run');
    try {
      expect(await submitJobs(h, 3, { target: newBatch, requestId: 'r-4' })).toEqual(first);
    } finally {
      h.catalog.withdrawn.clear();
    }
  });

  it('used by many at once makes one batch; all get its answer', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => submitJobs(h, 2, { target: newBatch, requestId: 'r-5' })),
    );
    expect(new Set(answers.map((answer) => answer.batch_id)).size).toBe(1);
  });

  it('belongs to its caller', async () => {
    const mine = await submitJobs(h, 1, { requestId: 'r-6' });
    const theirs = await submitJobs(h, 1, { requestId: 'r-6', actor: bob });
    expect(idsOf(mine)).not.toEqual(idsOf(theirs));
  });
});

describe('two hundred retries of one lineage at once', () => {
  it('make one new job; the other 199 receipts name it (Laravel: ran the same failed job many times)', async () => {
    const ids = await failedLineage(3);
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) => retryIds(h, [ids[index % ids.length]!])),
    );
    const receipts = answers.map((answer) => answer.receipts[0]!);
    const [made, ...rest] = receipts.filter((receipt) => receipt.accepted);
    expect(rest).toEqual([]);
    const refused = receipts.filter((receipt) => !receipt.accepted);
    expect(refused).toHaveLength(199);
    expect(new Set(refused.map((receipt) => `${receipt.code} ${receipt.blocking_id}`))).toEqual(
      new Set([`IN_FLIGHT ${made!.retry_id}`]),
    );
    expect(await h.engine.lineage(alice, ids[0]!)).toHaveLength(4);
  });
});
