/** The lines of a log: the newest first with earlier ones on demand, followed while the job runs; or those searched for. */
import { useEffect, useRef, useState } from 'react';
import type { LogPage } from '../../../src/contract/schemas.js';
import { call } from '../api/call.js';

export type Line = LogPage['lines'][number];

export interface LogFilter {
  readonly contains: string;
  readonly errorsOnly: boolean;
}

export interface LogState {
  readonly lines: readonly Line[];
  /** Lines the log has, whatever is shown. */
  readonly total: number;
  /** Lines before the first one that is here were not read yet. */
  readonly from: number;
  readonly reading: boolean;
  readonly error: unknown;
}

const PAGE = 5_000;
const FOLLOW_MS = 1_500;
const NOTHING: LogState = { lines: [], total: 0, from: 0, reading: true, error: null };

/**
 * Events do not carry lines, so a running job's log is asked for again while it is on screen; `follow` false or a hidden
 * tab stops that. Once more after the job's end, for lines that were on their way.
 */
export function useLog(jobId: string, { contains, errorsOnly }: LogFilter, follow: boolean) {
  const [state, setState] = useState<LogState>(NOTHING);
  const following = useRef(follow);
  following.current = follow;

  useEffect(() => {
    const stop = new AbortController();
    const change = (step: (before: LogState) => LogState) => !stop.signal.aborted && setState(step);
    const terms = { ...(contains !== '' && { contains }), ...(errorsOnly && { errors_only: true }) };
    let next = 0;
    let looksAfterEnd = 0;
    /** Reads on to the end of what there is; true when there will be no more. */
    const look = async (): Promise<boolean> => {
      for (;;) {
        const page = await call('getLogs', { job_id: jobId, skip: next, limit: PAGE, ...terms });
        const moved = page.next > next;
        next = page.next;
        change((before) => ({
          ...before,
          lines: before.lines.concat(page.lines),
          total: page.total,
          reading: false,
          error: null,
        }));
        if (moved && page.next < page.total && !stop.signal.aborted) continue;
        if (page.finished) looksAfterEnd += 1;
        return looksAfterEnd > 1;
      }
    };
    const run = async () => {
      setState(NOTHING);
      if (contains === '' && !errorsOnly) {
        const { total } = await call('getLogs', { job_id: jobId, skip: 0, limit: 1 });
        next = Math.max(0, total - PAGE);
        change((before) => ({ ...before, from: next }));
      }
      for (let first = true; !stop.signal.aborted; first = false) {
        const wanted = first || (following.current && document.visibilityState === 'visible');
        if (wanted && (await look())) return;
        await pause(FOLLOW_MS, stop.signal);
      }
    };
    run().catch((error: unknown) => change((before) => ({ ...before, reading: false, error })));
    return () => stop.abort();
  }, [jobId, contains, errorsOnly]);

  const readBack = async () => {
    const skip = Math.max(0, state.from - PAGE);
    const page = await call('getLogs', { job_id: jobId, skip, limit: state.from - skip });
    setState((before) =>
      before.from === state.from ? { ...before, from: skip, lines: page.lines.concat(before.lines) } : before,
    );
  };
  return { ...state, readBack };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
