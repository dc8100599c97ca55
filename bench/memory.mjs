/** What a server of ours holds with a large record behind it, against one with 10,000 jobs, before and after the same work. */
import { RawJson } from '../dist/contract/raw-json.js';
import { memoryOf } from './place.mjs';
import { openSide } from './reads.mjs';
import { paramsOf } from './same-rows.mjs';

export async function measure(bench) {
  const records = [await bench.large(), await bench.little()];
  const fresh = [[], []];
  const most = [[], []];
  await bench.each(async (round) => {
    for (const [at, record] of records.entries()) {
      const side = await openSide(bench, record);
      fresh[at].push(memoryOf(side.server.pid).now);
      await work(side, bench, round);
      most[at].push(memoryOf(side.server.pid).most);
      await side.close();
    }
    const shown = (all) => all.map((one) => `${one.at(-1).toFixed(0)} MB`).join(' / ');
    bench.say(`fresh ${shown(fresh)}, at most ${shown(most)}`);
  });
  const [large, little] = records.map(({ jobs }) => `${jobs.toLocaleString('en')} jobs`);
  const row = (what, [ours, peers]) => ({ what, unit: 'MB', ours, peer: `the same with ${little}`, peers });
  return {
    rows: [
      row(`resident memory of the server with ${large}, started`, fresh),
      row(
        `the most it held with ${large}, after pages, check_job_batch and a submission of 10,000 (each three times)`,
        most,
      ),
    ],
  };
}

async function work({ server, get, rpc, batch }, bench, round) {
  const jobs = Array.from({ length: bench.size(10_000, 500) }, (_, n) => ({
    method: 'bench.true',
    params: new RawJson(paramsOf(`memory ${round} ${server.pid}`, n)),
  }));
  for (let time = 0; time < 3; time += 1) {
    await get('/jobs?limit=100');
    await get('/batches?limit=20');
    await get(`/batches/${batch}/items?limit=5000`);
    await rpc('check_job_batch', [{ job_id: batch }]);
    const { batch_id } = await server.client.call('submitBatch', { jobs });
    await server.client.call('cancelBatch', { batch_id });
  }
}
