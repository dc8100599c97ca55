/** A bare git repository with one commit, as the catalog keeps them. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface BareMirror {
  readonly path: string;
  readonly commit: string;
  remove(): void;
}

/** File name → text; those that begin with `#!` are executable. */
export function makeBareMirror(files: Readonly<Record<string, string>>): BareMirror {
  const root = mkdtempSync(join(tmpdir(), 'reprise-mirror-'));
  const tree = join(root, 'tree');
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], { encoding: 'utf8' }).trim();
  git('init', '-q', tree);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, name)), { recursive: true });
    writeFileSync(join(tree, name), text);
    if (text.startsWith('#!')) chmodSync(join(tree, name), 0o755);
  }
  git('-C', tree, 'add', '-A');
  git('-C', tree, 'commit', '-qm', 'one', '--allow-empty');
  const path = join(root, 'mirror.git');
  git('clone', '-q', '--bare', tree, path);
  return {
    path,
    commit: git('-C', tree, 'rev-parse', 'HEAD'),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}
