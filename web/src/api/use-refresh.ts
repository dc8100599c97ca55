/** Lists are read anew when events say that something changed: at once, and then at most every two seconds. */
import { useCallback, useEffect, useRef } from 'react';
import { useLive } from './live.js';

const EVERY_MS = 2_000;

export function useRefresh(refresh: () => Promise<unknown>): void {
  const newest = useRef(refresh);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const due = useRef(false);
  useEffect(() => {
    newest.current = refresh;
  });
  useEffect(() => () => clearTimeout(timer.current), []);
  const run = useCallback(() => {
    due.current = false;
    void newest.current();
    timer.current = setTimeout(() => {
      timer.current = undefined;
      if (due.current) run();
    }, EVERY_MS);
  }, []);
  const onEvents = useCallback(() => {
    due.current = true;
    if (timer.current === undefined) run();
  }, [run]);
  useLive({}, { onStart: () => newest.current(), onEvents });
}
