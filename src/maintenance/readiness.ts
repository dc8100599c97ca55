/** Whether this server can do its work now, part by part, each with the sentence that says what is missing. */
import type { Context } from '../engine/context.js';
import type { Scheduler } from '../schedulers/scheduler.js';

/** Null: nothing is missing. */
export type Check = () => Promise<string | null>;

export interface Readiness {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly message?: string }>>;
}

/** Whoever asks wants an answer soon; a part that gives none in this time is not ready. */
const PATIENCE_MS = 3_000;

export function createReadiness(
  ctx: Context,
  parts: { readonly database: Check; readonly migrations: Check; readonly stopping: () => boolean },
): () => Promise<Readiness> {
  const schedulers = [...ctx.schedulers.values()].map((one) => [`scheduler ${one.name}`, () => answers(one)] as const);
  const all = [['database', parts.database], ['migrations', parts.migrations], ...schedulers] as const;
  return async () => {
    const told = await Promise.all(all.map(async ([name, check]) => [name, await inTime(check)] as const));
    const checks = Object.fromEntries(
      told.map(([name, message]) => [name, message === null ? { ok: true } : { ok: false, message }]),
    );
    if (parts.stopping()) checks.server = { ok: false, message: 'the server is stopping' };
    return { ready: Object.values(checks).every(({ ok }) => ok), checks };
  };
}

async function inTime(check: Check): Promise<string | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((done) => {
    timer = setTimeout(() => done(`no answer within ${PATIENCE_MS / 1000} s`), PATIENCE_MS);
  });
  try {
    return await Promise.race([check(), late]);
  } catch (error) {
    return (error as Error).message;
  } finally {
    clearTimeout(timer);
  }
}

/** A full scheduler is ready; one that can not be asked is not. */
async function answers(scheduler: Scheduler): Promise<string | null> {
  await scheduler.poll([]);
  return null;
}
