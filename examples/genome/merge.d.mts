/** First and last base counted from 1, strand. */
export type Orf = [first: number, last: number, strand: '+' | '-'];
export type Bases = Record<'A' | 'C' | 'G' | 'T' | 'other', number>;

export interface Merged {
  orfs: Orf[];
  bases: Bases;
}

/** What one job writes to output.json. */
export interface WindowResult extends Merged {
  start: number;
  core_length: number;
  minimum_length: number;
  gc: number;
  skew: number;
}

export interface WindowParams {
  start: number;
  core_length: number;
  overlap: number;
}

export function readGenome(path: string): string;
export function planWindows(length: number, options?: { count?: number; overlap?: number }): WindowParams[];
export function mergeWindows(results: readonly WindowResult[]): Merged;
export function wholeGenome(sequence: string, minimumLength?: number): Merged;
export function differences(merged: Merged, whole: Merged): string[];
export function gcContent(bases: Bases): number;
export function totalLength(orfs: readonly Orf[]): number;
