/**
 * Pictures of the pages from a real server. Without arguments the ones in docs/pictures; with `--all <dir>` every page
 * with 3, 300 and 10,000 items, light and dark, from a phone to 4K, to be looked at.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { failureOf, finish, onEach, start, startWebServer } from '../bench/web-server.mjs';
import { root } from './setup-state.mjs';

const [option, directory] = process.argv.slice(2);
const all = option === '--all';
const out = all ? directory : join(root, 'docs', 'pictures');
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'];

mkdirSync(out, { recursive: true });
const server = await startWebServer();
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
try {
  const made = await makeBatches(all ? [3, 300, 10_000] : [3, 12, 300]);
  if (all) await takeAll(made);
  else await takeForDocs(made);
} finally {
  await browser.close();
  await server.close();
}

/** Most items of each have ended; of the largest some run and some wait. Some of what failed was retried. */
async function makeBatches(sizes) {
  const made = [];
  for (const size of sizes) {
    const batch = await server.submit(`PhiX control, ${size} samples`, size);
    const ended = size > 100 ? Math.min(2500, Math.floor(size * 0.8)) : size;
    await onEach(batch.ids.slice(0, ended), async (id, index) => {
      await start(server, id);
      await finish(server, id, size === 3 && index > 0 ? failureOf(3) : failureOf(index));
    });
    await onEach(batch.ids.slice(ended, ended + 5), (id) => start(server, id));
    made.push({ ...batch, size, retried: await retryOne(batch) });
  }
  await server.client.call('createToken', { user: 'ada', name: 'laptop' });
  await server.client.call('createWorkspace', { name: 'sequencing' });
  await server.client.call('shareWorkspace', { wsid: 1, user: 'ada', role: 'write' });
  return made;
}

/** Fails once more, and is retried again. */
async function retryOne({ batchId }) {
  const { client } = server;
  const { items } = await client.call('listItems', { batch_id: batchId, state: ['error'], limit: 1 });
  const first = await client.call('retryJob', { job_id: items[0].job_id, reason: 'the reference was missing' });
  await start(server, first.retry_id);
  await addLog(first.retry_id);
  await finish(server, first.retry_id, failureOf(3));
  const second = await client.call('retryJob', { job_id: first.retry_id, reason: 'mounted /data again' });
  return { root: items[0].job_id, failed: first.retry_id, waiting: second.retry_id };
}

async function addLog(jobId) {
  const lines = [
    { line: '\u001b[1maligning\u001b[0m sample S00004 against PhiX', is_error: 0 },
    { line: 'reads: 1111, threads: 1', is_error: 0 },
    { line: '\u001b[32mok\u001b[0m   index', is_error: 0 },
    { line: '\u001b[33mwarn\u001b[0m 17 reads are shorter than 35', is_error: 0 },
    { line: 'cannot open the reference /data/phix.fa: no such file', is_error: 1 },
  ];
  const body = {
    method: 'execution_engine2.add_job_logs',
    params: [{ job_id: jobId }, lines],
    version: '1.1',
    id: '1',
  };
  await fetch(`${server.url}/services/ee2`, {
    method: 'POST',
    headers: { authorization: server.token },
    body: JSON.stringify(body),
  });
}

async function openPage(options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const { path } = await server.client.call('createSignInLink', {});
  await page.goto(server.url + path);
  await page.getByRole('heading', { name: 'Batches' }).waitFor();
  return page;
}

async function take(page, path, name, before = async () => {}) {
  await page.goto(server.url + path);
  await page.getByRole('heading', { level: 1 }).first().waitFor();
  // the stream of events keeps the network busy for ever: wait for what a page shows while it reads
  await page.waitForFunction(() => document.querySelector('.mantine-Skeleton-root, .mantine-Loader-root') === null);
  await page.waitForTimeout(500);
  await before(page);
  await page.screenshot({ path: join(out, `${name}.png`) });
}

async function openRetry(page) {
  await page.getByRole('button', { name: /^Retry \d+ failed$/ }).click();
  await page.getByText('would be retried').waitFor();
}

async function fillSubmit(page) {
  await page.getByRole('combobox', { name: 'Method' }).fill('phix.align');
  await page.keyboard.press('Escape');
  const rows = 'sample,reads\nS1,1000\nS2,2000\nS3\nS4,4000';
  await page.getByRole('textbox', { name: /rows as/ }).fill(rows);
  await page.getByRole('button', { name: /^Check 4/ }).click();
  await page.getByText('Checked:').waitFor();
}

async function takeForDocs([, , large]) {
  const light = await openPage({ viewport: { width: 1100, height: 640 } });
  await take(light, '/', 'batches');
  await take(light, `/batches/${large.batchId}`, 'batch');
  await take(light, `/batches/${large.batchId}`, 'retry', openRetry);
  const dark = await openPage({ viewport: { width: 1100, height: 640 }, colorScheme: 'dark' });
  await take(dark, `/jobs/${large.retried.failed}`, 'job');
  await take(dark, '/submit', 'submit', fillSubmit);
}

async function takeAll(made) {
  const screens = [
    ['light', { viewport: { width: 1280, height: 800 } }],
    ['dark', { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' }],
    ['phone', { viewport: { width: 360, height: 740 } }],
    ['4k', { viewport: { width: 3840, height: 2160 } }],
  ];
  for (const [screen, options] of screens) {
    const page = await openPage(options);
    for (const { batchId, size, retried } of made) {
      await take(page, `/batches/${batchId}`, `batch-${size}-${screen}`);
      await take(page, `/batches/${batchId}?charts=true`, `charts-${size}-${screen}`);
      await take(page, `/batches/${batchId}`, `retry-${size}-${screen}`, openRetry);
      await take(page, `/jobs/${retried.failed}`, `job-${size}-${screen}`);
    }
    const pages = ['/', '/jobs', '/apps', '/apps/phix', '/tokens', '/workspaces', '/nowhere', '/?q=nothing'];
    for (const path of pages) await take(page, path, `page${path.replaceAll(/\W/g, '-')}-${screen}`);
    await take(page, '/submit', `submit-${screen}`, fillSubmit);
    await page.context().close();
  }
}
