/** Questions about commits in a repository on this disk. */
import { GitFailure, runGit } from './git.js';

const MINUTE = 60_000;

/** False is git's own verdict; that git could not be asked is an error. */
export async function gitSucceeds(args: readonly string[], timeoutMs = MINUTE): Promise<boolean> {
  try {
    await runGit(args, { timeoutMs });
    return true;
  } catch (error) {
    if (error instanceof GitFailure && error.kind === 'exit') return false;
    throw error;
  }
}

/** Whether every tree and blob of the commit is there, as git itself checks after a fetch. */
export function isWhole(directory: string, commit: string): Promise<boolean> {
  const args = [`--git-dir=${directory}`, 'rev-list', '--objects', '--quiet', '--no-walk', '--end-of-options', commit];
  return gitSucceeds(args, 10 * MINUTE);
}

/** The same of everything that a mirror keeps. */
export function isSound(mirror: string): Promise<boolean> {
  const args = [`--git-dir=${mirror}`, 'rev-list', '--objects', '--quiet', '--no-walk', '--all'];
  return gitSucceeds(args, 10 * MINUTE);
}

/** Whether the repository has any of these commits. */
export async function hasAny(directory: string, commits: readonly string[]): Promise<boolean> {
  const input = commits.map((commit) => `${commit}\n`).join('');
  const answer = await runGit([`--git-dir=${directory}`, 'cat-file', '--batch-check'], { input });
  return answer.split('\n').some((line) => / commit \d+$/.test(line));
}
