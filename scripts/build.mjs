/**
 * `npm run build`: dist/ from src/, the program of a cluster's nodes in one file, dist/web from web/, and the prepared data
 * directory that makes a first start short.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { recordBuild, root, sourceHash } from './setup-state.mjs';

function run(...args) {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  return status === 0;
}

const hash = sourceHash();
// a module that was renamed or removed must not live on in dist
rmSync(join(root, 'dist'), { recursive: true, force: true });
const compiled = run(join('node_modules', 'typescript', 'bin', 'tsc'), '-p', '.');
const pages = run(
  join('node_modules', 'vite', 'bin', 'vite.js'),
  'build',
  '--config',
  'web/vite.config.ts',
  '--logLevel',
  'warn',
);
const bundled = compiled && run(join('scripts', 'bundle-task.mjs'));

const program = join(root, 'dist', 'cli', 'main.js');
if (existsSync(program)) chmodSync(program, 0o755);

const template = join('scripts', 'build-pg-template.mjs');
let prepared = true;
if (existsSync(join(root, template))) prepared = run(template);
else console.error(`build: no ${template}; a first start will take a few seconds longer`);

if (compiled && bundled && pages && prepared) recordBuild(hash);
else process.exitCode = 1;
