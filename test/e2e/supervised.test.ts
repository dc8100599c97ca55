/** A server behind its supervisor restarts under traffic, is killed under traffic, and no worker loses its job. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bindSocket, inheritedSocket } from '../../src/cli/listen-socket.js';
import { type Client, createClient } from '../../src/client/client.js';
import { makeAppRepository } from '../support/app-repository.js';
import { type ServeCommand, serveCommand } from '../support/serve-command.js';
import { until } from '../support/until.js';
import { startTraffic, type Traffic } from '../support/worker-traffic.js';

const WORKERS = 50;

let server: ServeCommand;
let client: Client;
let token: string;
beforeAll(async () => {
  const far = { cpus: 1, memory_mb: 100, disk_gb: 1, scheduler: 'external' };
  server = await serveCommand({ config: { client_groups: { far } }, args: ['--supervised'] });
  token = readFileSync(join(server.dataDir, 'admin-token'), 'utf8').trim();
  client = createClient({ url: server.url, token });
});
afterAll(() => server.stop());

const serverPid = () => (JSON.parse(readFileSync(join(server.dataDir, 'server.json'), 'utf8')) as { pid: number }).pid;

/** Every worker has been answered again, by whichever server. */
async function allAnswered(traffic: Traffic, times: number): Promise<void> {
  const before = [...traffic.answered];
  await until(
    'every worker to be answered',
    async () => traffic.answered.every((n, at) => n >= (before[at] ?? 0) + times),
    90,
  );
}

async function nextServer(before: number): Promise<void> {
  await until(
    'the next server',
    async () => {
      try {
        return serverPid() !== before;
      } catch {
        return false;
      }
    },
    90,
  );
}

async function runningJobs(): Promise<string[]> {
  const { items } = await client.call('submitJobs', {
    jobs: Array.from({ length: WORKERS }, () => ({ method: 'demo.sleep', requirements: { client_group: 'far' } })),
  });
  return items.map((item) => item.job_id as string);
}

describe('fifty workers at two calls a second', () => {
  it('see no failed call through three restarts, and after kill -9 of the server none that fails twice', {
    timeout: 240_000,
  }, async () => {
    const repository = makeAppRepository();
    repository.commit('one');
    await client.call('addApp', { repository: repository.path, tag: 'release' });
    const jobIds = await runningJobs();
    const traffic = startTraffic(server.url, token, jobIds);
    await allAnswered(traffic, 2);
    for (let restart = 0; restart < 3; restart += 1) {
      const before = serverPid();
      server.child.kill('SIGHUP');
      await nextServer(before);
      await allAnswered(traffic, 2);
    }
    expect(traffic.failures).toEqual([]);
    const acknowledged = traffic.lines.map((lines) => lines.length);

    const before = serverPid();
    process.kill(before, 'SIGKILL');
    await nextServer(before);
    await allAnswered(traffic, 2);
    await traffic.stop();
    // those under way when the server died, at most one of each worker; nobody was refused
    expect(traffic.failures.length).toBeLessThanOrEqual(WORKERS);
    expect(traffic.failures).not.toContain('ECONNREFUSED');
    expect(traffic.lost).toEqual([]);
    // the job runner waits for an answer for so long
    expect(traffic.longest).toBeLessThan(60_000);

    const page = await client.call('getLogs', { job_id: jobIds[0] as string });
    const stored = page.lines.map((entry) => entry.line);
    expect(stored).toEqual(expect.arrayContaining(traffic.lines[0] as string[]));
    const orderly = (traffic.lines[0] as string[]).slice(0, acknowledged[0]);
    expect(stored.slice(0, orderly.length)).toEqual(orderly);
  });
});

describe('a server that systemd gives its socket', () => {
  it('listens on it, and leaves it open for the next one', async () => {
    const fd = await bindSocket('127.0.0.1', 0);
    const first = await serveCommand({ socket: fd });
    const address = first.url;
    expect((await fetch(`${address}/healthz`)).status).toBe(200);
    await first.stop();
    // nobody answers now, and nobody refuses: this call waits for the next server
    const waiting = fetch(`${address}/healthz`);
    const second = await serveCommand({ socket: fd });
    expect(second.url).toBe(address);
    expect((await waiting).status).toBe(200);
    await second.stop();
  });

  it('takes a socket only if it was meant for this process', () => {
    const meant = (env: NodeJS.ProcessEnv) => inheritedSocket(env, 77);
    expect(meant({ LISTEN_PID: '77', LISTEN_FDS: '1' })).toBe(3);
    expect(meant({ LISTEN_PID: '78', LISTEN_FDS: '1' })).toBeUndefined();
    expect(meant({ LISTEN_PID: '77', LISTEN_FDS: '0' })).toBeUndefined();
    const env = { LISTEN_PID: '77', LISTEN_FDS: '1', LISTEN_FDNAMES: 'web', PATH: '/bin' };
    meant(env);
    expect(env).toEqual({ PATH: '/bin' });
  });
});

describe('a supervised server', () => {
  it('says its address once, however often it starts', () => {
    expect(server.said().match(/Reprise serves/g)).toHaveLength(1);
    expect(server.said().match(/the next one starts/g)).toHaveLength(4);
  });

  it('leaves the listening socket to no process that outlives it', () => {
    const hostLog = readFileSync(join(server.dataDir, 'local', 'host.log'), 'utf8');
    const host = Number(/"pid":(\d+)/.exec(hostLog)?.[1]);
    const listening = readlinkSync(`/proc/${serverPid()}/fd/3`);
    expect(listening).toMatch(/^socket:/);
    const held = readdirSync(`/proc/${host}/fd`).map((fd) => readlinkSync(`/proc/${host}/fd/${fd}`));
    expect(held).not.toContain(listening);
  });

  it('that can not start the first time says why and ends', async () => {
    const port = new URL(server.url).port;
    await expect(serveCommand({ args: ['--supervised', '--port', port] })).rejects.toThrow(
      /serve ended with 1: .*port \d+ of 127\.0\.0\.1 is in use; choose another with --port/s,
    );
    await expect(serveCommand({ config: { prot: 1 }, args: ['--supervised'] })).rejects.toThrow(
      /serve ended with 1: .*there is no member 'prot'/s,
    );
  });

  it('ends with its server, and its server with it', async () => {
    const pid = serverPid();
    expect(await server.stop()).toBe(0);
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow();

    const orphaned = await serveCommand({ args: ['--supervised'] });
    const { pid: left } = JSON.parse(readFileSync(join(orphaned.dataDir, 'server.json'), 'utf8')) as { pid: number };
    orphaned.child.kill('SIGKILL');
    await until('the server to notice', async () => {
      try {
        return !process.kill(left, 0);
      } catch {
        return true;
      }
    });
    await orphaned.stop();
  });
});
