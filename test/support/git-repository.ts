/** A git repository for tests, apart from whatever git is told on this machine. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface GitRepository {
  readonly path: string;
  git(...args: string[]): string;
  /** Writes these files and commits everything; returns the commit. */
  commit(files: Readonly<Record<string, string | object>>): string;
  remove(): void;
}

export function makeGitRepository(...options: string[]): GitRepository {
  const path = mkdtempSync(join(tmpdir(), 'reprise-repository-'));
  const git = (...args: string[]) => runTestGit(path, ...args);
  git('init', '-q', '-b', 'main', ...options);
  return {
    path,
    git,
    commit(files) {
      for (const [name, content] of Object.entries(files)) {
        mkdirSync(dirname(join(path, name)), { recursive: true });
        writeFileSync(join(path, name), typeof content === 'string' ? content : JSON.stringify(content));
      }
      git('add', '-A');
      git('commit', '-q', '--allow-empty', '-m', 'a version');
      return git('rev-parse', 'HEAD');
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** A manifest of module `demo` whose one method prints a word. */
export const demoManifest = (word: string, module = 'demo') => ({
  module,
  methods: { say: { command: ['echo', word] } },
});

export function runTestGit(path: string, ...args: string[]): string {
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: '/nonexistent',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'Test',
    GIT_AUTHOR_EMAIL: 'test@example.org',
    GIT_COMMITTER_NAME: 'Test',
    GIT_COMMITTER_EMAIL: 'test@example.org',
  };
  return execFileSync('git', ['-C', path, ...args], {
    encoding: 'utf8',
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}
