/** Working directories: fresh for each dispatch, removed for good jobs at once and for failed ones after some days. */
import { chmodSync, mkdirSync, readdirSync, rmdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { removeReadOnly } from './checkout.js';

export interface WorkDirectories {
  /** Makes it with `input.json`; the text is written exactly. Throws if it exists: a dispatch never runs twice. */
  prepare(dispatchId: string, input: string): string;
  /** Does not wait for it. */
  remove(dispatchId: string): void;
  /** Removes those that were not touched for `keptMs` and are not of a dispatch of now. */
  sweep(keptMs: number, isOpen: (dispatchId: string) => boolean): Promise<void>;
}

export function createWorkDirectories(root: string): WorkDirectories {
  const removeTree = async (name: string) => {
    const place = join(root, name);
    await rm(place, { recursive: true, force: true })
      // an app has copied read-only directories of its checkout
      .catch(() => removeReadOnly(place))
      .catch(() => undefined);
  };
  return {
    // at once: handing two small calls to a thread and back costs more than they do
    prepare(dispatchId, input) {
      const directory = join(root, dispatchId);
      mkdirSync(directory, { mode: 0o755 });
      writeFileSync(join(directory, 'input.json'), input);
      return directory;
    },
    // what cannot be removed now is tried again by the sweep
    remove: (dispatchId) => void removeTree(dispatchId),
    async sweep(keptMs, isOpen) {
      for (const name of await readdir(root)) {
        const found = await stat(join(root, name)).catch(() => null);
        if (found !== null && !isOpen(name) && Date.now() - found.mtimeMs > keptMs) await removeTree(name);
      }
    },
  };
}

/** Most are flat, and then it is done without what Node loads to remove trees. What cannot be removed stays for the sweep. */
export function removeNow(directory: string): void {
  try {
    for (const name of readdirSync(directory)) unlinkSync(join(directory, name));
    rmdirSync(directory);
  } catch {
    removeTreeNow(directory);
  }
}

function removeTreeNow(directory: string): void {
  try {
    makeWritable(directory);
    rmSync(directory, { recursive: true, force: true });
  } catch {
    // somebody else's files, or a process that still writes there
  }
}

function makeWritable(directory: string): void {
  chmodSync(directory, 0o755);
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) makeWritable(join(directory, entry.name));
  }
}
