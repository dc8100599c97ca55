/** Lines of logs a second: by EE2's calls, by the reports of our runners, and by COPY into a table with a row a line. */

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createDispatchTokens } from '../dist/auth/job-token.js';
import { keptCalls } from './calls.mjs';
import { copyInto } from './peers/copy.mjs';
import { seconds } from './place.mjs';
import { startJobs } from './runners.mjs';

const JOBS = 20;
const LINES_A_CALL = 100;
const AT_ONCE = 4;

export async function measure(bench) {
  const calls = bench.size(1000, 80);
  const server = await bench.server({ scheduler: 'external' });
  const sql = await (await bench.postgres()).connect(server.database);
  const jobIds = await startJobs(server, JOBS);
  const tokens = await tokensOf(sql, jobIds);
  const kept = keptCalls(server, AT_ONCE);
  const rates = { single: [], reports: [], copy: [] };
  const sent = new Map(jobIds.map((id) => [id, 0]));
  const lines = calls * LINES_A_CALL;
  await bench.each(async () => {
    rates.single.push(lines / (await seconds(() => addSingly(kept, jobIds, calls))));
    rates.reports.push(lines / (await seconds(() => report(kept, jobIds, tokens, sent, calls))));
    rates.copy.push(lines / (await copy(sql, jobIds, calls)));
    bench.say(
      Object.entries(rates)
        .map(([name, all]) => `${name} ${Math.round(all.at(-1))} lines/s`)
        .join(', '),
    );
  });
  await check(sql, 2 * bench.rounds * lines);
  kept.close();
  await sql.end();
  await server.close();
  const peer = 'COPY, a row a line, one transaction';
  const row = (what, ours) => ({ what: `lines of logs, ${what}`, unit: '/s', ours, peer, peers: rates.copy });
  return {
    rows: [
      row(`add_job_logs with ${LINES_A_CALL} lines a call, ${AT_ONCE} at once`, rates.single),
      row(`reports of ${JOBS} dispatches a call, ${LINES_A_CALL} lines each`, rates.reports),
    ],
  };
}

/** As the scheduler gives them to runners. */
async function tokensOf(sql, jobIds) {
  const secret = await sql.query("select secret_value from secrets where secret_name = 'dispatch-tokens'");
  const { mint } = createDispatchTokens(secret.rows[0].secret_value);
  const { rows } = await sql.query('select job_id, dispatch_id from dispatches where job_id = any($1)', [jobIds]);
  return new Map(rows.map((row) => [row.job_id, mint(row.dispatch_id)]));
}

const linesOf = (is) =>
  Array.from({ length: LINES_A_CALL }, (_, n) => ({
    line: `${n}: aligned 1,000 reads of 52,344 (0.97 of them)`,
    ...is,
  }));

async function addSingly(kept, jobIds, calls) {
  let next = 0;
  const one = async () => {
    for (let call = next++; call < calls; call = next++) {
      await kept.rpc('add_job_logs', [{ job_id: jobIds[call % JOBS] }, linesOf({ is_error: 0 })]);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

async function report(kept, jobIds, tokens, sent, calls) {
  for (let call = 0; call < calls / JOBS; call += 1) {
    const reports = jobIds.map((id) => {
      const logs = { first: sent.get(id), lines: linesOf({ is_error: false, ts: Date.now() }) };
      sent.set(id, logs.first + LINES_A_CALL);
      return { token: tokens.get(id), logs };
    });
    const answers = await kept.report(reports);
    if (answers.some((answer) => !answer.ok)) throw new Error(`a report was refused: ${JSON.stringify(answers[0])}`);
  }
}

async function copy(sql, jobIds, calls) {
  await sql.query(
    'create table if not exists bench_lines (job_id text, line_number integer, line text, is_error boolean)',
  );
  const rows = Array.from({ length: calls }, (_, call) =>
    linesOf({}).map(({ line }, n) => `${jobIds[call % JOBS]}\t${call * LINES_A_CALL + n}\t${line}\tf`),
  );
  const text = `${rows.flat().join('\n')}\n`;
  return seconds(() => pipeline(Readable.from([text]), sql.query(copyInto('bench_lines'))));
}

/** All of them are there. */
async function check(sql, expected) {
  const { rows } = await sql.query('select sum(line_count)::integer as lines from log_chunks');
  if (rows[0].lines !== expected) throw new Error(`${rows[0].lines} of ${expected} lines are there`);
}
