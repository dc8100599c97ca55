/** Sixteen clients of two servers on one PostgreSQL, which are killed under them; and of one embedded server, likewise. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Examination } from '../../src/contract/schemas.js';
import { random, STORES } from '../crash/world.js';
import { makeAppRepository } from '../support/app-repository.js';
import { startPostgres } from '../support/postgres-server.js';
import { type ServeProcess, serve } from '../support/serve-process.js';
import { until } from '../support/until.js';
import { type Door, recordHistory, refusalAnswer, statusAnswer } from './clients.js';
import { type Answer, canBeOrdered } from './model.js';

const SECONDS_OF_KILLS = 30;
const PATIENCE_SECONDS = 180;

/** Jobs wait for workers that are not ours: only the clients end them. */
class Replicas {
  readonly #directories: string[] = [];
  #servers: ServeProcess[] = [];
  #next = 0;

  private constructor(private readonly database: string | undefined) {}

  static async start(count: number, database: string | undefined): Promise<Replicas> {
    const replicas = new Replicas(database);
    for (let at = 0; at < count; at += 1) {
      replicas.#directories.push(mkdtempSync(join(tmpdir(), 'reprise-history-')));
      replicas.#servers.push(await replicas.#serve(at));
    }
    return replicas;
  }

  #serve(at: number): Promise<ServeProcess> {
    const database = this.database === undefined ? {} : { database: { url: this.database, poolSize: 8 } };
    return serve(this.#directories[at] as string, 1, { ...database, config: { scheduler: 'external' } });
  }

  /** In turns. */
  get one(): ServeProcess {
    this.#next += 1;
    return this.#servers[this.#next % this.#servers.length] as ServeProcess;
  }

  async killOne(chance: number): Promise<void> {
    const at = Math.floor(chance * this.#servers.length);
    await this.#servers[at]?.kill();
    this.#servers[at] = await this.#serve(at);
  }

  /** Undefined: no answer came. */
  async ask<T>(call: (server: ServeProcess) => Promise<T>): Promise<T | undefined> {
    return call(this.one).catch(async (error: { code?: string }) => {
      if (error.code !== 'UNAVAILABLE') throw error;
      // not all calls of a client are to fall into one outage
      await sleep(200);
      return undefined;
    });
  }

  insist<T>(what: string, call: (server: ServeProcess) => Promise<T>): Promise<T> {
    return until(what, () => this.ask(call), PATIENCE_SECONDS);
  }

  async close(): Promise<void> {
    for (const server of this.#servers) await server.kill();
    for (const directory of this.#directories) rmSync(directory, { recursive: true, force: true });
  }
}

function doorOf(replicas: Replicas): Door {
  return {
    async submit() {
      const { items } = await replicas.insist('a job to be taken', ({ client }) =>
        client.call('submitJobs', { jobs: [{ method: 'demo.wait' }] }),
      );
      return items[0]?.job_id as string;
    },
    async retry(jobId, requestId) {
      const { receipts } = await replicas.insist('a retry to be answered', ({ client }) =>
        client.call('retryJobs', { job_ids: [jobId], request_id: requestId }),
      );
      const [receipt] = receipts;
      if (receipt?.accepted !== true) return { answer: refusalAnswer(receipt?.code ?? 'nothing'), jobId: null };
      return { answer: { answer: 'retried', number: receipt.retry_number as number }, jobId: receipt.retry_id };
    },
    async cancel(jobId) {
      const told = await replicas.ask(({ client }) => client.call('cancelJob', { job_id: jobId }));
      return told === undefined ? undefined : { answer: told.items[0]?.cancelled === 1 ? 'done' : 'not done' };
    },
    finish: (jobId, well) => finishByCall(replicas.one, jobId, well),
    async check(jobId) {
      const job = await replicas.ask(({ client }) => client.call('getJob', { job_id: jobId }));
      return job === undefined ? undefined : statusAnswer(job.status);
    },
  };
}

async function finishByCall({ url, token }: ServeProcess, jobId: string, well: boolean): Promise<Answer | undefined> {
  const how = well ? { job_output: {} } : { error_message: 'it failed' };
  const body = { method: 'execution_engine2.finish_job', params: [{ job_id: jobId, ...how }], version: '1.1', id: '1' };
  const sent = { method: 'POST', headers: { authorization: token }, body: JSON.stringify(body) };
  const text = await fetch(`${url}/services/ee2`, sent)
    .then(
      (answer) => answer.text(),
      () => null,
    )
    .catch(() => null);
  if (text === null || text === '') return undefined;
  const { error } = JSON.parse(text) as { error?: { message: string } };
  if (error === undefined || error === null) return { answer: 'done' };
  if (error.message.startsWith('Cannot finish job with a status of')) return { answer: 'not done' };
  return undefined;
}

async function examine(replicas: Replicas): Promise<Examination['findings']> {
  const findings: Examination['findings'] = [];
  for (let cursor: string | undefined; ; ) {
    const from = cursor;
    const stretch: Examination = await replicas.insist('the doctor', ({ client }) =>
      client.call('examine', from === undefined ? {} : { cursor: from }),
    );
    findings.push(...stretch.findings);
    if (stretch.next_cursor === null) return findings;
    cursor = stretch.next_cursor;
  }
}

describe.each(STORES)('on %s', (store) => {
  it('all answers can be put in one order, although servers are killed under the clients', {
    timeout: 900_000,
  }, async () => {
    const postgres = store === 'embedded' ? null : await startPostgres();
    const replicas = await Replicas.start(postgres === null ? 1 : 2, await postgres?.createDatabase());
    const repository = makeAppRepository({ wait: { command: ['true'] } });
    try {
      repository.commit('one');
      await replicas.insist('the app', ({ client }) =>
        client.call('addApp', { repository: repository.path, tag: 'release' }),
      );
      const chance = random(99);
      let kills = 0;
      let isOver = false;
      const killing = (async () => {
        for (const end = performance.now() + SECONDS_OF_KILLS * 1000; performance.now() < end; kills += 1) {
          await sleep(200 + chance() * 800);
          await replicas.killOne(chance());
        }
        isOver = true;
      })();
      const pause = () => sleep(chance() * 150);
      const plan = { clients: 16, lineages: 4, calls: 14, chance: random(7), pause };
      const histories = [];
      do histories.push(...(await recordHistory(doorOf(replicas), plan)));
      while (!isOver);
      await killing;
      const calls = histories.flat();
      const unanswered = calls.filter((call) => call.answer === null).length;
      console.log(`${store}: ${kills} kills, ${calls.length} calls, ${unanswered} without an answer`);
      for (const history of histories) expect(canBeOrdered(history)).toBe(true);
      expect(await examine(replicas)).toEqual([]);
    } finally {
      await replicas.close();
      await postgres?.close();
    }
  });
});
