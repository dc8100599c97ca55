/**
 * `npm test`: every check that decides whether this tree is right, all of them even if one fails, and one summary.
 * `--long`: with the tests that wait for minutes. Other arguments go to vitest.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { root, stateDir } from './setup-state.mjs';

const report = join(stateDir, 'tests.json');
const isLong = process.argv.includes('--long');
const passedOn = process.argv.slice(2).filter((word) => word !== '--long');
const REPORTERS = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
const CHECKS = [
  { name: 'lint and format', command: ['node_modules/@biomejs/biome/bin/biome', 'ci', '--error-on-warnings', '.'] },
  { name: 'dead code', command: ['node_modules/knip/bin/knip.js'] },
  { name: 'types', command: ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.test.json'] },
  { name: 'types of the pages', command: ['node_modules/typescript/bin/tsc', '-p', 'web'] },
  { name: 'tests', command: ['node_modules/vitest/vitest.mjs', 'run', ...REPORTERS, ...passedOn] },
];

const env = isLong ? { ...process.env, REPRISE_LONG: '1' } : process.env;
mkdirSync(stateDir, { recursive: true });
rmSync(report, { force: true });
const results = CHECKS.map(({ name, command }) => {
  console.log(`\n── ${name}`);
  const begun = performance.now();
  const { status } = spawnSync(process.execPath, command, { cwd: root, env, stdio: 'inherit' });
  return { name, passed: status === 0, seconds: ((performance.now() - begun) / 1000).toFixed(1) };
});

console.log(`\n── summary (Node ${process.versions.node})`);
for (const { name, passed, seconds } of results)
  console.log(`${passed ? 'passed' : 'FAILED'}  ${name.padEnd(16)} ${seconds.padStart(6)} s`);
// a run that executed no test is not a passed one
const counts = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : { numPassedTests: 0, numFailedTests: 0 };
for (const { name, assertionResults, message } of counts.testResults ?? []) {
  const failed = assertionResults.filter(({ status }) => status === 'failed');
  for (const { fullName, failureMessages } of failed)
    console.log(`FAILED  ${relative(root, name)}: ${fullName}\n        ${firstLine(failureMessages[0] ?? '')}`);
  // one that could not be loaded has no tests
  if (failed.length === 0 && message) console.log(`FAILED  ${relative(root, name)}\n        ${firstLine(message)}`);
}
console.log(`tests: ${counts.numPassedTests} passed, ${counts.numFailedTests} failed`);
const ranAny = counts.numPassedTests + counts.numFailedTests > 0;
process.exitCode = ranAny && results.every(({ passed }) => passed) ? 0 : 1;

function firstLine(message) {
  return message.split('\n')[0].slice(0, 300);
}
