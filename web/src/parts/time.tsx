/** Times for people: how long ago, with the exact time on hover; durations in two units. */
import { useSyncExternalStore } from 'react';
import { agoText } from './durations.js';

const TICK_MS = 10_000;
const tickers = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;
let now = Date.now();

/** All times on a page move together, from one timer. */
function onTick(listener: () => void): () => void {
  tickers.add(listener);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const tick of tickers) tick();
  }, TICK_MS);
  return () => {
    tickers.delete(listener);
    if (tickers.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

export function useNow(): number {
  return useSyncExternalStore(onTick, () => now);
}

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'long' });
export const exactTime = (at: string): string => exact.format(new Date(at));

export function Ago({ at }: { at: string }) {
  const current = useNow();
  return (
    <time dateTime={at} title={exactTime(at)}>
      {agoText(Math.max(current, Date.now() - TICK_MS) - Date.parse(at))}
    </time>
  );
}
