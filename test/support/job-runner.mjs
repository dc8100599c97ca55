/**
 * A job runner like KBase's, as small as it can be: `job-runner.mjs <job id> <ee2 url>`. It makes the calls of the real one
 * in their order, with the token of its environment, and does what the job's first parameter says.
 */
import { writeFileSync } from 'node:fs';

const [jobId, url] = process.argv.slice(2);
const { KB_AUTH_TOKEN: token, HOME: home } = process.env;

async function call(method, params) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { AUTHORIZATION: token },
    body: JSON.stringify({ method: `execution_engine2.${method}`, params, version: '1.1', id: '1' }),
  });
  const { result, error } = await answer.json();
  if (error) throw new Error(error.message);
  return result?.[0] ?? null;
}

const log = (line) => call('add_job_logs', [{ job_id: jobId }, [{ line, is_error: 0 }]]);
const P = [{ job_id: jobId }];

console.log(`runner of ${jobId} at ${url}`);
await log('the runner is here');
if ((await call('check_job_canceled', P)).finished) process.exit(1);
const { params, method, service_ver } = await call('get_job_params', P);
const config = await call('list_config', []);
const { what, file } = params[0];
if (file) writeFileSync(file, JSON.stringify({ method, service_ver, config, env: process.env, home }));
await call('start_job', P);
if (what === 'die') {
  console.error('the runner fell over');
  process.exit(4);
}
while (what === 'wait') {
  await call('add_job_logs', [{ job_id: jobId }, []]);
  if ((await call('check_job_canceled', P)).canceled) {
    await log('cancelled: cleaning up');
    await call('finish_job', [{ job_id: jobId, error_message: 'Canceled' }]).catch(() => log('refused, as it must be'));
    process.exit(0);
  }
  await new Promise((done) => setTimeout(done, 100));
}
if (what === 'fail')
  await call('finish_job', [{ job_id: jobId, error_message: 'it failed', error: { message: 'no' } }]);
else await call('finish_job', [{ job_id: jobId, job_output: { version: '1.1', id: jobId, result: [params] } }]);
await log('after the end');
