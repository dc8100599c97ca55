/** The engine itself under sixteen clients; and the same with the guard of a retry taken out, which must be noticed. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RepriseError } from '../../src/contract/errors.js';
import type { Db, Queryable, Statement } from '../../src/store/db.js';
import { random } from '../crash/world.js';
import { openTestPostgres } from '../support/databases.js';
import { alice, type Harness, idsOf, openEngine, retryIds, statusOf, submitJobs } from '../support/engine.js';
import { type Door, recordHistory, refusalAnswer, statusAnswer } from './clients.js';
import { canBeOrdered } from './model.js';

const GUARD = "and l.superseded_by is null and l.status in ('error', 'terminated')";

/** The constraints would hold what the statement lets through. */
const WITHOUT_CONSTRAINTS = `
  drop index jobs_one_head;
  drop index jobs_one_unfinished;
  alter table jobs drop constraint jobs_retry_number_once cascade;`;

function withoutGuard(db: Db): Db {
  const broken = <Row>(statement: Statement<Row>): Statement<Row> =>
    statement.text.includes(GUARD)
      ? { name: `${statement.name}_unguarded`, text: statement.text.replace(GUARD, '') }
      : statement;
  const over = (queryable: Queryable): Queryable => ({ query: (one, params) => queryable.query(broken(one), params) });
  return { ...bound(db), ...over(db), transaction: (work) => db.transaction((tx) => work(over(tx))) };
}

function bound(db: Db): Db {
  return {
    kind: db.kind,
    query: (one, params) => db.query(one, params),
    transaction: (work) => db.transaction(work),
    script: (sql) => db.script(sql),
    listen: (channel, handler) => db.listen(channel, handler),
    exclusively: (name, work) => db.exclusively(name, work),
    close: () => db.close(),
  };
}

function doorOf(h: Harness): Door {
  const outcome = async (work: () => Promise<unknown>) => {
    try {
      await work();
      return { answer: 'done' } as const;
    } catch (error) {
      if (error instanceof RepriseError && error.code === 'CONFLICT') return { answer: 'not done' } as const;
      throw error;
    }
  };
  const raw = (text: string) => ({ text, isNull: false, parse: () => JSON.parse(text) as unknown });
  const ended = { errorMessage: null, errorCode: null, error: null, output: null };
  return {
    submit: async () => idsOf(await submitJobs(h, 1))[0] as string,
    async retry(jobId, requestId) {
      const receipt = (await retryIds(h, [jobId], { requestId })).receipts[0];
      if (receipt?.accepted !== true) return { answer: refusalAnswer(receipt?.code ?? 'nothing'), jobId: null };
      return { answer: { answer: 'retried', number: receipt.retry_number as number }, jobId: receipt.retry_id };
    },
    async cancel(jobId) {
      const { items } = await h.engine.cancel(alice, [jobId], null);
      return { answer: items[0]?.cancelled === 1 ? 'done' : 'not done' };
    },
    finish: (jobId, well) =>
      outcome(() =>
        h.engine.finish(
          alice,
          jobId,
          well ? { ...ended, output: raw('{}') as never } : { ...ended, errorMessage: 'it failed' },
        ),
      ),
    check: async (jobId) => statusAnswer(await statusOf(h, jobId)),
  };
}

const plan = (seed: number) => {
  return { clients: 16, lineages: 3, calls: 12, chance: random(seed), pause: async () => undefined };
};

describe('sixteen clients at once on PostgreSQL', () => {
  let db: Db;
  beforeAll(async () => {
    db = await openTestPostgres();
  });
  afterAll(() => db.close());

  it('get answers that can be put in one order for each lineage', async () => {
    const histories = await recordHistory(doorOf(openEngine(db)), plan(1));
    expect(histories.flat()).toHaveLength(16 * 12);
    for (const history of histories) expect(canBeOrdered(history)).toBe(true);
  });

  it('are noticed to be told what can not be, when the guard of a retry is taken out', async () => {
    await db.script(WITHOUT_CONSTRAINTS);
    const h = openEngine(withoutGuard(db));
    let noticed = false;
    // one run might be lucky
    for (let seed = 2; seed < 12 && !noticed; seed += 1) {
      // the harness's request ids are made of client and turn
      const door = doorOf(h);
      const named: Door = { ...door, retry: (jobId, requestId) => door.retry(jobId, `${seed}-${requestId}`) };
      noticed = (await recordHistory(named, plan(seed))).some((history) => !canBeOrdered(history));
    }
    expect(noticed).toBe(true);
  });
});
