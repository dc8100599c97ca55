/** Hints reach every server on the database: a job submitted here may run there, and its events be watched elsewhere. */
import type { Db } from '../store/db.js';
import { notify } from '../store/notify.js';
import { HINTS, type Hint, type Wake } from './wake.js';

const channelOf = (hint: Hint) => `reprise_${hint}`;

/** `origin` tells our own notifications from others'. Returns the way to stop. */
export async function spreadHints(db: Db, wake: Wake, origin: string): Promise<() => Promise<void>> {
  const stops = await Promise.all(
    HINTS.map((hint) =>
      db.listen(channelOf(hint), (payload) => {
        if (payload !== origin) wake.hear(hint);
      }),
    ),
  );
  // a hint that can not be sent is a lost one
  const off = wake.onOwn((hint) => void notify(db, channelOf(hint), origin).catch(() => undefined));
  return async () => {
    off();
    for (const stop of stops) await stop();
  };
}
