/**
 * The files of a commit as tar, for machines that have no mirror. It holds what a checkout of the commit would: attributes
 * by which an app leaves files out of its releases, or has them filled in, are switched off in the mirror, where nothing
 * else heeds them.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { streamGit } from './git.js';

/** git processes at a time: of a thousand nodes with cold caches each asks for the same. */
const AT_ONCE = 4;
const ATTRIBUTES = '* -export-ignore -export-subst\n';

export interface Archives {
  /** The stream is to be read to its end or destroyed. Rejects if git can not begin. */
  open(mirror: string, commit: string): Promise<Readable>;
}

export function createArchives(): Archives {
  let free = AT_ONCE;
  const waiting: (() => void)[] = [];
  const release = () => {
    free += 1;
    waiting.shift()?.();
  };
  const take = async () => {
    while (free === 0) await new Promise<void>((next) => waiting.push(next));
    free -= 1;
  };
  return {
    async open(mirror, commit) {
      await switchOffAttributes(mirror);
      await take();
      const stream = streamGit([`--git-dir=${mirror}`, 'archive', '--format=tar', commit]);
      stream.once('close', release);
      // what git says against it comes before the first byte, as a refusal
      await once(stream, 'readable');
      return stream;
    },
  };
}

async function switchOffAttributes(mirror: string): Promise<void> {
  const file = join(mirror, 'info', 'attributes');
  if ((await readFile(file, 'utf8').catch(() => '')) === ATTRIBUTES) return;
  await mkdir(join(mirror, 'info'), { recursive: true });
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, ATTRIBUTES);
  await rename(draft, file);
}
