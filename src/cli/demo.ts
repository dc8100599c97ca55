/**
 * `npm run demo`: a batch of real jobs runs, some fail, the failed ones are retried in the same batch, and the books
 * are compared with what is known. Everything printed was asked from the server or computed here. With a terminal the
 * server stays up at the end; without one the program ends, with exit code 1 if a check fails. `--scheduler slurm` runs the
 * same on a cluster.
 */
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { makeRepository } from '../../examples/genome/make-repository.mjs';
import {
  differences,
  mergeWindows,
  planWindows,
  readGenome,
  type WindowResult,
  wholeGenome,
} from '../../examples/genome/merge.mjs';
import { createClient } from '../client/client.js';
import { RepriseError } from '../contract/errors.js';
import { RawJson } from '../contract/raw-json.js';
import type { BatchView, RetryResult } from '../contract/schemas.js';
import { startServer } from '../server.js';
import { type DemoCluster, openDemoCluster } from './demo-cluster.js';
import { choosePort, clearDirectory, dataDir, directory, serverLog } from './demo-directory.js';
import { failuresByReason, receiptTable, totals, type WindowBooks, windowTable } from './demo-report.js';
import { progress, shortCommit, thousands, wrapped } from './text.js';

type Client = ReturnType<typeof createClient>;

const example = (name: string) => fileURLToPath(new URL(`../../examples/genome/${name}`, import.meta.url));
const genomeFile = example('NC_008253.fna.gz');
/** Two places for one file; the second is made only after the first round. */
const codonTables = { present: join(directory, 'reference'), late: join(directory, 'late-reference') };
/** Windows, counted from 1, that read the late one. */
const isPlanted = (window: number) => window % 7 === 4;
const METHOD = 'orf.window';
const PATIENCE_MS = 180_000;

const interactive = process.stdin.isTTY === true && process.stdout.isTTY === true;
const print = (text = '') => process.stdout.write(`${text}\n`);
const say = (text: string) => print(wrapped(text, '  '));

let steps = 0;
function heading(title: string): void {
  steps += 1;
  print(`\n${steps}. ${title}`);
}

const failedChecks: string[] = [];
function check(holds: boolean, sentence: string): void {
  const mark = holds ? '[ok] ' : '[FAILED] ';
  print(`  ${mark}${wrapped(sentence, '       ').trimStart()}`);
  if (!holds) failedChecks.push(sentence);
}

function placeCodonTable(folder: string): void {
  mkdirSync(folder, { recursive: true });
  cpSync(example('codon-table.json'), join(folder, 'codon-table.json'));
}

async function addApp(client: Client, repository: string, commit: string): Promise<void> {
  const added = await client.call('addApp', { repository, ref: commit, tag: 'release' });
  const from = added.moved_from === null ? '' : ` (it pointed at ${shortCommit(added.moved_from)})`;
  say(`app ${added.module}: tag ${added.tag} points at commit ${shortCommit(added.commit)}${from}`);
}

function windowJobs(genomeLength: number) {
  return planWindows(genomeLength).map((window, index) => {
    const folder = isPlanted(index + 1) ? codonTables.late : codonTables.present;
    const params = { genome: genomeFile, ...window, codon_table: join(folder, 'codon-table.json') };
    return { method: METHOD, params: new RawJson(JSON.stringify(params)) };
  });
}

type Jobs = ReturnType<typeof windowJobs>;

function describePlantedFault(jobs: Jobs): void {
  const planted = [...jobs.keys()].map((index) => index + 1).filter(isPlanted);
  say(
    `Windows ${planted.join(', ')} read their codon table from ${relative('.', codonTables.late)}/, which does not ` +
      'exist yet. The app then exits with code 3. This stands for a resource that is missing for a while, such as a ' +
      'share that is not mounted: the same job with the same inputs succeeds later, so retrying it is right.',
  );
}

/** The submitted batch, and which window each lineage is. */
interface Submitted {
  readonly batchId: string;
  readonly roots: readonly string[];
  readonly windowOf: (rootId: string) => number;
}

async function submit(client: Client, jobs: Jobs): Promise<Submitted> {
  const { batch_id, items, refused } = await client.call('submitBatch', { name: 'E. coli 536 windows', jobs });
  if (batch_id === null || refused > 0) throw new Error(`the server refused ${refused} of ${jobs.length} windows`);
  say(`batch ${batch_id}: ${items.length} jobs, one a window`);
  const roots = items.map(({ job_id }) => String(job_id));
  return { batchId: batch_id, roots, windowOf: (rootId) => roots.indexOf(rootId) + 1 };
}

async function waitForBatch(client: Client, batchId: string): Promise<BatchView> {
  const begun = performance.now();
  let shown = '';
  while (performance.now() - begun < PATIENCE_MS) {
    const batch = await client.call('getBatch', { batch_id: batchId });
    const { completed, error, terminated } = batch.counts;
    const ended = completed + error + terminated === batch.items;
    shown = progress(batch.counts, batch.items);
    if (interactive) process.stdout.write(`\r  ${shown.padEnd(76)}`);
    if (ended) {
      const line = `  ${shown} after ${((performance.now() - begun) / 1000).toFixed(1)} s`;
      print(interactive ? `\r${line.padEnd(78)}` : line);
      return batch;
    }
    if (isStopped) throw new Error('stopped by a signal before the end');
    await sleep(100);
  }
  throw new Error(`the batch did not end within ${PATIENCE_MS / 1000} s (${shown}); ${serverLog} may say why`);
}

/** Returns the commits that the failed jobs ran, by lineage. */
async function showFailures(client: Client, { batchId, windowOf }: Submitted): Promise<Map<string, string>> {
  const failed = await client.call('listJobs', { batch_id: batchId, state: ['error'], limit: 1000 });
  print(failuresByReason(failed.items, windowOf));
  return new Map(failed.items.map(({ root_id, commit }) => [root_id, commit]));
}

async function retryFailed(client: Client, { batchId, windowOf }: Submitted): Promise<RetryResult> {
  const request = { batch_id: batchId, reason: 'the codon table is there now', request_id: 'demo-retry' };
  const answer = await client.call('retryBatch', request);
  print(receiptTable(answer.receipts, windowOf));
  const again = await client.call('retryBatch', request);
  const same = JSON.stringify(again.receipts) === JSON.stringify(answer.receipts);
  check(same, 'the same request sent again gets the same receipts');
  return answer;
}

async function readBooks(client: Client, { batchId, roots }: Submitted): Promise<WindowBooks[]> {
  const { items } = await client.call('listJobs', { batch_id: batchId, limit: 1000 });
  const heads = new Map(items.map((head) => [head.root_id, head]));
  return Promise.all(
    roots.map(async (rootId, index) => {
      const head = heads.get(rootId);
      if (head === undefined) throw new Error(`the list of the batch lacks window ${index + 1} (job ${rootId})`);
      const { output, dispatches } = await client.call('getJob', { job_id: head.job_id });
      const result = output === null ? null : (output.parse() as WindowResult);
      return { number: index + 1, head, dispatches, result };
    }),
  );
}

/** The app's second version reports shorter frames, so both the record and the result tell which one ran. */
function checkCommits(books: readonly WindowBooks[], failedCommits: ReadonlyMap<string, string>, newer: string): void {
  const retried = books.filter(({ head }) => head.retry_number > 0);
  const same = retried.filter(({ head, result }) => {
    return head.commit === failedCommits.get(head.root_id) && result?.minimum_length === 300;
  });
  const commits = [...new Set(same.map(({ head }) => head.commit))].map(shortCommit).join(', ');
  check(
    retried.length > 0 && same.length === retried.length && !commits.includes(shortCommit(newer)),
    `${same.length} of ${retried.length} retries ran the commit that had failed (${commits}), by their record and by ` +
      `their results, while the tag points at ${shortCommit(newer)}`,
  );
}

async function checkRefusal(client: Client, books: readonly WindowBooks[]): Promise<void> {
  const retried = books.find(({ head }) => head.retry_number > 0);
  const refusal = await client.call('retryJob', { job_id: String(retried?.head.root_id) }).then(
    () => null,
    (error: unknown) => error,
  );
  const code = refusal instanceof RepriseError ? refusal.code : 'none';
  check(code === 'ALREADY_SUCCEEDED', `retrying window ${retried?.number} once more is refused (${code}):`);
  if (refusal instanceof Error) print(wrapped(refusal.message, '         '));
}

/** An id of Slurm's is that of an array and the index in it. A task goes on with further jobs when its own was short. */
function checkCluster(books: readonly WindowBooks[]): void {
  const last = books.flatMap(({ dispatches }) => dispatches.slice(-1));
  const ids = last.flatMap(({ scheduler, scheduler_id }) => (scheduler === 'slurm' ? [String(scheduler_id)] : []));
  const [tasks, arrays] = [new Set(ids), new Set(ids.map((id) => id.split('_')[0]))];
  check(
    ids.length === books.length && ids.every((id) => /^\d+_\d+$/.test(id)),
    `these ${books.length} jobs were carried out by ${tasks.size} tasks of Slurm's (${ids[0]} …), of ${arrays.size} arrays`,
  );
}

function checkMerge(books: readonly WindowBooks[], batch: BatchView, sequence: string): void {
  const merged = mergeWindows(books.flatMap(({ result }) => result ?? []));
  print(totals(batch, merged));
  const found = differences(merged, wholeGenome(sequence));
  check(
    found.length === 0,
    'the union of the windows equals a run over the whole genome by another method, in number, position and bases',
  );
  for (const difference of found) say(`  ${difference}`);
}

async function tour(client: Client, isOnCluster: boolean): Promise<Submitted> {
  const sequence = readGenome(genomeFile);
  const repository = join(directory, 'app');
  const [older, newer] = makeRepository(repository);

  heading('The app: code pinned at a commit');
  await addApp(client, repository, older);

  heading('A fault is planted');
  const jobs = windowJobs(sequence.length);
  placeCodonTable(codonTables.present);
  describePlantedFault(jobs);

  heading(`The batch: the genome of E. coli 536 in ${jobs.length} windows`);
  say(`RefSeq NC_008253, ${thousands(sequence.length)} bp; a job finds the open reading frames of its window`);
  const submitted = await submit(client, jobs);
  await waitForBatch(client, submitted.batchId);
  const failedCommits = await showFailures(client, submitted);

  heading('Time passes: the app moves on, the missing file arrives');
  await addApp(client, repository, newer);
  placeCodonTable(codonTables.late);
  const trial = await client.call('submitJobs', { jobs: jobs.slice(0, 1), dry_run: true });
  const now = trial.items[0]?.commit ?? '';
  check(now === newer, `a job submitted now would run commit ${shortCommit(now)} (a dry run says so)`);

  heading('The failed windows are retried in the same batch');
  const answer = await retryFailed(client, submitted);
  const batch = await waitForBatch(client, submitted.batchId);
  const books = await readBooks(client, submitted);
  check(
    batch.retries === answer.accepted,
    `${answer.accepted} retries were accepted; the batch counts ${batch.retries}`,
  );
  check(batch.state === 'completed', `the batch is ${batch.state}`);
  checkCommits(books, failedCommits, newer);
  await checkRefusal(client, books);

  heading('The books');
  print(windowTable(books));
  if (isOnCluster) checkCluster(books);
  checkMerge(books, batch, sequence);
  return submitted;
}

function conclude(seconds: number): void {
  print();
  if (failedChecks.length === 0) say(`Every check holds. (${seconds.toFixed(1)} s)`);
  else say(`${failedChecks.length} checks FAILED; the server's log is ${serverLog}`);
  process.exitCode = failedChecks.length === 0 ? 0 : 1;
}

/** Where to look around; the server is stopped by a signal. */
function invite(url: string, batchId: string): void {
  print(`\nThe server is up at ${url}; its API is described at`);
  print(`${url}/api/v1/docs. Look around from another terminal here:\n`);
  print(`  export REPRISE_URL=${url}`);
  print(`  export REPRISE_TOKEN=$(cat ${relative('.', join(dataDir, 'admin-token'))})`);
  print(`  npx reprise batch show ${batchId}`);
  print('\nCtrl-C stops it.');
}

let isStopped = false;
/** Resolves at the first signal, so that everything is always closed; a second one ends the program at once. */
function firstSignal(): Promise<void> {
  return new Promise((done) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => {
        isStopped = true;
        done();
      });
    }
  });
}

/** Jobs outlive their server: who leaves before the end takes them along. */
async function cancelAll(client: Client): Promise<void> {
  const { items } = await client.call('listBatches', { state: ['created', 'queued', 'running'] });
  for (const { batch_id } of items) await client.call('cancelBatch', { batch_id });
}

function askedScheduler(): 'local' | 'slurm' {
  try {
    const { scheduler } = parseArgs({ options: { scheduler: { type: 'string', default: 'local' } } }).values;
    if (scheduler === 'local' || scheduler === 'slurm') return scheduler;
  } catch {
    // said below
  }
  console.error('usage: npm run demo [-- --scheduler local | slurm]');
  process.exit(2);
}

async function main(): Promise<void> {
  const scheduler = askedScheduler();
  const begun = performance.now();
  clearDirectory();
  print('Reprise demo: a batch runs, some of it fails, the failed jobs are retried.');
  const stop = firstSignal();
  const cluster = scheduler === 'slurm' ? await openCluster() : null;
  try {
    await onServer(begun, stop, cluster);
  } finally {
    await cluster?.close();
  }
}

async function openCluster(): Promise<DemoCluster> {
  heading('A cluster');
  const cluster = await openDemoCluster();
  for (const sentence of cluster.sentences) say(sentence);
  return cluster;
}

async function onServer(begun: number, stop: Promise<void>, cluster: DemoCluster | null): Promise<void> {
  heading('A server of its own, with a fresh data directory');
  const log = pino(pino.destination({ dest: serverLog, sync: true }));
  const port = await choosePort(interactive ? 7878 : 0);
  const place = { host: cluster?.host ?? '127.0.0.1', port };
  const server = await startServer({ dataDir, ...place, ...(cluster && { config: cluster.config }), log });
  try {
    const token = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim();
    say(`${server.url}, data in ${relative('.', dataDir)}/, log in ${relative('.', serverLog)}`);
    const client = createClient({ url: server.url, token });
    const { batchId } = await tour(client, cluster !== null).catch(async (error: unknown) => {
      await cancelAll(client).catch(() => undefined);
      throw error;
    });
    conclude((performance.now() - begun) / 1000);
    if (!interactive) return;
    invite(server.url, batchId);
    await stop;
  } finally {
    await server.close();
  }
}

try {
  await main();
} catch (error) {
  console.error(`\nerror: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
