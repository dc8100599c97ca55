/** A git repository of an app for tests: module `demo`, methods that succeed, fail, wait and misbehave on demand. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const sh = (script: string) => ({ command: ['sh', '-c', script], requirements: { cpus: 1, memory_mb: 50 } });

export const METHODS = {
  /** The output is the input, byte for byte. */
  echo: sh('cp input.json output.json'),
  fail: sh('echo "about to fail"; echo "the wheel came off" >&2; exit 3'),
  /** Fails until the file named by the parameters (a JSON string) exists. */
  flaky: sh(
    'f=$(tr -d \'"\' < input.json); [ -e "$f" ] || { echo "missing $f" >&2; exit 3; }; echo true > output.json',
  ),
  /** Says when it began and ended in the file named by the parameters, one line each. */
  traced: sh(
    'f=$(tr -d \'"\' < input.json); echo "$REPRISE_JOB_ID begin" >> "$f"; sleep 0.05; echo "$REPRISE_JOB_ID end" >> "$f"; echo 1 > output.json',
  ),
  sleep: sh('sleep 300'),
  silent: sh('true'),
  version: { ...sh('printf \'"one"\' > output.json') },
};

export interface AppRepository {
  readonly path: string;
  /** Commits `version` answering `word`; returns the commit. */
  commit(word: string): string;
}

export function makeAppRepository(methods: object = METHODS, module = 'demo'): AppRepository {
  const path = mkdtempSync(join(tmpdir(), 'reprise-app-'));
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', path, ...args], { encoding: 'utf8', env: GIT_ENV }).trim();
  git('init', '-q', '-b', 'main');
  return {
    path,
    commit(word) {
      const version = sh(`printf '"${word}"' > output.json`);
      const manifest = { module, methods: { ...methods, version } };
      writeFileSync(join(path, 'reprise.json'), JSON.stringify(manifest, null, 2));
      git('add', '-A');
      git('commit', '-q', '--allow-empty', '-m', word);
      return git('rev-parse', 'HEAD');
    },
  };
}

const GIT_ENV = {
  PATH: process.env.PATH ?? '',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'Test',
  GIT_AUTHOR_EMAIL: 'test@example.org',
  GIT_COMMITTER_NAME: 'Test',
  GIT_COMMITTER_EMAIL: 'test@example.org',
};
