/**
 * Whole lives of jobs that do nothing, from submission to the recorded end, with ten at once for six seconds. Everyone is
 * given jobs in calls of a thousand as they are needed. The stand-in for our runner is told of its dispatches as a scheduler
 * tells it, and reports their start and end: one by one, by the calls of EE2, or, as our runner does, what has come together.
 */
import { createDispatchTokens } from '../dist/auth/job-token.js';
import { keptCalls } from './calls.mjs';
import { withPeers } from './peers.mjs';

const AT_ONCE = 10;
const A_CALL = 1000;
const LEFT = 1000;

export async function measure(bench) {
  const rates = new Map();
  const seconds = bench.size(6, 2);
  const ours = [await openOurs(bench, oursSingly), await openOurs(bench, oursTogether)];
  await withPeers(bench, async (peers) => {
    await bench.each(async () => {
      for (const system of [...ours, ...peers]) {
        rates.set(system.name, [...(rates.get(system.name) ?? []), await live(system, seconds)]);
      }
      bench.say([...rates].map(([name, all]) => `${name} ${all.at(-1).toFixed(0)}/s`).join(', '));
    });
  });
  for (const one of ours) await one.close();
  const [singly, together, ...others] = rates;
  const rows = [singly, together].flatMap(([what, mine]) =>
    others.map(([peer, peers]) => ({
      what: `whole lives of no-op jobs, ${what}`,
      unit: '/s',
      ours: mine,
      peer,
      peers,
    })),
  );
  return { rows };
}

async function openOurs(bench, make) {
  const server = await bench.server({ scheduler: 'external' });
  const sql = await (await bench.postgres()).connect(server.database);
  const calls = keptCalls(server, AT_ONCE);
  return {
    ...(await make(server, sql, calls)),
    async close() {
      calls.close();
      await sql.end();
      await server.close();
    },
  };
}

/** How many ended in a second of the window, which begins with the first submission. */
async function live(system, seconds) {
  let [added, ended] = [0, 0];
  const end = performance.now() + 1000 * seconds;
  const stop = await system.work(AT_ONCE, () => {
    if (performance.now() < end) ended += 1;
  });
  while (performance.now() < end) {
    if (added - ended >= LEFT) {
      await new Promise((done) => setTimeout(done, 5));
      continue;
    }
    await system.add(Array.from({ length: A_CALL }, (_, n) => ({ n: added + n })));
    added += A_CALL;
  }
  await stop();
  return ended / seconds;
}

const submit = (client, payloads) =>
  client.call('submitJobs', { jobs: payloads.map((params) => ({ method: 'bench.true', params })) });

function oursSingly({ client }, sql, { rpc }) {
  const told = { last: '', queue: [] };
  return {
    name: 'start and end one by one (start_job, finish_job)',
    add: (payloads) => submit(client, payloads),
    work: (atOnce, onEnd) =>
      lanes(sql, told, atOnce, async ({ job_id }) => {
        await rpc('start_job', [{ job_id, skip_estimation: true }]);
        await rpc('finish_job', [{ job_id, job_output: { version: '1.1', id: job_id, result: [1] } }]);
        onEnd();
      }),
  };
}

/** Who asks the scheduler `external` for its dispatches is not our runner; here it is. */
const OUR_RUNNER = [
  `
  create function bench_our_runner() returns trigger language plpgsql as $$
  begin
    new.own_runner := true;
    return new;
  end $$`,
  'create trigger bench_our_runner before insert on dispatches for each row execute function bench_our_runner()',
];
const FINISH = { exit_code: 0, exit_signal: null, output: '1', peak_memory_mb: 1, cpu_seconds: 0.01 };

async function oursTogether({ client }, sql, { report }) {
  for (const statement of OUR_RUNNER) await sql.query(statement);
  const { rows } = await sql.query("select secret_value from secrets where secret_name = 'dispatch-tokens'");
  const { mint } = createDispatchTokens(rows[0].secret_value);
  const say = together(report);
  const told = { last: '', queue: [] };
  return {
    name: 'reports of up to ten in one call',
    add: (payloads) => submit(client, payloads),
    work: (atOnce, onEnd) =>
      lanes(sql, told, atOnce, async ({ dispatch_id: id }) => {
        const token = mint(id);
        await say({ token, start: { host: 'bench' } });
        await say({ token, finish: FINISH, gone: true });
        onEnd();
      }),
  };
}

/** One call at a time, with all that came meanwhile. */
function together(report) {
  let waiting = [];
  let isCalling = false;
  const call = async () => {
    isCalling = true;
    while (waiting.length > 0) {
      const said = waiting;
      waiting = [];
      const answers = await report(said.map((one) => one.report));
      for (const [at, { done }] of said.entries()) done(answers[at]);
    }
    isCalling = false;
  };
  return async (one) => {
    const answer = await new Promise((done, failed) => {
      waiting.push({ report: one, done });
      if (!isCalling) call().catch(failed);
    });
    if (!answer.ok) throw new Error(`a report was refused: ${JSON.stringify(answer)}`);
  };
}

/** What is told to a runner by its scheduler: which dispatches are its. */
const NEW_DISPATCHES = {
  name: 'new_dispatches',
  text: `
    select dispatch_id, job_id
    from dispatches d
    where d.closed_at is null and d.scheduler = 'external' and d.submitted_at is not null and d.dispatch_id > $1
    order by d.dispatch_id
    limit 500`,
};

/** `work` with every dispatch, so many at once; answers what stops them. What is left is the first of the next turn. */
async function lanes(sql, told, atOnce, work) {
  let isOver = false;
  let looking = null;
  const look = async () => {
    const { rows } = await sql.query({ ...NEW_DISPATCHES, values: [told.last] });
    if (rows.length === 0) await new Promise((done) => setTimeout(done, 5));
    told.last = rows.at(-1)?.dispatch_id ?? told.last;
    told.queue.push(...rows);
    looking = null;
  };
  const lane = async () => {
    while (!isOver) {
      const next = told.queue.shift();
      if (next !== undefined) await work(next);
      else {
        looking ??= look();
        await looking;
      }
    }
  };
  const all = Array.from({ length: atOnce }, lane);
  return async () => {
    isOver = true;
    await Promise.all(all);
  };
}
