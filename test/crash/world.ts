/**
 * A server that is killed, the clients that go on, and the questions that are asked afterwards: is anything lost, was
 * anything done twice, is the record whole.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../src/client/client.js';
import { RawJson } from '../../src/contract/raw-json.js';
import type { Examination, Finding } from '../../src/contract/schemas.js';
import { isTerminal, type Status } from '../../src/contract/status.js';
import type { FaultPoint } from '../../src/faults.js';
import { sendTo } from '../../src/runner/tree.js';
import { makeAppRepository } from '../support/app-repository.js';
import { type PostgresServer, startPostgres } from '../support/postgres-server.js';
import { type ServeProcess, serve } from '../support/serve-process.js';
import { until } from '../support/until.js';

export const STORES = ['embedded', 'PostgreSQL 15'] as const;
export type Store = (typeof STORES)[number];

const LINES = ['line 1', 'line 2', 'line 3', 'line 4'];
/** Kills keep servers from recovering for a while, and machines are slow. */
const PATIENCE_SECONDS = 600;

/** Traces each beginning, logs numbered lines; may fail the first time, or go on until it is ended. */
const STEP = `
p=$(tr -d '"' < input.json)
echo "$REPRISE_JOB_ID" >> "$p.began"
for i in 1 2 3 4; do echo "line $i"; done
case "$p" in
  *-fail) [ -e "$p.failed" ] || { : > "$p.failed"; exit 3; };;
  *-hang) sleep 600;;
esac
echo '"done"' > output.json`;

/** The same numbers every run: a failure can be run again. */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state / 2147483648;
  };
}

export interface Verdict {
  readonly jobs: number;
  readonly retries: number;
  /** Sentences. */
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  readonly flaws: readonly Finding[];
}

/** One round of the clients: what it asked for, to be compared afterwards. */
interface Round {
  readonly batchId: string;
  readonly roots: readonly string[];
}

export class World {
  readonly dataDir = mkdtempSync(join(tmpdir(), 'reprise-crash-'));
  readonly #traces = join(this.dataDir, 'traces');
  readonly rounds: Round[] = [];
  readonly #open = new Set<number>();
  #server: ServeProcess | undefined;
  #database: string | undefined;
  #at = 0;

  private constructor(readonly postgres: PostgresServer | null) {}

  static async open(store: Store): Promise<World> {
    const world = new World(store === 'embedded' ? null : await startPostgres());
    mkdirSync(world.#traces, { mode: 0o777 });
    world.#database = await world.postgres?.createDatabase();
    await world.start();
    const requirements = { cpus: 1, memory_mb: 20 };
    const repository = makeAppRepository({ step: { command: ['sh', '-c', STEP], requirements } });
    repository.commit('one');
    await world.insist('the app', (client) => client.call('addApp', { repository: repository.path, tag: 'release' }));
    return world;
  }

  /** Armed to die at a point, once; `mark` exists when it has. */
  async start(armed?: { point: FaultPoint; mark: string }): Promise<void> {
    const env = armed === undefined ? {} : { REPRISE_FAULT: armed.point, REPRISE_FAULT_MARK: armed.mark };
    const url = this.#database;
    const database = url === undefined ? {} : { database: { url, poolSize: 6 } };
    this.#server = await serve(this.dataDir, 6, database, env);
  }

  async kill(): Promise<void> {
    await this.#server?.kill();
  }

  /** Also one that is just coming up. A server that is there starts another. */
  killHosts(): void {
    for (const pid of this.#hostPids()) sendTo(pid, 'SIGKILL');
  }

  #hostPids(): number[] {
    const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
    return pids.filter((pid) => this.#isHost(pid)).map(Number);
  }

  #isHost(pid: string): boolean {
    try {
      const [, program, stateDir] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return program?.endsWith('runner/host.js') === true && stateDir?.startsWith(this.dataDir) === true;
    } catch {
      // ended while we looked
      return false;
    }
  }

  /** Asks until it is answered; request ids make that safe. */
  insist<T>(what: string, ask: (client: Client) => Promise<T>): Promise<T> {
    return until(
      what,
      () =>
        ask((this.#server as ServeProcess).client).catch((error: { code?: string }) => {
          if (error.code !== 'UNAVAILABLE') throw error;
          return undefined;
        }),
      PATIENCE_SECONDS,
    );
  }

  /** What clients do: a batch of which one fails first, a job that is cancelled, one that is ended by a call. */
  async round(): Promise<void> {
    this.#at += 1;
    const at = this.#at;
    this.#open.add(at);
    await this.#carryOut(at);
    this.#open.delete(at);
  }

  /** Until everything that was begun has come to its end. */
  async rest(isOver: () => boolean): Promise<void> {
    const begun = [...this.#open];
    await until('what was begun to end', async () => isOver() || !begun.some((at) => this.#open.has(at)), 600);
  }

  async #carryOut(at: number): Promise<void> {
    const name = (kind: string) => new RawJson(JSON.stringify(join(this.#traces, `${at}-${kind}`)));
    const job = (kind: string) => ({ method: 'demo.step', params: name(kind) });
    const batch = await this.insist('a batch to be taken', (client) =>
      client.call('submitBatch', { jobs: [job('ok'), job('fail')], request_id: `batch-${at}` }),
    );
    const hanging = await this.insist('jobs to be taken', (client) =>
      client.call('submitJobs', { jobs: [job('1-hang'), job('2-hang')], request_id: `jobs-${at}` }),
    );
    const [cancelled, finished] = hanging.items.map((item) => item.job_id as string) as [string, string];
    this.rounds.push({
      batchId: batch.batch_id as string,
      roots: [...batch.items.map((item) => item.job_id as string), cancelled, finished],
    });
    await Promise.all([
      this.#completeBatch(batch.batch_id as string),
      this.#endWhenRunning(cancelled, (client) => client.call('cancelJob', { job_id: cancelled })),
      this.#endWhenRunning(finished, () => this.#finishByCall(finished)),
    ]);
  }

  async #completeBatch(batchId: string): Promise<void> {
    for (let turn = 0; ; turn += 1) {
      const { state } = await this.insist('the batch', (client) => client.call('getBatch', { batch_id: batchId }));
      if (state === 'completed') return;
      await this.insist('a retry to be answered', (client) =>
        client.call('retryBatch', { batch_id: batchId, states: ['error'], request_id: `retry-${batchId}-${turn}` }),
      );
      await sleep(50);
      if (turn * 0.05 > PATIENCE_SECONDS) throw new Error(`batch ${batchId} was never completed: ${state}`);
    }
  }

  /** Of two that end it, one crash between them, the second may be refused: it has ended. */
  async #endWhenRunning(jobId: string, end: (client: Client) => Promise<unknown>): Promise<void> {
    const statusOf = async () => {
      const job = await this.insist('the job', (client) => client.call('getJob', { job_id: jobId }));
      return job.status as Status;
    };
    await until(`job ${jobId} to run`, async () => !['created', 'queued'].includes(await statusOf()), PATIENCE_SECONDS);
    await this.insist('the end to be taken', (client) =>
      end(client).catch((error: { code?: string }) => {
        if (error.code !== 'CONFLICT') throw error;
        return true;
      }),
    );
    await until(`job ${jobId} to end`, async () => isTerminal(await statusOf()), PATIENCE_SECONDS);
  }

  async #finishByCall(jobId: string): Promise<true | undefined> {
    const { url, token } = this.#server as ServeProcess;
    const params = [{ job_id: jobId, job_output: { version: '1', result: ['by call'] } }];
    const body = JSON.stringify({ method: 'execution_engine2.finish_job', params, version: '1.1', id: '1' });
    const sent = { method: 'POST', headers: { authorization: token }, body };
    const answer = await fetch(`${url}/services/ee2`, sent).catch(() => null);
    const text = await answer?.text().catch(() => null);
    if (text == null || text === '') return undefined;
    const { error } = JSON.parse(text) as { error?: { message: string } };
    // the refusal of a second end says that the first was taken; any other error is an outage of the database's
    return error === undefined || error.message.startsWith('Cannot finish job with a status of') ? true : undefined;
  }

  async verify(): Promise<Verdict> {
    const lost: string[] = [];
    const doubled: string[] = [];
    let jobs = 0;
    const beginnings = this.#countBeginnings();
    for (const { roots } of this.rounds) {
      for (const root of roots) jobs += await this.#verifyLineage(root, beginnings, lost, doubled);
    }
    for (const [id, count] of beginnings) if (count > 1) doubled.push(`job ${id} began ${count} times`);
    await this.#verifyRequests(lost, doubled);
    const flaws = await this.examine();
    return { jobs, retries: jobs - this.rounds.length * 4, lost, doubled, flaws };
  }

  async #verifyLineage(
    root: string,
    beginnings: ReadonlyMap<string, number>,
    lost: string[],
    doubled: string[],
  ): Promise<number> {
    const { jobs } = await this.insist('a lineage', (client) => client.call('getLineage', { job_id: root }));
    if (jobs.some((job, number) => job.retry_number !== number)) lost.push(`the lineage of ${root} has a gap`);
    for (const { job_id, status } of jobs) {
      if (!isTerminal(status)) lost.push(`job ${job_id} is ${status}`);
      const { lines } = await this.insist('a log', (client) => client.call('getLogs', { job_id }));
      const said = lines.filter((line) => !line.is_error).map((line) => line.line);
      const began = beginnings.get(job_id) ?? 0;
      if (new Set(said).size < said.length || said.some((line, index) => line !== LINES[index])) {
        doubled.push(`job ${job_id} (${status}) has the lines ${said.join(', ')}`);
      }
      const ranToItsEnd = status === 'completed' && !this.#hangs(job_id);
      if (ranToItsEnd && said.length < LINES.length) lost.push(`job ${job_id} has ${said.length} lines only`);
      if (ranToItsEnd && began === 0) lost.push(`job ${job_id} is completed and never began`);
    }
    return jobs.length;
  }

  /** Job ids by their traces, from all files. */
  #countBeginnings(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const file of readdirSync(this.#traces).filter((name) => name.endsWith('.began'))) {
      for (const id of readFileSync(join(this.#traces, file), 'utf8').trim().split('\n')) {
        counts.set(id, (counts.get(id) ?? 0) + 1);
      }
    }
    return counts;
  }

  #hangs(jobId: string): boolean {
    return this.rounds.some(({ roots }) => roots.indexOf(jobId) >= 2);
  }

  async #verifyRequests(lost: string[], doubled: string[]): Promise<void> {
    const batches = new Set<string>();
    for (let cursor: string | undefined; ; ) {
      const page = await this.insist('the batches', (client) =>
        client.call('listBatches', { limit: 1000, ...(cursor !== undefined && { cursor }) }),
      );
      for (const { batch_id } of page.items) batches.add(batch_id);
      if (page.next_cursor === null) break;
      cursor = page.next_cursor;
    }
    for (const { batchId } of this.rounds) if (!batches.delete(batchId)) lost.push(`batch ${batchId} is not listed`);
    for (const batchId of batches) doubled.push(`batch ${batchId} is nobody's`);
  }

  async examine(repair = false): Promise<Finding[]> {
    const findings: Finding[] = [];
    for (let cursor: string | undefined; ; ) {
      const from = cursor;
      const stretch: Examination = await this.insist('the doctor', (client) =>
        client.call('examine', { repair, ...(from !== undefined && { cursor: from }) }),
      );
      findings.push(...stretch.findings);
      if (stretch.next_cursor === null) return findings;
      cursor = stretch.next_cursor;
    }
  }

  async close(): Promise<void> {
    await this.kill();
    this.killHosts();
    await until('the runner host to be gone', async () => this.#hostPids().length === 0);
    await this.postgres?.close();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  isMarked(mark: string): boolean {
    return existsSync(mark);
  }
}
