/** BullMQ on Redis. */
import { Queue, Worker } from 'bullmq';

const QUEUE = 'bench';

export async function openBullmq({ port }) {
  const connection = { host: '127.0.0.1', port };
  const queue = new Queue(QUEUE, { connection });
  await queue.waitUntilReady();
  return {
    name: 'BullMQ',
    add: (payloads) => queue.addBulk(payloads.map((data) => ({ name: QUEUE, data }))),
    /** As many jobs, failed. Their ids. */
    async fail(payloads, message) {
      const ids = (await this.add(payloads)).map((job) => job.id);
      const thrower = async () => {
        throw new Error(message);
      };
      const worker = new Worker(QUEUE, thrower, { connection, concurrency: 100 });
      worker.on('error', () => undefined);
      while ((await queue.getFailedCount()) < ids.length) await new Promise((done) => setTimeout(done, 50));
      await worker.close();
      return ids;
    },
    retry: () => queue.retryJobs({ count: 100_000 }),
    /** What is left of the failed attempt. */
    async knows([id]) {
      const { attemptsMade, failedReason, stacktrace, processedOn, finishedOn } = await queue.getJob(id);
      return { attemptsMade, failedReason, stacktraces: stacktrace?.length, processedOn, finishedOn };
    },
    /** `onEnd` after every job. */
    async work(concurrency, onEnd) {
      const worker = new Worker(QUEUE, async () => onEnd(), { connection, concurrency });
      worker.on('error', () => undefined);
      await worker.waitUntilReady();
      return () => worker.close(true);
    },
    close: () => queue.close(),
  };
}
