/**
 * What pages and clients read, in a record of 10,000 jobs and in a large one: the ratio says what the size of the record
 * costs. Then the doctor, once, over the large one.
 */

import { keptCalls } from './calls.mjs';
import { seconds } from './place.mjs';
import { median } from './results.mjs';

/** Of a batch of 10,000 items, and of everything. */
const READS = {
  'page of 100 jobs, newest first': ({ get }) => get('/jobs?limit=100'),
  'page of 100 failed jobs': ({ get }) => get('/jobs?state=error&limit=100'),
  'what ran with the inputs of a job': ({ get, inputKey }) => get(`/jobs?input_key=${inputKey}&limit=100`),
  'page of 1,000 items of a batch': ({ get, batch }) => get(`/batches/${batch}/items?limit=1000`),
  'one batch with its counts': ({ get, batch }) => get(`/batches/${batch}`),
  'one job with its lineage': ({ get, job }) => get(`/jobs/${job}/lineage`),
  check_job_batch: ({ rpc, batch }) => rpc('check_job_batch', [{ job_id: batch }]),
};
/** Of each in a round; the long one is worth fewer. */
const TIMES = { check_job_batch: 3 };
const USUAL_TIMES = 40;

export async function measure(bench) {
  const sides = [await openSide(bench, await bench.large()), await openSide(bench, await bench.little())];
  const took = new Map(Object.keys(READS).map((name) => [name, [[], []]]));
  await bench.each(async () => {
    for (const [name, read] of Object.entries(READS)) {
      const all = [[], []];
      for (let time = 0; time < bench.size(TIMES[name] ?? USUAL_TIMES, 2); time += 1) {
        for (const [at, side] of sides.entries()) all[at].push(1000 * (await seconds(() => read(side))));
      }
      for (const at of [0, 1]) took.get(name)[at].push(median(all[at]));
    }
    bench.say(
      [...took].map(([name, all]) => `${name} ${all.map((one) => one.at(-1).toFixed(1)).join(' / ')} ms`).join(', '),
    );
  });
  const [large, little] = sides;
  const doctor = await examined(large.server);
  await Promise.all(sides.map((side) => side.close()));
  const peer = `the same of ${little.jobs.toLocaleString('en')} jobs`;
  const of = `of ${large.jobs.toLocaleString('en')} jobs`;
  return {
    rows: [...took].map(([name, [ours, peers]]) => {
      const what =
        name === 'check_job_batch'
          ? `check_job_batch, ${large.items.toLocaleString('en')} items, ${of}`
          : `${name}, ${of}`;
      return { what, unit: 'ms', ours, peer, peers, goal: '≤ 1.2×' };
    }),
    notes: [doctor],
  };
}

/** A server on the record, a connection that stays, and what is asked for. */
export async function openSide(bench, { database, jobs, ids }) {
  const server = await bench.server({ database, scheduler: 'external' });
  const batch = ids[Math.floor(ids.length / 2)];
  const { items } = await server.client.call('listItems', { batch_id: batch, latest_only: true, limit: 1 });
  const { items: count } = await server.client.call('getBatch', { batch_id: batch });
  const { input_key: inputKey } = await server.client.call('getJob', { job_id: items[0].job_id });
  const calls = keptCalls(server);
  return {
    ...calls,
    server,
    jobs,
    batch,
    inputKey,
    job: items[0].job_id,
    items: count,
    async close() {
      calls.close();
      await server.close();
    },
  };
}

/** As the command asks, stretch by stretch. */
async function examined({ client }) {
  const looked = {};
  const findings = [];
  const took = await seconds(async () => {
    for (let cursor; cursor !== null; ) {
      const stretch = await client.call('examine', cursor === undefined ? {} : { cursor });
      for (const [area, count] of Object.entries(stretch.looked)) looked[area] = (looked[area] ?? 0) + count;
      findings.push(...stretch.findings);
      cursor = stretch.next_cursor;
    }
  });
  const what = Object.entries(looked).map(([area, count]) => `${area} ${count.toLocaleString('en')}`);
  return `The doctor looked at ${what.join(', ')} in ${took.toFixed(0)} s and found ${findings.length}.`;
}
