/** What is installed and built, found out without any dependency: `ensure.mjs` and `build.mjs` both ask here. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** Outside dist, so that it is not published, and outside node_modules, which `npm ci` empties. */
export const stateDir = join(root, '.cache');
const stampFile = join(stateDir, 'build-stamp');

/** Everything a build depends on. */
const SOURCES = [
  'src',
  'web',
  'migrations',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'scripts/build.mjs',
  'scripts/build-pg-template.mjs',
];

/** One hash over the names and contents of all sources: times of change lie after `git checkout` and `cp`. */
export function sourceHash() {
  const hash = createHash('sha256');
  for (const source of SOURCES) for (const file of filesBelow(join(root, source))) addFile(hash, file);
  return hash.digest('hex');
}

function addFile(hash, file) {
  const content = readFileSync(file);
  hash.update(`${relative(root, file)}\0${content.length}\0`).update(content);
}

function filesBelow(path) {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  const names = readdirSync(path).sort();
  return names.flatMap((name) => filesBelow(join(path, name)));
}

export function isBuilt() {
  if (!existsSync(join(root, 'dist')) || !existsSync(stampFile)) return false;
  return readFileSync(stampFile, 'utf8') === sourceHash();
}

/** `hash` was taken before the build, so that a file changed during it makes the next run build again. */
export function recordBuild(hash) {
  mkdirSync(stateDir, { recursive: true });
  writeFileSync(stampFile, hash);
}

/**
 * Whether the node_modules of a directory holds what its package-lock.json asks for. npm writes down what it installed; a package for another
 * platform (`optional`) is rightly missing there.
 */
export function isInstalled(directory = root) {
  const installedFile = join(directory, 'node_modules', '.package-lock.json');
  if (!existsSync(installedFile)) return false;
  const installed = JSON.parse(readFileSync(installedFile, 'utf8')).packages;
  const wanted = JSON.parse(readFileSync(join(directory, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(wanted).every(([path, { version, integrity, optional }]) => {
    if (path === '') return true;
    const found = installed[path];
    if (found === undefined) return optional === true;
    return found.version === version && found.integrity === integrity;
  });
}
