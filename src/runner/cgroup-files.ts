/** Files and directories of a cgroup hierarchy. They are the kernel's memory, not a disk's: read and written at once. */
import { readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const MEGABYTE = 1024 * 1024;

/** The empty text if there is no such file. */
export function readText(directory: string, file: string): string {
  try {
    return readFileSync(join(directory, file), 'utf8');
  } catch {
    return '';
  }
}

export function write(directory: string, file: string, text: string): void {
  // `r+`: a file that is missing must not be made
  writeFileSync(join(directory, file), text, { flag: 'r+' });
}

/** False if it could not be written. */
export function tryWrite(directory: string, file: string, text: string): boolean {
  try {
    write(directory, file, text);
    return true;
  } catch {
    return false;
  }
}

export function childrenOf(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch {
    return [];
  }
}

/** False if somebody is still in it. */
export function tryRemove(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

export function pidsIn(directory: string): number[] {
  const pids = readText(directory, 'cgroup.procs').split('\n').filter(Boolean).map(Number);
  // 0 = a process that is not in our pid namespace
  return pids.filter((pid) => pid > 0);
}

/** The number after `name` in a file of lines `name number`. */
export function counterIn(text: string, name: string): number | null {
  const found = new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1];
  return found === undefined ? null : Number(found);
}

export const toMegabytes = (bytes: number): number => Math.round((bytes / MEGABYTE) * 10) / 10;
