/** kill -9 of the server at fifty random moments of a batch with retries. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Client } from '../../src/client/client.js';
import { RawJson } from '../../src/contract/raw-json.js';
import { makeAppRepository } from '../support/app-repository.js';
import { type ServeProcess, serve } from '../support/serve-process.js';
import { until } from '../support/server.js';

const ITEMS = 300;
const KILLS = 50;
const LINES = 4;

/** Traces each beginning, logs numbered lines, and fails the first time for every third item. */
const STEP = `
p=$(tr -d '"' < input.json)
echo "$REPRISE_JOB_ID" >> "$p.began"
for i in 1 2 3 ${LINES}; do echo "line $i"; sleep 0.02; done
case "$p" in *0|*3|*6|*9) [ -e "$p.ok" ] || { : > "$p.ok"; echo "first time" >&2; exit 3; };; esac
echo "\\"$p\\"" > output.json`;

/** The same numbers every run: a failure can be run again. */
function* random(seed: number): Generator<number, never> {
  let state = seed;
  for (;;) {
    state = (state * 1103515245 + 12345) % 2147483648;
    yield state / 2147483648;
  }
}

it('loses and doubles nothing: every job ends, none ran twice, no log line is lost or doubled, lineages are whole', {
  timeout: 600_000,
}, async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'reprise-crash-'));
  const traces = join(dataDir, 'traces');
  mkdirSync(traces, { mode: 0o777 });
  const repository = makeAppRepository({
    step: { command: ['sh', '-c', STEP], requirements: { cpus: 1, memory_mb: 20 } },
  });
  repository.commit('one');
  let server: ServeProcess = await serve(dataDir, 4);
  await server.client.call('addApp', { repository: repository.path, tag: 'release' });

  const chance = random(20260);
  let kills = 0;
  const killer = (async () => {
    while (kills < KILLS) {
      await new Promise((done) => setTimeout(done, 30 + chance.next().value * 900));
      await server.kill();
      kills += 1;
      server = await serve(dataDir, 4);
    }
  })();
  /** Asks until it is answered; the request id makes that safe. */
  const insist = <T>(what: string, ask: (client: Client) => Promise<T>) =>
    until(
      what,
      () =>
        ask(server.client).catch((error: { code?: string }) => {
          if (error.code !== 'UNAVAILABLE') throw error;
          return undefined;
        }),
      // longer than all the kills take: on a slow machine no answer may fit between two of them
      480,
    );

  const jobs = Array.from({ length: ITEMS }, (_, n) => ({
    method: 'demo.step',
    params: new RawJson(JSON.stringify(join(traces, String(n)))),
  }));
  const submitted = await insist('the batch to be taken', (client) =>
    client.call('submitBatch', { jobs, request_id: 'the-batch' }),
  );
  const batchId = submitted.batch_id!;
  let retries = 0;
  for (let round = 0; kills < KILLS || !(await isCompleted()); round += 1) {
    const result = await insist('a retry to be answered', (client) =>
      client.call('retryBatch', { batch_id: batchId, states: ['error'], request_id: `retry-${round}` }),
    );
    retries += result.accepted;
    await new Promise((done) => setTimeout(done, 200));
  }
  async function isCompleted() {
    return (
      (await insist('the batch', (client) => client.call('getBatch', { batch_id: batchId }))).state === 'completed'
    );
  }
  await killer;

  const batch = await server.client.call('getBatch', { batch_id: batchId });
  expect(batch).toMatchObject({ items: ITEMS, state: 'completed', retries });
  const began = readdirSync(traces)
    .filter((file) => file.endsWith('.began'))
    .flatMap((file) => readFileSync(join(traces, file), 'utf8').trim().split('\n'));
  expect(began).toHaveLength(ITEMS + retries);
  expect(new Set(began).size).toBe(began.length);

  for (const { job_id: root } of submitted.items) {
    const { jobs: line } = await server.client.call('getLineage', { job_id: root! });
    expect(line.map((job) => job.retry_number)).toEqual(line.map((_, n) => n));
    expect(line.map((job) => job.status)).toEqual([...line.slice(1).map(() => 'error'), 'completed']);
    for (const job of line) {
      const { lines } = await server.client.call('getLogs', { job_id: job.job_id });
      const numbered = lines.filter((entry) => !entry.is_error).map((entry) => entry.line);
      expect(numbered).toEqual(Array.from({ length: LINES }, (_, n) => `line ${n + 1}`));
    }
  }
  await server.kill();
});
