/** A command, spawned with two pipes, nothing recorded: prints the seconds. A process of its own, as small as can be. */
import { spawn } from 'node:child_process';

const [jobs, slots] = process.argv.slice(2, 4).map(Number);
const [program, ...args] = process.argv.slice(4);
let next = 0;

const one = () =>
  new Promise((done, failed) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.resume();
    child.stderr.resume();
    child.once('error', failed);
    child.once('close', done);
  });

async function slot() {
  while (next < jobs) {
    next += 1;
    await one();
  }
}

const begun = performance.now();
await Promise.all(Array.from({ length: slots }, slot));
console.log((performance.now() - begun) / 1000);
