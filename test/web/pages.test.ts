/** The pages in a browser, on a real server with real jobs. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RawJson } from '../../src/contract/raw-json.js';
import { startBreakableProxy } from '../support/breakable-proxy.js';
import { expectAccessible, launch, openTab, signIn, type Tab } from '../support/browser.js';
import { addLabApp, type LabApp } from '../support/lab-app.js';
import { startTestServer, type TestServer, until } from '../support/server.js';

let s: TestServer;
let lab: LabApp;
let browser: Browser;
let context: BrowserContext;
let tab: Tab;
let page: Page;

beforeAll(async () => {
  [s, browser] = await Promise.all([startTestServer(), launch()]);
  lab = await addLabApp(s.client);
  context = await browser.newContext();
  const first = await openTab(context);
  await signIn(first.page, s.url, s.token);
  await first.page.close();
});
afterAll(async () => {
  await browser?.close();
  await s?.close();
  lab?.remove();
});
beforeEach(async () => {
  tab = await openTab(context);
  ({ page } = tab);
});
afterEach(async () => {
  await page.close();
  expect(tab.complaints()).toEqual([]);
});

interface Item {
  readonly name: string;
  readonly gate?: string;
}

async function submit(items: readonly Item[], name?: string): Promise<string> {
  const jobs = items.map((item) => ({ method: 'lab.stats', params: new RawJson(JSON.stringify(item)) }));
  const { batch_id: batchId } = await s.client.call('submitBatch', { jobs, ...(name !== undefined && { name }) });
  return batchId!;
}

async function submitAndWait(items: readonly Item[], name?: string): Promise<string> {
  const batchId = await submit(items, name);
  await until('the batch to end', async () => {
    const { counts, items: all } = await s.client.call('getBatch', { batch_id: batchId });
    return counts.completed + counts.error + counts.terminated === all;
  });
  return batchId;
}

const goto = (path: string, on = page) => on.goto(s.url + path);
const tile = (group: string, on = page) => on.getByRole('button', { name: new RegExp(`^\\d+ ?${group}$`) });
const expectTile = async (group: string, count: number, on = page) =>
  on.getByRole('button', { name: new RegExp(`^${count} ?${group}$`) }).waitFor();
const button = (name: string | RegExp, on = page) => on.getByRole('button', { name, exact: true });

describe('signing in', () => {
  it('takes a token, keeps it out of reach of scripts, and leads back to where one wanted to go', async () => {
    const own = await browser.newContext();
    const other = await openTab(own);
    await other.page.goto(`${s.url}/apps`);
    await other.page.getByRole('textbox', { name: 'Token' }).fill('wrong');
    await button('Sign in', other.page).click();
    await other.page.getByRole('alert').getByText('unknown, expired or revoked').waitFor();
    await other.page.getByRole('textbox', { name: 'Token' }).fill(s.token);
    await button('Sign in', other.page).click();
    await other.page.getByRole('heading', { name: 'Apps' }).waitFor();
    const [cookie] = await own.cookies(`${s.url}/api/v1`);
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict', path: '/api/v1' });
    expect(await other.page.evaluate<string>('JSON.stringify([document.cookie, { ...localStorage }])')).not.toContain(
      s.token,
    );
    expect(other.complaints()).toEqual([]);
    await own.close();
  });

  it('by a link works once', async () => {
    const { path } = await s.client.call('createSignInLink', {});
    for (const good of [true, false]) {
      const own = await browser.newContext();
      const other = await openTab(own);
      await other.page.goto(s.url + path);
      if (good) await other.page.getByRole('heading', { name: 'Batches' }).waitFor();
      else await other.page.getByRole('alert').getByText('no longer good').waitFor();
      expect(other.page.url()).not.toContain('once');
      await own.close();
    }
  });

  it('ends with the revocation of the token, at once', async () => {
    const made = await s.client.call('createToken', { user: 'passing' });
    const own = await browser.newContext();
    const other = await openTab(own);
    await signIn(other.page, s.url, made.token);
    await s.client.call('revokeToken', { token_id: made.token_id });
    // not by a click: the page may have noticed by itself, and has no such link any more
    await other.page.goto(`${s.url}/apps`);
    await other.page.getByRole('textbox', { name: 'Token' }).waitFor();
    await own.close();
  });
});

describe('a batch', () => {
  it('is submitted from a CSV whose bad rows are told before anything is recorded, and watched to its end', async () => {
    await goto('/submit');
    await page.getByRole('combobox', { name: 'Method' }).fill('lab.stats');
    await page.getByText('It needs name').waitFor();
    const rows = ['title,reads,gate', 'one,1,csv', 'two,many,csv', 'bad three,3,csv', 'four,-4,csv', 'five,5,csv'];
    await page.getByRole('textbox', { name: 'rows as CSV or JSON lines' }).fill(rows.join('\n'));
    await page.getByRole('combobox', { name: 'title' }).click();
    await page.getByRole('option', { name: 'name' }).click();
    await button('Check 5 rows').click();
    await page.getByText('Checked: 3 good, 2 bad.').waitFor();
    await page.getByText("'reads' must be an integer, not 'many'").waitFor();
    await page.getByText('must be >= 0').waitFor();
    expect((await s.client.call('listBatches', {})).items).toEqual([]);
    await page.getByRole('textbox', { name: 'Name of the batch' }).fill('from a file');
    await button('Leave out 2 bad and submit 3').click();
    await page.getByRole('heading', { name: 'from a file' }).waitFor();
    await expectTile('completed', 0);
    lab.open('csv');
    await expectTile('completed', 2);
    await expectTile('failed', 1);
    await page.getByRole('cell', { name: /^app ?exit code 3: no reference for bad three$/ }).waitFor();
  });

  it('has all that failed retried from one button, in the same batch, with counts that change as it happens', async () => {
    lab.fix(false);
    const batchId = await submitAndWait([{ name: 'good' }, ...[1, 2, 3].map((n) => ({ name: `bad-${n}` }))]);
    await goto(`/batches/${batchId}`);
    await expectTile('failed', 3);
    lab.fix(true);
    await button('Retry 3 failed').click();
    await page.getByText('Of 3 failed, 3 would be retried').waitFor();
    await page.getByRole('textbox', { name: /Reason/ }).fill('the reference is there');
    await button('Retry 3').click();
    await page.getByText('3 accepted, 0 refused').waitFor();
    await button('Close').click();
    await expectTile('completed', 4);
    await expectTile('failed', 0);
    expect(await page.getByRole('definition').allTextContents()).toContain('3');
    await page.locator('h1 + .status').getByText('completed').waitFor();
    expect(await s.client.call('getBatch', { batch_id: batchId })).toMatchObject({ items: 4, retries: 3 });
  });

  it('shows what was refused and why, keeps the receipts, and gives them as CSV', async () => {
    lab.fix(false);
    const batchId = await submitAndWait([{ name: 'fine' }, { name: 'bad-1' }]);
    await goto(`/batches/${batchId}`);
    await page.getByRole('checkbox', { name: 'select all 2 matching' }).check();
    await button('Retry 1 selected').click();
    await page.getByText('1 refused').waitFor();
    await page.getByText('ALREADY_SUCCEEDED').waitFor();
    await button('Retry 1').click();
    await page.getByText('1 accepted, 1 refused').waitFor();
    const saved = page.waitForEvent('download');
    await button('Export CSV').click();
    const chunks: Buffer[] = [];
    for await (const chunk of await (await saved).createReadStream()) chunks.push(chunk as Buffer);
    const [head, ...rows] = Buffer.concat(chunks).toString().trim().split('\r\n');
    expect(head).toMatch(/^index,requested_id,accepted,/);
    expect(rows.map((row) => row.split(',')[5]).sort()).toEqual(['', 'ALREADY_SUCCEEDED']);
    await page.getByRole('link', { name: 'Page of these receipts' }).click();
    await page.getByRole('heading', { name: 'Receipts' }).waitFor();
    await page.getByText('ALREADY_SUCCEEDED').first().waitFor();
  });

  it('is filtered by its tiles and by words, in the address, and says when nothing matches', async () => {
    lab.fix(false);
    const batchId = await submitAndWait([{ name: 'alpha' }, { name: 'beta' }, { name: 'bad gamma' }]);
    await goto(`/batches/${batchId}`);
    await tile('completed').click();
    await page.getByRole('checkbox', { name: 'select all 2 matching' }).waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('beta');
    await page.getByRole('checkbox', { name: 'select all 1 matching' }).waitFor();
    expect(page.url()).toMatch(/show=completed&q=beta|q=beta&show=completed/);
    await page.reload();
    await page.getByRole('link', { name: /name: beta/ }).waitFor();
    await page.getByRole('textbox', { name: 'search items' }).fill('nothing like it');
    await page.getByText('No item matches').waitFor();
    await button('Show all items').click();
    await page.getByRole('checkbox', { name: 'select all 3 matching' }).waitFor();
  });

  it('is sorted by its heads, failures first unless told', async () => {
    lab.fix(false);
    const batchId = await submitAndWait([{ name: 'a' }, { name: 'bad b' }, { name: 'c' }]);
    await s.client.call('retryBatch', { batch_id: batchId });
    await until(
      'the retry to end',
      async () => (await s.client.call('getBatch', { batch_id: batchId })).counts.error > 0,
    );
    await goto(`/batches/${batchId}`);
    const items = async () =>
      (await page.locator('tbody .item-text').allTextContents()).map((text) => text.slice(0, 9));
    await page.getByRole('checkbox', { name: 'select all 3 matching' }).waitFor();
    expect((await items())[0]).toBe('name: bad');
    await button('Item').click();
    expect((await items()).map((text) => text.slice(6, 7))).toEqual(['a', 'b', 'c']);
    await button(/^Item/).click();
    expect((await items()).map((text) => text.slice(6, 7))).toEqual(['c', 'b', 'a']);
    expect(page.url()).toContain('sort=-item');
    await button('Retries').click();
    expect(await page.getByRole('columnheader', { name: /Retries/ }).getAttribute('aria-sort')).toBe('ascending');
    expect((await items())[2]).toBe('name: bad');
  });

  it('is retried by the keyboard alone', async () => {
    lab.fix(false);
    const batchId = await submitAndWait([{ name: 'good' }, { name: 'bad-1' }, { name: 'bad-2' }]);
    await goto(`/batches/${batchId}`);
    await page.getByRole('checkbox', { name: 'select all 3 matching' }).waitFor();
    lab.fix(true);
    await page.keyboard.press('j');
    await page.keyboard.press('x');
    await page.keyboard.press('j');
    await page.keyboard.press('x');
    await page.getByText('2 selected', { exact: true }).waitFor();
    await page.keyboard.press('Shift+R');
    await page.getByText('Of 2 selected, 2 would be retried').waitFor();
    await page.keyboard.press('Enter');
    await page.getByText('2 accepted, 0 refused').waitFor();
    await page.keyboard.press('Escape');
    await expectTile('completed', 3);
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.getByRole('navigation', { name: 'attempts, newest first' }).waitFor();
  });

  it('takes a range with Shift, and all that match with one click', async () => {
    lab.fix(false);
    const batchId = await submitAndWait(Array.from({ length: 6 }, (_, n) => ({ name: `bad-${n}` })));
    await goto(`/batches/${batchId}`);
    const boxes = page.getByRole('checkbox', { name: /^select name: bad/ });
    await boxes.nth(1).click();
    await boxes.nth(3).click({ modifiers: ['Shift'] });
    await page.getByText('3 selected', { exact: true }).waitFor();
    await button('Select all 6 matching').click();
    await button('Retry 6 selected').waitFor();
    await page.keyboard.press('Escape');
    await button('Retry 6 failed').waitFor();
  });

  it('tells a second tab that its items are already in flight, and links to the job', async () => {
    lab.fix(false);
    lab.open('flight');
    const batchId = await submitAndWait([{ name: 'bad', gate: 'flight' }]);
    lab.close('flight');
    const second = await openTab(context);
    for (const on of [page, second.page]) {
      await goto(`/batches/${batchId}`, on);
      await button('Retry 1 failed', on).click();
      await on.getByText('Of 1 failed, 1 would be retried').waitFor();
    }
    // both have their plan; only one can have the item
    const root = (await s.client.call('listItems', { batch_id: batchId })).items[0]!.root_id;
    await button('Retry 1').click();
    await page.getByText('1 accepted, 0 refused').waitFor();
    await second.page.goto(`${s.url}/jobs/${root}`);
    await button('Retry this job', second.page).click();
    await second.page.getByText('IN_FLIGHT').waitFor();
    await second.page.getByRole('link', { name: 'see the job in flight' }).click();
    await second.page.getByRole('heading', { name: 'lab.stats' }).waitFor();
    const { head_id: head } = await s.client.call('getLineage', { job_id: root });
    await until('the live job to be shown', async () => second.page.url().endsWith(head));
    lab.open('flight');
    await second.page.close();
  });

  it('is cancelled, after being asked once more', async () => {
    const batchId = await submit([
      { name: 'one', gate: 'never' },
      { name: 'two', gate: 'never' },
    ]);
    await goto(`/batches/${batchId}`);
    await button('Cancel 2 unfinished').click();
    await button('Cancel 2').click();
    await page.getByText('2 cancelled.').waitFor();
    await button('Close').last().click();
    await expectTile('cancelled', 2);
    await page.getByText('This batch was cancelled').waitFor();
  });

  it('goes on after its stream was lost, without a gap, and says so meanwhile', async () => {
    lab.fix(false);
    const batchId = await submit([
      { name: 'one', gate: 'lost' },
      { name: 'bad two', gate: 'lost' },
    ]);
    const proxy = await startBreakableProxy(s.url);
    const own = await browser.newContext();
    const other = await openTab(own);
    await signIn(other.page, proxy.url, s.token);
    await other.page.goto(`${proxy.url}/batches/${batchId}`);
    await other.page.getByRole('button', { name: 'updates: live' }).waitFor();
    proxy.setDown(true);
    await other.page.getByRole('button', { name: 'updates: offline' }).waitFor();
    lab.open('lost');
    await until('the batch to end', async () => {
      const { counts } = await s.client.call('getBatch', { batch_id: batchId });
      return counts.completed === 1 && counts.error === 1;
    });
    proxy.setDown(false);
    await other.page.getByRole('button', { name: 'updates: live' }).waitFor();
    await expectTile('completed', 1, other.page);
    await expectTile('failed', 1, other.page);
    await own.close();
    await proxy.close();
  });
});

describe('a job', () => {
  it('shows every attempt with its log, the newest first, and nothing it says is taken for HTML', async () => {
    lab.fix(false);
    const batchId = await submitAndWait([{ name: 'bad <b>one</b>' }]);
    const { items } = await s.client.call('listItems', { batch_id: batchId });
    lab.fix(true);
    const receipt = await s.client.call('retryJob', { job_id: items[0]!.job_id, reason: '<i>fixed</i>' });
    await until('the retry to end', async () => {
      const job = await s.client.call('getJob', { job_id: receipt.retry_id! });
      return job.status === 'completed';
    });
    await goto(`/jobs/${receipt.retry_id}`);
    const attempts = page.getByRole('navigation', { name: 'attempts, newest first' });
    await attempts.getByText('2 attempts').waitFor();
    expect(await attempts.getByRole('link').allInnerTexts()).toEqual(['Retry 1', 'First attempt']);
    await attempts.getByText('“<i>fixed</i>”').waitFor();
    const log = page.getByRole('region', { name: 'log lines' });
    await log.getByText('<img src=x onerror=alert(1)>').waitFor();
    expect(await log.locator('.ansi-green-fg').textContent()).toBe('reading');
    expect(await page.locator('img').count()).toBe(0);
    await attempts.getByRole('link', { name: 'First attempt' }).click();
    await log.getByText('no reference for bad <b>one</b>').waitFor();
    expect(await log.locator('.log-error').count()).toBe(1);
    await page.getByText('A newer attempt took the place').waitFor();
    await page.getByRole('searchbox', { name: 'search the log' }).fill('REFERENCE');
    await page.getByText('1 of 2 lines').waitFor();
    await page.getByRole('tab', { name: 'inputs' }).click();
    await page.getByText('"bad <b>one</b>"').waitFor();
  });

  it('is followed while it runs, and cancelled', async () => {
    const { items } = await s.client.call('submitJobs', {
      jobs: [{ method: 'lab.stats', params: new RawJson('{"name":"x","gate":"never"}') }],
    });
    const id = items[0]!.job_id!;
    await goto(`/jobs/${id}`);
    await page.getByText('reading').waitFor();
    await button('Cancel').click();
    await button('Cancel 1').click();
    await page.getByText('1 cancelled.').waitFor();
    await button('Close').last().click();
    await page.locator('h1 + .status').getByText('cancelled').waitFor();
    await button('Retry this job').waitFor();
  });

  it('that is not there is told in a sentence', async () => {
    await goto(`/jobs/${'0'.repeat(24)}`);
    await page.getByRole('alert').getByText('Cannot find job').waitFor();
  });
});

describe('the list of batches', () => {
  it('changes by itself, and is searched by terms that stand in the address', async () => {
    lab.fix(false);
    await goto('/');
    await page.getByRole('button', { name: 'updates: live' }).waitFor();
    await submitAndWait([{ name: 'bad' }], 'needle in hay');
    const row = page.getByRole('listitem').filter({ hasText: 'needle in hay' });
    await row.getByText('1 item: 1 failed').waitFor();
    await page.getByRole('searchbox').fill('state:failed app:lab user:me needle');
    await until('one batch to be left', async () => (await page.getByRole('listitem').count()) === 1);
    await page.reload();
    await row.waitFor();
    await page.getByRole('searchbox').fill('state:completed needle');
    await page.getByText('No batch matches').waitFor();
    await page.getByRole('searchbox').fill('state:blue');
    await page.getByText('state:blue is none of').waitFor();
  });
});

describe('every page', () => {
  it.each(['light', 'dark'] as const)('has no serious accessibility violation when %s', async (colorScheme) => {
    lab.fix(false);
    const batchId = await submitAndWait([{ name: 'fine' }, { name: 'bad' }, { name: 'bad too' }], 'mixed');
    const { items } = await s.client.call('listItems', { batch_id: batchId });
    await s.client.call('retryJob', { job_id: items[1]!.job_id, reason: 'again' });
    await s.client.call('createWorkspace', { name: 'lab' });
    const { request_id: requestId } = await s.client.call('retryJobs', {
      job_ids: [items[0]!.job_id, items[2]!.job_id],
    });
    const paths = [
      '/',
      '/jobs',
      `/batches/${batchId}`,
      `/batches/${batchId}?charts=true`,
      `/jobs/${items[1]!.job_id}`,
      `/jobs/${items[1]!.job_id}?tab=inputs`,
      `/jobs/${items[1]!.job_id}?tab=dispatches`,
      `/retries/${requestId}`,
      '/submit',
      '/apps',
      '/apps/lab',
      '/tokens',
      '/workspaces',
      '/no/such/page',
    ];
    await page.emulateMedia({ colorScheme });
    for (const path of paths) {
      await goto(path);
      await page.getByRole('heading', { level: 1 }).first().waitFor();
      await page.waitForLoadState('load');
      await expectAccessible(page);
    }
    await goto(`/batches/${batchId}`);
    await button(/^Retry \d+ failed$/).click();
    await page.getByText(/would be retried/).waitFor();
    await expectAccessible(page);
  });

  it('has no serious accessibility violation in its menus and dialogs', async () => {
    const batchId = await submitAndWait([{ name: 'fine' }]);
    await goto(`/batches/${batchId}`);
    await expectTile('completed', 1);
    await page.getByRole('checkbox', { name: 'select all 1 matching' }).check();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
    await expectAccessible(page);
    await page.keyboard.press('Escape');
    await goto('/tokens');
    await button('Make a token').click();
    await page.getByRole('dialog', { name: 'Make a token' }).waitFor();
    await expectAccessible(page);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'admin', exact: true }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).waitFor();
    await expectAccessible(page);
  });

  it('fits a phone: nothing is wider than the screen', async () => {
    const batchId = await submitAndWait([{ name: 'a-rather-long-name-without-a-space-in-it-that-goes-on' }]);
    const { items } = await s.client.call('listItems', { batch_id: batchId });
    await page.setViewportSize({ width: 360, height: 740 });
    for (const path of [
      '/',
      '/jobs',
      `/batches/${batchId}`,
      `/jobs/${items[0]!.job_id}`,
      '/submit',
      '/apps/lab',
      '/tokens',
    ]) {
      await goto(path);
      await page.getByRole('heading', { level: 1 }).first().waitFor();
      expect([path, await page.evaluate<number>('document.documentElement.scrollWidth')]).toEqual([path, 360]);
    }
  });
});
