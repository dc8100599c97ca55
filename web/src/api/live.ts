/**
 * One stream of events per tab. Its scope is what the page shows; a page takes it over when it opens. Events are handed
 * out together, at most four times a second, so that ten thousand of them are a few redraws.
 */
import { useEffect, useRef, useSyncExternalStore } from 'react';
import type { EventView } from '../../../src/contract/schemas.js';
import { asAdmin } from './as-admin.js';
import { call, client, isSignedOut } from './call.js';

export interface Scope {
  readonly batch_id?: string;
  readonly job_id?: string;
}

export interface Follower {
  /** Called when the place in the record is known and before any event: what is read now misses none. */
  readonly onStart: () => Promise<unknown> | undefined;
  readonly onEvents: (events: readonly EventView[]) => void;
}

/** `none`: this page does not follow anything. */
export type Connection = 'none' | 'connecting' | 'live' | 'lost' | 'paused' | 'refused';

const FLUSH_MS = 250;
/** A tab in the background gives its connection back: browsers have six for one server. */
const HIDDEN_MS = 60_000;
const RETRY_MS = 2_000;

let connection: Connection = 'none';
const listeners = new Set<() => void>();

function setConnection(next: Connection): void {
  if (next === connection) return;
  connection = next;
  for (const listener of listeners) listener();
}

export function useConnection(): Connection {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => connection,
  );
}

let paused = false;
let resume: (() => void) | undefined;

export function togglePaused(): void {
  paused = !paused;
  if (connection === 'none') return;
  if (paused) setConnection('paused');
  else resume?.();
}

/** Follows until the returned function is called. */
function follow(scope: Scope, follower: Follower): () => void {
  const ended = new AbortController();
  let after: string | undefined;
  let current: AbortController | undefined;
  let held: EventView[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ready = false;

  const flush = () => {
    timer = undefined;
    if (!ready || held.length === 0 || ended.signal.aborted) return;
    const events = held;
    held = [];
    follower.onEvents(events);
  };
  const hold = (event: EventView) => {
    after = event.event_id;
    held.push(event);
    timer ??= setTimeout(flush, FLUSH_MS);
  };
  const start = async () => {
    const page = await call('listEvents', { ...scope, after: 'now', limit: 1 });
    after = page.next_cursor ?? page.items[0]?.event_id;
    await follower.onStart();
    ready = true;
    flush();
  };
  const run = async (stop: AbortController) => {
    while (!stop.signal.aborted) {
      try {
        if (!ready) await start();
        const admin = asAdmin() ? { as_admin: true } : {};
        const onConnection = (stands: boolean) => !stop.signal.aborted && setConnection(stands ? 'live' : 'lost');
        for await (const event of client.events({
          ...scope,
          ...admin,
          after: after ?? 'now',
          signal: stop.signal,
          onConnection,
        }))
          hold(event);
      } catch (error) {
        if (stop.signal.aborted) return;
        const code = (error as { code?: string }).code;
        if (isSignedOut(error) || code === 'FORBIDDEN' || code === 'NOT_FOUND') return setConnection('refused');
        setConnection('lost');
      }
      if (!stop.signal.aborted) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  };
  const go = () => {
    if (current !== undefined || ended.signal.aborted) return;
    // a page that is opened while paused still shows what there is
    if (paused) {
      setConnection('paused');
      return void (ready || start().catch(() => {}));
    }
    if (!ready) setConnection('connecting');
    current = new AbortController();
    void run(current);
  };
  const halt = () => {
    current?.abort();
    current = undefined;
  };
  const unwatch = watchVisibility(go, halt);
  resume = go;
  const unpause = onPause(() => paused && halt());
  go();
  return () => {
    ended.abort();
    unwatch();
    unpause();
    halt();
    clearTimeout(timer);
    resume = undefined;
    setConnection('none');
  };
}

function onPause(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function watchVisibility(go: () => void, halt: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const changed = () => {
    clearTimeout(timer);
    if (document.visibilityState === 'hidden') timer = setTimeout(halt, HIDDEN_MS);
    else go();
  };
  document.addEventListener('visibilitychange', changed);
  return () => {
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', changed);
  };
}

/** The page's hold on the stream: a new scope begins anew. `follower` may change freely. */
export function useLive(scope: Scope | null, follower: Follower): void {
  const newest = useRef(follower);
  useEffect(() => {
    newest.current = follower;
  });
  const { batch_id, job_id } = scope ?? {};
  const none = scope === null;
  useEffect(() => {
    if (none) return;
    const where = { ...(batch_id !== undefined && { batch_id }), ...(job_id !== undefined && { job_id }) };
    return follow(where, {
      onStart: () => newest.current.onStart(),
      onEvents: (events) => newest.current.onEvents(events),
    });
  }, [batch_id, job_id, none]);
}
