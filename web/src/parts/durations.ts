/** Lengths of time in words. */

const UNITS = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
] as const;

export function agoText(ms: number): string {
  for (const [size, unit] of UNITS) if (ms >= size) return `${Math.floor(ms / size)} ${unit} ago`;
  return ms >= 20_000 ? `${Math.floor(ms / 1000)} s ago` : 'just now';
}

/** 950 ms · 12.3 s · 4 min 12 s · 3 h 20 min · 2 d 4 h */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
}

/** Milliseconds from start to end, or to now; null before the start. */
export function elapsed(from: string | null, to: string | null, at: number): number | null {
  if (from === null) return null;
  return Math.max(0, (to === null ? at : Date.parse(to)) - Date.parse(from));
}
