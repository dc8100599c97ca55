/** Who started whom on this machine. */
import { readFileSync } from 'node:fs';

/** 0: there is no such process. */
export function parentOf(pid: number): number {
  return Number(/^PPid:\t(\d+)$/m.exec(textOf(`/proc/${pid}/status`))?.[1] ?? 0);
}

/** The step daemon above a process that Slurm started. */
export function stepdOf(pid: number): number {
  for (let above = parentOf(pid); above > 1; above = parentOf(above)) {
    if (textOf(`/proc/${above}/comm`).startsWith('slurmstepd')) return above;
  }
  throw new Error(`process ${pid} has no slurmstepd above it`);
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
