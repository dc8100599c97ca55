/**
 * `npm run bench:web`: the page of a batch of 10,000 items beside the page of a batch of one, in the same browser,
 * alternating. Minutes of events: `WEB_BENCH_MINUTES` (10 unless told). The results go to bench/web.md.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { chromium } from 'playwright-core';
import { failureOf, finish, onEach, start, startWebServer } from './web-server.mjs';

const ITEMS = 10_000;
const ENDED = 6_000;
const RUNS = 7;
const MINUTES = Number(process.env.WEB_BENCH_MINUTES ?? 10);
const EVENTS_AT_ONCE = 2;
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'];

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
const spread = (numbers) => `${median(numbers)} ms (${Math.min(...numbers)}–${Math.max(...numbers)})`;
const lines = [];
const tell = (what, value) => {
  lines.push(`| ${what} | ${value} |`);
  console.log(`${what}: ${value}`);
};

const server = await startWebServer();
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
try {
  const small = await server.submit('one', 1);
  await start(server, small.ids[0]);
  await finish(server, small.ids[0], failureOf(3));
  const large = await server.submit('ten thousand', ITEMS);
  await onEach(large.ids.slice(0, ENDED), async (id, index) => {
    await start(server, id);
    await finish(server, id, failureOf(index));
  });
  const failed = large.ids.slice(0, ENDED).filter((_, index) => failureOf(index) !== null).length;
  const page = await openPage();
  await measureOpening(page, small, large, failed);
  await measureTouch(page);
  await measureEvents(page, large);
} finally {
  await browser.close();
  await server.close();
}
write();

async function openPage() {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  const { path } = await server.client.call('createSignInLink', {});
  await page.goto(server.url + path);
  await page.getByRole('heading', { name: 'Batches' }).waitFor();
  return page;
}

/** From the navigation to: failures are in the table, and the button says the right number. */
async function measureOpening(page, small, large, failed) {
  const times = { small: [], large: [], whole: [] };
  for (let run = 0; run < RUNS; run += 1) {
    times.small.push(await usable(page, small.batchId, 1));
    times.large.push(await usable(page, large.batchId, failed));
    times.whole.push(await when(page, hasRows, ITEMS));
  }
  const ratio = median(times.large) / median(times.small);
  tell('usable, batch of 1', spread(times.small));
  tell(`usable, batch of ${ITEMS}`, `${spread(times.large)}: **${ratio.toFixed(2)}×** (goal ≤ 2×)`);
  tell(`all ${ITEMS} rows there`, spread(times.whole));
}

async function usable(page, batchId, failed) {
  await page.goto(`${server.url}/batches/${batchId}`, { waitUntil: 'commit' });
  return when(page, isUsable, failed);
}

/** These two run in the page. */
function isUsable(failed) {
  const button = [...document.querySelectorAll('button')].some((one) => one.textContent === `Retry ${failed} failed`);
  return button && document.querySelector('tbody .status-failed') !== null && performance.now();
}
function hasRows(count) {
  return document.querySelector('table')?.getAttribute('aria-rowcount') === String(count + 1) && performance.now();
}

/** Milliseconds since the navigation. */
async function when(page, condition, argument) {
  const found = await page.waitForFunction(condition, argument, { polling: 'raf' });
  return Math.round(await found.jsonValue());
}

async function measureTouch(page) {
  await page.evaluate(() => {
    globalThis.longTasks = [];
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) globalThis.longTasks.push(Math.round(duration));
    }).observe({ type: 'longtask' });
  });
  const longTasks = () => page.evaluate(() => globalThis.longTasks.splice(0));
  const said = (tasks) =>
    tasks.length === 0 ? 'none over 50 ms' : `${tasks.length} over 50 ms, the longest ${Math.max(...tasks)} ms`;
  await page.mouse.move(700, 600);
  await browser.startTracing(page, { categories: ['toplevel'] });
  for (let turn = 0; turn < 150; turn += 1) {
    await page.mouse.wheel(0, turn < 100 ? 2500 : -5000);
    await page.waitForTimeout(20);
  }
  const busy = cpuTimes(await browser.stopTracing());
  tell('long tasks while scrolling 250,000 px', `${said(await longTasks())} (goal: none over 100 ms)`);
  tell('the same by CPU time', `the longest of ${busy.length} tasks ${Math.max(...busy)} ms`);
  await page.getByRole('button', { name: 'Duration' }).click();
  await page.getByRole('textbox', { name: 'search items' }).fill('S0012');
  await page.getByRole('checkbox', { name: 'select all 10 matching' }).waitFor();
  await page.getByRole('textbox', { name: 'search items' }).fill('');
  await page.getByRole('checkbox', { name: `select all ${ITEMS} matching` }).click();
  await page.getByText('10,000 selected').waitFor();
  tell('long tasks of sorting, searching and selecting all', said(await longTasks()));
  await page.keyboard.press('Escape');
}

/**
 * Of each task of any thread of the page, in ms: on a machine that others use, the time on the clock is mostly theirs.
 */
function cpuTimes(trace) {
  const { traceEvents } = JSON.parse(trace.toString());
  return traceEvents.filter(({ ph, tdur }) => ph === 'X' && tdur > 0).map(({ tdur }) => Math.round(tdur / 1000));
}

async function measureEvents(page, large) {
  const session = await page.context().newCDPSession(page);
  const heap = async () => {
    await session.send('HeapProfiler.collectGarbage');
    return Math.round((await session.send('Runtime.getHeapUsage')).usedSize / 2 ** 20);
  };
  const before = await heap();
  const end = Date.now() + MINUTES * 60_000;
  let events = 0;
  const { items: failed } = await server.client.call('listItems', { batch_id: large.batchId, state: ['error'] });
  /** Waiting items start and end, then failed ones are retried again and again. */
  const lives = [...large.ids.slice(ENDED), ...failed.map((item) => item.job_id)];
  await onEach(
    forEver(lives, () => Date.now() < end),
    async (id, index) => {
      const job = index < ITEMS - ENDED ? id : await retried(id);
      if (job === null) return;
      await start(server, job);
      await finish(server, job, failureOf(3));
      events += 3;
    },
    EVENTS_AT_ONCE,
  );
  const tasks = await page.evaluate(() => globalThis.longTasks.splice(0));
  const after = await heap();
  const over = tasks.filter((task) => task > 100).length;
  tell(`memory before and after ${MINUTES} minutes and ${events} events`, `${before} MB, ${after} MB`);
  tell('long tasks in that time', `${tasks.length} over 50 ms, ${over} over 100 ms`);
}

async function retried(id) {
  const receipts = await server.client.call('retryJobs', { job_ids: [id] });
  return receipts.receipts[0].retry_id;
}

/** As `entries()` wants it: the list, round and round, while `goOn`. */
function forEver(list, goOn) {
  return {
    *entries() {
      for (let index = 0; goOn(); index += 1) {
        const place = index < list.length ? index : ITEMS - ENDED + (index % (list.length - ITEMS + ENDED));
        yield [index, list[place]];
      }
    },
  };
}

function write() {
  const machine = `Node ${process.versions.node}, Chromium, ${cpus().length} cores (${cpus()[0].model.trim()}), load ${loadavg()[0].toFixed(1)}`;
  const page = new URL('web.md', import.meta.url);
  const [head] = readFileSync(page, 'utf8').split('<!-- results -->');
  const table = ['| what | |', '| --- | --- |', ...lines].join('\n');
  writeFileSync(page, `${head}<!-- results -->\n\n${machine}. Median (least–most) of ${RUNS} visits.\n\n${table}\n`);
}
