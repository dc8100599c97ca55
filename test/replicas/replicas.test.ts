/** Servers as processes of their own, each a machine with its own data directory, on one PostgreSQL database. */

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/client.js';
import { RawJson } from '../../src/contract/raw-json.js';
import { sendTo } from '../../src/runner/tree.js';
import { makeAppRepository } from '../support/app-repository.js';
import { type PostgresServer, startPostgres } from '../support/postgres-server.js';
import { type ServeProcess, serve } from '../support/serve-process.js';
import { batchEnded, ended, until } from '../support/server.js';

/** Traces each beginning under the name that the parameters give. */
const step = (script: string) => ({
  command: ['sh', '-c', `p=$(tr -d '"' < input.json); echo "$REPRISE_JOB_ID" >> "$p.began"; ${script}`],
  requirements: { cpus: 1, memory_mb: 20 },
});
const METHODS = {
  step: step('sleep 0.05; echo 1 > output.json'),
  slow: step('sleep 60; echo 1 > output.json'),
  /** Fails the first time. */
  flaky: step('[ -e "$p.ok" ] || { : > "$p.ok"; exit 3; }; echo 1 > output.json'),
};

const LOST = {
  failure_class: 'platform',
  message: 'the job was lost: its machine gave no sign of life for 3 s',
};

let postgres: PostgresServer;
let url: string;
let root: string;
let traces: string;
let machines: ServeProcess[] = [];
let named = 0;

beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.close());

async function makeRoot(): Promise<void> {
  url = await postgres.createDatabase();
  root = mkdtempSync(join(tmpdir(), 'reprise-replicas-'));
  traces = join(root, 'traces');
  mkdirSync(traces, { mode: 0o777 });
}

async function clear(): Promise<void> {
  for (const machine of machines) await machine.kill();
  machines = [];
  for (const pid of hostsBelow(root)) sendTo(pid, 'SIGKILL');
  rmSync(root, { recursive: true, force: true, maxRetries: 5 });
}

async function start(name: string, cpus: number, hostLeaseMs: number): Promise<ServeProcess> {
  const dataDir = join(root, name);
  const machine = await serve(dataDir, cpus, { database: { url }, hostLeaseMs });
  machines.push(machine);
  return machine;
}

async function twoMachines(
  cpus: readonly [number, number] = [2, 2],
  leaseMs = 60_000,
): Promise<[ServeProcess, ServeProcess]> {
  // both at once: one migrates, the other waits for it
  const [one, two] = await Promise.all([start('one', cpus[0], leaseMs), start('two', cpus[1], leaseMs)]);
  const repository = makeAppRepository(METHODS);
  repository.commit('one');
  await one.client.call('addApp', { repository: repository.path, tag: 'release' });
  rmSync(repository.path, { recursive: true });
  return [one, two];
}

/** Runner hosts whose state is below this directory. */
function hostsBelow(directory: string): number[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => {
      const file = `/proc/${pid}/cmdline`;
      const line = existsSync(file) ? readIfAlive(file) : '';
      return line.includes('runner/host') && line.includes(`${directory}/`);
    })
    .map(Number);
}

function readIfAlive(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function jobs(method: keyof typeof METHODS, count: number, cpus?: number) {
  return Array.from({ length: count }, () => {
    named += 1;
    const params = new RawJson(JSON.stringify(join(traces, String(named))));
    return { method: `demo.${method}`, params, ...(cpus !== undefined && { requirements: { cpus } }) };
  });
}

/** The job ids that began, as often as they began. */
function beginnings(): string[] {
  return readdirSync(traces)
    .filter((file) => file.endsWith('.began'))
    .flatMap((file) => readFileSync(join(traces, file), 'utf8').trim().split('\n'));
}

async function machinesOf(at: ServeProcess, ids: readonly string[]): Promise<Map<string, number>> {
  const count = new Map<string, number>();
  for (const id of ids) {
    const { dispatches } = await at.client.call('getJob', { job_id: id });
    const host = dispatches.at(-1)?.scheduler_host ?? 'none';
    count.set(host, (count.get(host) ?? 0) + 1);
  }
  return count;
}

const idsOf = (result: { items: readonly { job_id: string | null }[] }) =>
  result.items.map((item) => item.job_id as string);

describe('two servers on one database', () => {
  let one: ServeProcess;
  let two: ServeProcess;
  beforeAll(async () => {
    await makeRoot();
    [one, two] = await twoMachines([2, 4]);
  });
  afterAll(clear);

  it('share three hundred jobs, and each runs once', async () => {
    const result = await one.client.call('submitBatch', { jobs: jobs('step', 300) });
    const batch = await batchEnded(two.client, result.batch_id!, 60);
    expect(batch).toMatchObject({ state: 'completed', items: 300 });
    expect(beginnings().toSorted()).toEqual(idsOf(result).toSorted());
    const shares = await machinesOf(two, idsOf(result).slice(0, 60));
    expect([...shares.keys()].map((host) => host.replace(/-[0-9a-f]{6}$/, ''))).toHaveLength(2);
    expect(Math.min(...shares.values())).toBeGreaterThan(5);
  });

  it('tell each other what happens: a reader of one sees at once what is done through the other', async () => {
    const stop = new AbortController();
    const stream = await fetch(`${two.url}/api/v1/events?after=now`, {
      headers: { authorization: `Bearer ${two.token}`, accept: 'text/event-stream' },
      signal: stop.signal,
    });
    expect(stream.status).toBe(200);
    const reader = stream.body!.getReader();
    let seen = '';
    const reading = (async () => {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        seen += Buffer.from(value).toString('utf8');
      }
    })().catch(() => undefined);
    const result = await one.client.call('submitJobs', { jobs: jobs('step', 1) });
    const [id] = idsOf(result);
    await until('the end of the job in the stream of the other', async () =>
      /job\.completed/.test(seen.split('\n').find((line) => line.includes(id!) && line.includes('completed')) ?? ''),
    );
    stop.abort();
    await reading;
    // and an identity made through one is good at the other
    const { token } = await one.client.call('createToken', { user: 'zoe' });
    const asZoe = createClient({ url: two.url, token });
    expect((await asZoe.call('listJobs', {})).items).toEqual([]);
  });

  it('take a job through either that only one of their machines can run', async () => {
    const result = await one.client.call('submitJobs', { jobs: jobs('step', 1, 3) });
    expect(result.accepted).toBe(1);
    expect(await ended(one.client, idsOf(result)[0]!)).toMatchObject({ status: 'completed' });
    await expect(one.client.call('submitJobs', { jobs: jobs('step', 1, 5) })).rejects.toThrow(
      '5 cpus asked, but the local scheduler has 4',
    );
  });

  it('cancel through one what runs on the machine of the other', async () => {
    const [id] = idsOf(await one.client.call('submitJobs', { jobs: jobs('slow', 1, 3) }));
    await until('the job to run', async () => (await one.client.call('getJob', { job_id: id! })).status === 'running');
    await one.client.call('cancelJobs', { job_ids: [id!] });
    await until('its processes to be gone', async () => {
      const { dispatches } = await one.client.call('getJob', { job_id: id! });
      return dispatches[0]?.close_reason === 'canceled';
    });
  });

  it('make one retry of each lineage for sixteen callers at once, and tell the others of it', async () => {
    const submitted = await one.client.call('submitBatch', { jobs: jobs('flaky', 40) });
    await batchEnded(one.client, submitted.batch_id!, 60);
    const ids = idsOf(submitted);
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, n) => (n % 2 === 0 ? one : two).client.call('retryJobs', { job_ids: ids })),
    );
    const receipts = answers.flatMap((answer) => answer.receipts);
    const made = receipts.filter((receipt) => receipt.accepted);
    expect(made).toHaveLength(40);
    expect(new Set(made.map((receipt) => receipt.root_id)).size).toBe(40);
    const retryOf = new Map(made.map((receipt) => [receipt.root_id, receipt.retry_id]));
    for (const receipt of receipts.filter(({ accepted }) => !accepted)) {
      expect(['IN_FLIGHT', 'ALREADY_SUCCEEDED']).toContain(receipt.code);
      expect(receipt.blocking_id).toBe(retryOf.get(receipt.root_id));
    }
    expect(await batchEnded(two.client, submitted.batch_id!, 60)).toMatchObject({ state: 'completed', retries: 40 });
  });
});

describe('alone with their database', () => {
  beforeEach(makeRoot);
  afterEach(clear);

  describe('a machine that is lost', () => {
    it('loses no job and doubles none: what it had not begun runs elsewhere, what it had begun is a platform failure', async () => {
      const [one, two] = await twoMachines([2, 2], 3_000);
      const [slow] = idsOf(await one.client.call('submitJobs', { jobs: jobs('slow', 1) }));
      await until('the slow job to begin', async () => beginnings().length === 1);
      const { dispatches } = await one.client.call('getJob', { job_id: slow! });
      const isThere = dispatches[0]?.scheduler_host === readFileSync(join(one.dataDir, 'host-id'), 'utf8').trim();
      const [lost, living] = isThere ? [one, two] : [two, one];
      const { batch_id: batchId } = await living.client.call('submitBatch', { jobs: jobs('step', 100) });
      await until('jobs of the batch to begin', async () => beginnings().length > 10);
      await lost.kill();
      for (const pid of hostsBelow(lost.dataDir)) sendTo(pid, 'SIGKILL');

      expect(await ended(living.client, slow!, 60)).toMatchObject({ status: 'error', failure: LOST });
      const batch = await batchEnded(living.client, batchId!, 60);
      const { items: failed } = await living.client.call('listJobs', { batch_id: batchId!, state: ['error'] });
      for (const job of failed) expect(job.failure).toMatchObject(LOST);
      expect(batch.counts.completed + failed.length).toBe(100);
      await living.client.call('retryBatch', { batch_id: batchId!, states: ['error'] }).catch(() => undefined);
      expect(await batchEnded(living.client, batchId!, 60)).toMatchObject({
        state: 'completed',
        retries: failed.length,
      });
      const began = beginnings();
      expect(new Set(began).size).toBe(began.length);
    });
  });

  describe('a database that restarts', () => {
    it('makes its servers unready for a while, and no job is lost or run twice', async () => {
      const [one, two] = await twoMachines();
      const result = await one.client.call('submitBatch', { jobs: jobs('step', 120) });
      await until('some jobs to have begun', async () => beginnings().length > 20);
      await postgres.stop('kill');
      const ready = (machine: ServeProcess) => fetch(`${machine.url}/readyz`);
      // one that was being asked at that moment only knows that its connection was lost
      await until('the server to say that it is not ready, and why', async () => {
        const got = await ready(two);
        if (got.status !== 503) return false;
        const { checks } = (await got.json()) as { checks: Record<string, { message?: string }> };
        return /no PostgreSQL server listens|no answer within/.test(checks.database?.message ?? '');
      });
      await postgres.start();
      await until('both to be ready again', async () => (await ready(one)).ok && (await ready(two)).ok);
      const batch = await batchEnded(one.client, result.batch_id!, 60);
      const failed = await one.client.call('listJobs', { batch_id: result.batch_id!, state: ['error'] });
      expect(failed.items.map((job) => job.failure)).toEqual([]);
      expect(batch).toMatchObject({ state: 'completed', items: 120 });
      const began = beginnings();
      expect(new Set(began).size).toBe(began.length);
      expect(began).toHaveLength(120);
    });
  });

  describe('a server that is stopped', () => {
    it('has answered every request that it has recorded', async () => {
      const [one, two] = await twoMachines();
      let stopped = false;
      const accepted: string[] = [];
      const failures: unknown[] = [];
      const caller = async () => {
        while (!stopped) {
          await one.client.call('submitJobs', { jobs: jobs('step', 1, 2) }).then(
            (result) => accepted.push(...idsOf(result)),
            (error: unknown) => {
              failures.push(error);
              stopped = true;
            },
          );
        }
      };
      const callers = Array.from({ length: 8 }, caller);
      await until('requests to be answered', async () => accepted.length > 40);
      await one.stop();
      await Promise.all(callers);
      // a connection that is refused or reset was not heard; what was heard has its answer
      expect(failures.length).toBeGreaterThan(0);
      for (const error of failures) expect(causesOf(error).join(' ')).toMatch(/ECONNREFUSED|ECONNRESET|UND_ERR_SOCKET/);
      const { rows } = await postgres.sql('select count(*)::integer as jobs from jobs', new URL(url).pathname.slice(1));
      expect((rows[0] as { jobs: number }).jobs).toBe(accepted.length);
      expect(two.child.exitCode).toBeNull();
    });
  });
});

function causesOf(error: unknown): string[] {
  const codes: string[] = [];
  for (let at = error; at instanceof Error; at = at.cause) codes.push((at as NodeJS.ErrnoException).code ?? at.message);
  return codes;
}
