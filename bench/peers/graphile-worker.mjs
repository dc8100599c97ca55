/** graphile-worker on PostgreSQL, one job at a time in each of its slots. */
import { Logger, makeWorkerUtils, run } from 'graphile-worker';

const TASK = 'bench';
const logger = new Logger(() => () => undefined);

export async function openGraphileWorker(url) {
  const utils = await makeWorkerUtils({ connectionString: url, logger });
  await utils.migrate();
  return {
    name: 'graphile-worker',
    add: (payloads) => utils.addJobs(payloads.map((payload) => ({ identifier: TASK, payload, maxAttempts: 1 }))),
    /** As many jobs, failed. Their ids. */
    async fail(payloads, message) {
      const ids = (await this.add(payloads)).map((job) => job.id);
      await utils.permanentlyFailJobs(ids, message);
      return ids;
    },
    // `attempts: 0` is ignored, and a job that has used its attempts up does not run: it is given one more
    retry: (ids) => utils.rescheduleJobs(ids, { maxAttempts: 2, runAt: new Date() }),
    /** What is left of the failed attempt. */
    async knows([id]) {
      const {
        attempts,
        max_attempts: maxAttempts,
        last_error: lastError,
      } = await utils.withPgClient((client) =>
        client.query('select * from graphile_worker._private_jobs where id = $1', [id]).then(({ rows }) => rows[0]),
      );
      return { attempts, maxAttempts, lastError };
    },
    /** `onEnd` after every job. */
    async work(concurrency, onEnd) {
      const taskList = { [TASK]: async () => onEnd() };
      const runner = await run({ connectionString: url, concurrency, taskList, noHandleSignals: true, logger });
      return () => runner.stop();
    },
    close: () => utils.release(),
  };
}
