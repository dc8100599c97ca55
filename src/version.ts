/** Which Reprise this is: the package's version, and the commit it runs from where that is known. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

export function readVersion(): { version: string; commit: string } {
  const { version } = JSON.parse(readFileSync(`${ROOT}/package.json`, 'utf8')) as { version: string };
  return { version, commit: commitOfClone() ?? 'unknown' };
}

/** An installed package is no clone; a clone inside another repository is not asked either. */
function commitOfClone(): string | null {
  try {
    const [top, commit] = execFileSync('git', ['rev-parse', '--show-prefix', 'HEAD'], {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).split('\n');
    return top === '' ? (commit ?? null) : null;
  } catch {
    return null;
  }
}
