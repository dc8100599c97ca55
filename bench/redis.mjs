/** Debian's redis-server of the benchmark's own, on a free port: appends every write, and syncs once a second. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { freePort } from '../scripts/free-ports.mjs';
import { remove, temporary } from './place.mjs';

const REDIS = '/usr/bin/redis-server';

export const redisVersion = () => /v=(\S+)/.exec(execFileSync(REDIS, ['--version'], { encoding: 'utf8' }))?.[1];

export async function startRedis() {
  const directory = temporary();
  const port = await freePort();
  const settings = { port, bind: '127.0.0.1', dir: directory, save: '', appendonly: 'yes', appendfsync: 'everysec' };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn(REDIS, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const end = () => child.kill('SIGKILL');
  process.once('exit', end);
  await new Promise((ready, failed) => {
    let said = '';
    child.stdout.on('data', (text) => {
      said += text;
      if (said.includes('Ready to accept connections')) ready();
    });
    child.once('exit', () => failed(new Error(`redis-server ended: ${said}`)));
  });
  return {
    port,
    async close() {
      const gone = once(child, 'exit');
      end();
      await gone;
      process.removeListener('exit', end);
      remove(directory);
    },
  };
}
