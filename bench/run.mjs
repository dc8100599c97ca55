/**
 * `npm run bench -- [parts] [--small] [--rounds N] [--jobs N] [--profile]`: each measure runs its peers in the same run,
 * alternating. The tables go to bench/README.md, a part's own section each; a small or profiled run only prints.
 */
import { parseArgs } from 'node:util';
import { openBench } from './bench.mjs';
import { tableOf, writeSection } from './results.mjs';

/** In this order; a part is a file, and takes what others made in the same run. */
const PARTS = ['embedded', 'submit', 'retry', 'reads', 'memory', 'runners', 'logs', 'life', 'app', 'slurm'];
const OPTIONS = {
  small: { type: 'boolean', default: false },
  profile: { type: 'boolean', default: false },
  rounds: { type: 'string', default: '5' },
  jobs: { type: 'string', default: '1000000' },
};

function parsed() {
  try {
    const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
    const isRight = [values.rounds, values.jobs].every((text) => /^[1-9]\d*$/.test(text));
    if (isRight && positionals.every((name) => PARTS.includes(name))) return { ...values, parts: positionals };
  } catch {
    // said below
  }
  console.error(`usage: npm run bench -- [${PARTS.join(' | ')} …] [--small] [--rounds N] [--jobs N] [--profile]`);
  process.exit(2);
}

const { small, profile, rounds, jobs, parts } = parsed();
const bench = openBench({ small, profile, rounds: Number(rounds), jobs: Number(jobs) });
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => bench.close().finally(() => process.exit(130)));
try {
  for (const part of parts.length === 0 ? PARTS : PARTS.filter((name) => parts.includes(name))) {
    console.log(`\n── ${part}`);
    const { measure } = await import(`./${part}.mjs`);
    const measured = await measure(bench);
    const section = `${await bench.machine()}\n\n${tableOf(measured.rows)}${(measured.notes ?? []).map((note) => `\n\n${note}`).join('')}`;
    console.log(`\n${section}`);
    if (profile) console.table(await (await bench.postgres()).profile());
    if (!small && !profile) writeSection(part, section);
  }
} finally {
  await bench.close();
}
process.exit(0);
