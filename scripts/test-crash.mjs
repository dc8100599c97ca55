/**
 * `npm run test:crash -- [--rounds N] [--store embedded|postgres]`: kills servers at every named point and then N times at
 * random (30), and says what was lost, doubled and repaired. A thousand rounds take an hour or two.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { root } from './setup-state.mjs';

const STORES = { embedded: 'embedded', postgres: 'PostgreSQL' };

const { values } = parseArgs({ options: { rounds: { type: 'string' }, store: { type: 'string' } } });
const { rounds = '30', store } = values;
if (!/^\d+$/.test(rounds) || (store !== undefined && STORES[store] === undefined)) {
  console.error('usage: npm run test:crash -- [--rounds N] [--store embedded|postgres]');
  process.exit(2);
}
const only = store === undefined ? [] : ['-t', STORES[store]];
const args = ['node_modules/vitest/vitest.mjs', 'run', 'test/crash/faults.test.ts', ...only];
const env = { ...process.env, REPRISE_CRASH_ROUNDS: rounds };
process.exitCode = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env }).status ?? 1;
