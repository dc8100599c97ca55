import { execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';

/** Checkouts in it are read-only directories, whose files only root could remove as they are. */
export function removeTree(directory: string): void {
  if (existsSync(directory)) execFileSync('chmod', ['-R', 'u+w', directory]);
  rmSync(directory, { recursive: true, force: true });
}
