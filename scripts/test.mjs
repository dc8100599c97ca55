/** `npm test`: every check that decides whether this tree is right, all of them even if one fails, and one summary. */
import { spawnSync } from 'node:child_process';
import { root } from './setup-state.mjs';

const CHECKS = [
  { name: 'lint and format', command: ['node_modules/@biomejs/biome/bin/biome', 'ci', '--error-on-warnings', '.'] },
  { name: 'dead code', command: ['node_modules/knip/bin/knip.js'] },
  { name: 'types', command: ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.test.json'] },
  { name: 'tests', command: ['node_modules/vitest/vitest.mjs', 'run', ...process.argv.slice(2)] },
];

const results = CHECKS.map(({ name, command }) => {
  console.log(`\n── ${name}`);
  const begun = performance.now();
  const { status } = spawnSync(process.execPath, command, { cwd: root, stdio: 'inherit' });
  return { name, passed: status === 0, seconds: ((performance.now() - begun) / 1000).toFixed(1) };
});

console.log(`\n── summary (Node ${process.versions.node})`);
for (const { name, passed, seconds } of results)
  console.log(`${passed ? 'passed' : 'FAILED'}  ${name.padEnd(16)} ${seconds.padStart(6)} s`);
process.exitCode = results.every(({ passed }) => passed) ? 0 : 1;
