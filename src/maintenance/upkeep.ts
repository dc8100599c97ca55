/** The loops that keep a record in order for years. Of several servers on a database one does each, in turns. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from '../engine/context.js';
import { every, type Loop } from './every.js';
import { prune, RETENTION, type Retention } from './pruner.js';
import { createReaper, REAP_LIMITS, type ReapLimits } from './reaper.js';

export interface UpkeepOptions {
  readonly reap?: Partial<ReapLimits>;
  readonly retention?: Partial<Retention>;
}

const PRUNE_MS = 10 * 60_000;
const PAUSE_MS = 20;

export function upkeepLoops(ctx: Context, { reap, retention }: UpkeepOptions): Loop[] {
  const { db, log } = ctx;
  const reaper = createReaper(ctx, { ...REAP_LIMITS, ...reap }, () => performance.now());
  const kept = { ...RETENTION, ...retention };
  let on = true;
  const pause = () => sleep(PAUSE_MS).then(() => on);
  const pruneOnce = () =>
    db.exclusively('prune', async () => {
      const pruned = await prune(db, kept, pause);
      if (Object.values(pruned).some((count) => count > 0)) log('what retention no longer keeps was removed', pruned);
    });
  // every server takes its turns: one that skipped them would not know what it could have heard
  const reaping = every({ name: 'reap', intervalMs: reaper.intervalMs, run: reaper.runOnce, log });
  const pruning = every({ name: 'prune', intervalMs: PRUNE_MS, run: pruneOnce, log });
  const stop = () => {
    on = false;
    return pruning.stop();
  };
  return [reaping, { ...pruning, stop }];
}
