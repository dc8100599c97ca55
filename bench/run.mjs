/** `npm run bench`: each measure runs its peer in the same run; the ratios go to bench/README.md. */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { measureRunning } from './running.mjs';
import { measureSubmitting } from './submitting.mjs';

const results = [...(await measureSubmitting()), ...(await measureRunning())];
const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
const shown = (numbers) =>
  `${median(numbers).toFixed(2)} s (${Math.min(...numbers).toFixed(2)}–${Math.max(...numbers).toFixed(2)})`;

const rows = results.map(({ what, ours, peer, peerSeconds, goal }) => {
  const ratio = median(ours) / median(peerSeconds);
  return `| ${what} | ${shown(ours)} | ${peer} | ${shown(peerSeconds)} | **${ratio.toFixed(2)}×** | ${goal} |`;
});
const table = [
  '| what | Reprise | peer | peer took | ratio | goal |',
  '| --- | --- | --- | --- | --- | --- |',
  ...rows,
].join('\n');
const machine = `Node ${process.versions.node}, ${cpus().length} cores (${cpus()[0].model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB`;
const page = new URL('README.md', import.meta.url);
const [before] = readFileSync(page, 'utf8').split('<!-- results -->');
writeFileSync(
  page,
  `${before}<!-- results -->\n\n${machine}. Median (least–most) of ${results[0].ours.length} runs.\n\n${table}\n`,
);
console.log(`\n${table}`);
process.exit(0);
