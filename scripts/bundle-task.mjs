/**
 * dist/runner/task.cjs: the program of a cluster's nodes in one file, from what tsc made of it. It is started for each job:
 * one CommonJS file costs 8 ms of cpu less than its modules one by one.
 */
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { root } from './setup-state.mjs';

const runner = join(root, 'dist', 'runner');
const bundle = await rolldown({
  input: join(runner, 'task.js'),
  platform: 'node',
  // what is not used of a module has no effect
  treeshake: { moduleSideEffects: false },
  // loaded from beside it when a checkout is downloaded
  external: ['tar'],
});
await bundle.write({ file: join(runner, 'task.cjs'), format: 'cjs', minify: process.env.MIN === '1' });
await bundle.close();
