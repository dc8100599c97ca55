/** Makes a git repository of the example app with two commits: the app as it is, then with what `app-v2` changes. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const VERSIONS = [
  { folder: 'app-v1', subject: 'Find open reading frames of at least 300 bp', at: '2024-05-01T12:00:00Z' },
  { folder: 'app-v2', subject: 'Report open reading frames from 150 bp on', at: '2024-05-02T12:00:00Z' },
];

/** Returns the two commits, older first; they are the same on every machine. */
export function makeRepository(directory) {
  mkdirSync(directory, { recursive: true });
  git(directory, '2024-05-01T12:00:00Z', 'init', '--quiet', '--initial-branch=main');
  return VERSIONS.map(({ folder, subject, at }) => {
    cpSync(fileURLToPath(new URL(folder, import.meta.url)), directory, { recursive: true });
    git(directory, at, 'add', '--all');
    git(directory, at, 'commit', '--quiet', '--no-verify', '--no-gpg-sign', `--message=${subject}`);
    return git(directory, at, 'rev-parse', 'HEAD').trim();
  });
}

/** Apart from whatever git is told on this machine: neither its settings nor its hooks nor a surrounding repository. */
function git(directory, at, ...args) {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_'));
  const env = {
    ...Object.fromEntries(inherited),
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'Reprise example',
    GIT_AUTHOR_EMAIL: 'example@reprise.invalid',
    GIT_AUTHOR_DATE: at,
    GIT_COMMITTER_NAME: 'Reprise example',
    GIT_COMMITTER_EMAIL: 'example@reprise.invalid',
    GIT_COMMITTER_DATE: at,
  };
  return execFileSync('git', args, { cwd: directory, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}
