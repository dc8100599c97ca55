/** What is said when a batch was waited for. */
import type { BatchView } from '../contract/schemas.js';
import { failedItems, failuresText } from './failures.js';
import type { Common } from './options.js';
import { EXIT, exitWith, printJson, say } from './output.js';
import type { Session } from './session.js';
import { duration, tally, thousands } from './text.js';
import { waitForBatch } from './waiting.js';

/** The end of a batch: its counts, and failures by what they said with the way to retry them. */
export async function watchBatch(
  session: Session,
  batchId: string,
  o: Common & { asAdmin?: true },
): Promise<BatchView> {
  const begun = performance.now();
  const batch = await waitForBatch(session, batchId, o.asAdmin);
  if (o.json) printJson(batch);
  say(
    `batch ${batch.state}: ${tally(batch.counts)} of ${thousands(batch.items)} (${duration(performance.now() - begun)})`,
  );
  await tellFailures(session, batch, o.asAdmin ?? false);
  return batch;
}

async function tellFailures(
  session: Session,
  { batch_id: batchId, counts }: BatchView,
  asAdmin: boolean,
): Promise<void> {
  if (counts.error + counts.terminated > 0) exitWith(EXIT.refused);
  if (counts.error === 0) return;
  say(failuresText(await failedItems(session, batchId, asAdmin), process.stderr.columns ?? 80));
  say(`retry ${counts.error === 1 ? 'it' : 'them'} with: reprise retry --batch ${batchId} --failed`);
}
