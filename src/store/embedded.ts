/** The embedded database: PGlite in a thread of its own, made fit for a service (docs/adr/0005). */
import { mkdirSync, realpathSync } from 'node:fs';
import type { Db } from './db.js';
import { prepareDirectory } from './embedded-directory.js';
import { lockDirectory } from './embedded-lock.js';
import { createSession, type Session } from './embedded-session.js';
import { templateFile } from './embedded-template.js';
import { startThread, type Thread } from './embedded-thread.js';
import { startUpkeep, type Upkeep } from './embedded-upkeep.js';
import { createExclusively } from './exclusively.js';

export interface EmbeddedOptions {
  /** Holds the lock and, in `pg`, the database. Made if missing. */
  readonly dataDir: string;
  /** What a first start unpacks; by default the one of this build. A file that is missing only costs time. */
  readonly template?: string;
  /** The database has ended by itself, or the directory is another's now. Every call is refused from then on. */
  readonly onFatal?: (error: unknown) => void;
}

export interface EmbeddedDb extends Db {
  /** How often the disk was told to keep what was written. */
  syncs(): number;
  readonly upkeep: Pick<Upkeep, 'runOnce'>;
}

/** Throws DATA_DIR_IN_USE when another process has the directory, CONFLICT when another PostgreSQL wrote it. */
export async function openEmbeddedDb(options: EmbeddedOptions): Promise<EmbeddedDb> {
  const { dataDir, template = templateFile(), onFatal = () => undefined } = options;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  let thread: Thread | undefined;
  const lock = await lockDirectory(realpathSync(dataDir), (error) => {
    if (thread === undefined) onFatal(error);
    else thread.fail(error);
  });
  try {
    thread = await startThread(await prepareDirectory(dataDir, template), onFatal);
    const session = createSession(thread);
    const upkeep = startUpkeep(session);
    const close = async () => {
      upkeep.stop();
      await session.close();
      await lock.release();
    };
    return seam(session, thread, upkeep, close);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

function seam(session: Session, thread: Thread, upkeep: Upkeep, close: () => Promise<void>): EmbeddedDb {
  const handlers = new Map<string, Set<(payload: string) => void>>();
  session.onNotification((channel, payload) => {
    for (const handler of handlers.get(channel) ?? []) queueMicrotask(() => handler(payload));
  });
  return {
    kind: 'embedded',
    query: (statement, params) => session.query(statement, params),
    transaction: (work) => session.transaction(work),
    script: (sql) => session.script(sql),
    async listen(channel, handler) {
      const those = handlers.get(channel) ?? new Set();
      handlers.set(channel, those.add(handler));
      if (those.size === 1) await session.command(`listen ${quoted(channel)}`);
      return async () => {
        if (!those.delete(handler) || those.size > 0) return;
        await session.command(`unlisten ${quoted(channel)}`);
      };
    },
    exclusively: createExclusively(),
    close,
    syncs: () => thread.syncs(),
    upkeep,
  };
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
