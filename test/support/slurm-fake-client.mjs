/** Poses as one of Slurm's programs: passes on what it was called with, and does what it is told. */
import { connect } from 'node:net';

const [socket, program, ...args] = process.argv.slice(2);
const chunks = [];
if (program === 'sbatch') for await (const chunk of process.stdin) chunks.push(chunk);
const connection = connect(socket);
connection.on('error', () => {
  process.stderr.write(`${program}: error: the fake is not there\n`);
  process.exit(1);
});
connection.end(`${JSON.stringify({ program, args, input: Buffer.concat(chunks).toString() })}\n`);
let text = '';
for await (const chunk of connection) text += chunk;
const { stdout = '', stderr = '', code } = JSON.parse(text);
process.stdout.write(stdout);
process.stderr.write(stderr);
// one that goes on waiting is killed by its caller
if (code === null) setInterval(() => {}, 1_000_000);
else process.exitCode = code;
