/** The job queues that are measured beside ours, each on a new database; `npm run bench` installs them (bench/peers). */
import { openBullmq } from './peers/bullmq.mjs';
import { openGraphileWorker } from './peers/graphile-worker.mjs';
import { openPgBoss } from './peers/pg-boss.mjs';
import { startRedis } from './redis.mjs';

/** Runs `work` with them all. */
export async function withPeers(bench, work) {
  const postgres = await bench.postgres();
  const redis = await startRedis();
  const peers = [
    await openPgBoss(await postgres.createDatabase()),
    await openGraphileWorker(await postgres.createDatabase()),
    await openBullmq(redis),
  ];
  try {
    return await work(peers);
  } finally {
    for (const peer of peers) await peer.close();
    await redis.close();
  }
}
