/** pg-boss on PostgreSQL. */
import PgBoss from 'pg-boss';

const QUEUE = 'bench';
/** Its smallest. */
const POLLING_SECONDS = 0.5;

export async function openPgBoss(url) {
  const boss = new PgBoss({ connectionString: url, schedule: false });
  boss.on('error', (error) => console.error(`   pg-boss: ${error.message}`));
  await boss.start();
  await boss.createQueue(QUEUE, { retryLimit: 0 });
  return {
    name: `pg-boss`,
    add: (payloads) => boss.insert(payloads.map((data) => ({ name: QUEUE, data, retryLimit: 0 }))),
    /** As many jobs, failed. Their ids. */
    async fail(payloads, message) {
      await this.add(payloads);
      const jobs = await boss.fetch(QUEUE, { batchSize: payloads.length });
      const ids = jobs.map((job) => job.id);
      await boss.fail(QUEUE, ids, { message });
      return ids;
    },
    retry: (ids) => boss.retry(QUEUE, ids),
    /** What is left of the failed attempt. */
    async knows([id]) {
      const { state, output, retryCount, startedOn, completedOn } = await boss.getJobById(QUEUE, id);
      return { state, output, retryCount, startedOn, completedOn };
    },
    /** `onEnd` after every job. */
    async work(concurrency, onEnd) {
      const options = { batchSize: 1, pollingIntervalSeconds: POLLING_SECONDS };
      for (let worker = 0; worker < concurrency; worker += 1) await boss.work(QUEUE, options, async () => onEnd());
      return () => boss.offWork(QUEUE);
    },
    close: () => boss.stop({ graceful: false, wait: true }),
  };
}
