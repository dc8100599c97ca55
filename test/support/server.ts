/** A whole server in this process, on a data directory of its own, with the test app added. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, createClient } from '../../src/client/client.js';
import { createLog } from '../../src/log.js';
import { type RunningServer, startServer } from '../../src/server.js';
import { type AppRepository, makeAppRepository } from './app-repository.js';
import { removeTree } from './remove-tree.js';
import { until } from './until.js';

export { until };

export interface TestServer {
  readonly url: string;
  readonly dataDir: string;
  readonly token: string;
  readonly client: Client;
  readonly repository: AppRepository;
  /** The first commit of the app, tagged `release`. */
  readonly commit: string;
  userToken(user: string): Promise<string>;
  /** One JSON-RPC call as EE2's clients make it; the body is sent as given. */
  rpc(method: string, params: string, token?: string): Promise<{ status: number; text: string; body: RpcBody }>;
  close(): Promise<void>;
}

export interface RpcBody {
  readonly result?: [unknown] | null;
  readonly error?: { code: number; name: string; message: string; error: unknown };
}

export async function startTestServer(options: { cpus?: number; dataDir?: string } = {}): Promise<TestServer> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'reprise-test-'));
  const server: RunningServer = await startServer({
    dataDir,
    host: '127.0.0.1',
    port: 0,
    cpus: options.cpus ?? 4,
    memoryMb: 4000,
    log: createLog({ level: 'silent' }),
  });
  const token = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim();
  const client = createClient({ url: server.url, token });
  const repository = makeAppRepository();
  const commit = repository.commit('one');
  await client.call('addApp', { repository: repository.path, tag: 'release' });
  return {
    url: server.url,
    dataDir,
    token,
    client,
    repository,
    commit,
    userToken: async (user) => (await client.call('createToken', { user })).token,
    async rpc(method, params, as = token) {
      const answer = await fetch(`${server.url}/services/ee2`, {
        method: 'POST',
        headers: { AUTHORIZATION: as },
        body: `{"method": "execution_engine2.${method}", "params": ${params}, "version": "1.1", "id": "17"}`,
      });
      const text = await answer.text();
      return { status: answer.status, text, body: JSON.parse(text) as RpcBody };
    },
    async close() {
      await server.close();
      if (options.dataDir === undefined) removeTree(dataDir);
    },
  };
}

export async function ended(client: Client, jobId: string, seconds?: number) {
  return until(
    `job ${jobId} to end`,
    async () => {
      const job = await client.call('getJob', { job_id: jobId });
      return ['completed', 'error', 'terminated'].includes(job.status) && job;
    },
    seconds,
  );
}

export async function batchEnded(client: Client, batchId: string, seconds?: number) {
  return until(
    `batch ${batchId} to end`,
    async () => {
      const batch = await client.call('getBatch', { batch_id: batchId });
      return ['completed', 'error', 'terminated'].includes(batch.state) && batch;
    },
    seconds,
  );
}
