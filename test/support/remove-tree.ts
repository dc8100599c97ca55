import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';

const TRIES = 20;

/**
 * Checkouts in it are read-only directories, whose files only root could remove as they are. A process that is just ending
 * may still write there, or remove what it leaves.
 */
export function removeTree(directory: string): void {
  for (let left = TRIES; ; left -= 1) {
    spawnSync('chmod', ['-R', '-f', 'u+w', directory]);
    try {
      rmSync(directory, { recursive: true, force: true });
      return;
    } catch (error) {
      if (left === 0) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    }
  }
}
