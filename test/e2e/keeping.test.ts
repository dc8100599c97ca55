/** `reprise doctor`, `export` and `import` as an operator uses them: with a server, without one, and into a new place. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobDetail } from '../../src/contract/schemas.js';
import { createCli } from '../cli/reprise.js';
import { makeAppRepository } from '../support/app-repository.js';
import { type PostgresServer, startPostgres } from '../support/postgres-server.js';

interface Report {
  readonly looked: Readonly<Record<string, number>>;
  readonly found: number;
  readonly left: number;
  readonly checks: readonly {
    readonly check: string;
    readonly mended: number;
    readonly examples: readonly unknown[];
  }[];
}

const cli = createCli();
const repository = makeAppRepository({
  fail: { command: ['sh', '-c', 'echo "a line"; exit 3'], requirements: { cpus: 1, memory_mb: 50 } },
});
const file = join(cli.dataDir, 'record.jsonl.gz');
let postgres: PostgresServer;
let job = '';
let server: Awaited<ReturnType<typeof cli.serve>>;

async function stop() {
  server.child.kill('SIGTERM');
  await server.ended;
}

beforeAll(async () => {
  postgres = await startPostgres();
  repository.commit('one');
  server = await cli.serve();
  await cli.out('app', 'add', repository.path, '--tag', 'release');
  const ran = await cli.run(['run', 'demo.fail', '--wait']);
  job = ran.stdout.trim();
});
afterAll(async () => {
  await cli.close();
  await postgres.close();
  rmSync(repository.path, { recursive: true, force: true });
});

describe('the record of a server', () => {
  it('is looked at while the server runs, and by the admin only', async () => {
    const report = await cli.json<Report>('doctor', '--json');
    expect(report).toMatchObject({ found: 0, left: 0, looked: { jobs: 1, logs: 1, inputs: 1 } });
    const token = await cli.out('token', 'create', '--user', 'alice');
    const env = { REPRISE_URL: server.url, REPRISE_TOKEN: token };
    const refused = await cli.run(['doctor'], { env });
    expect(refused).toMatchObject({ status: 1, stdout: '' });
    expect(refused.stderr).toContain('only admins may look at the whole record');
    // and it is not exported under the server's feet
    const busy = await cli.run(['export', file]);
    expect(busy.status).toBe(1);
    expect(busy.stderr).toContain('(DATA_DIR_IN_USE)');
  });

  it('is looked at when no server runs, too', async () => {
    await stop();
    const { status, stdout, stderr } = await cli.run(['doctor']);
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    expect(stderr).toContain('looked at: jobs 1');
    expect(stderr).toContain('the record is whole');
  });

  it('is said not to be there, where there is none', async () => {
    const { status, stderr } = await cli.run(['doctor', '--data-dir', join(cli.dataDir, 'nowhere')]);
    expect(status).toBe(1);
    expect(stderr).toContain('there is no record in');
    const empty = await postgres.createDatabase();
    expect((await cli.run(['doctor', '--database-url', empty])).stderr).toContain('there is no record in');
  });

  it('is not made for a file that is no export', async () => {
    const place = join(cli.dataDir, 'not-made');
    for (const [name, text] of Object.entries({ empty: '', text: 'hello\n', line: 'hello' })) {
      const path = join(cli.dataDir, name);
      writeFileSync(path, text);
      const { status, stderr } = await cli.run(['import', path, '--data-dir', place]);
      expect(status).toBe(1);
      expect(stderr).toContain(`${path} is not a whole export: it does not begin as an export does (INVALID_INPUT)`);
    }
    expect(existsSync(place)).toBe(false);
  });

  it('moves to PostgreSQL and back, and a server goes on with it', async () => {
    const database = await postgres.createDatabase();
    const exported = await cli.json<Record<string, number>>('export', file, '--json');
    expect(exported).toMatchObject({ jobs: 1, log_chunks: 1, apps: 1 });
    expect((await cli.run(['export', file])).stderr).toContain('exists; name another');
    expect(await cli.json('import', file, '--database-url', database, '--json')).toEqual(exported);
    expect((await cli.run(['import', file, '--database-url', database])).stderr).toContain('there is a record already');
    expect((await cli.json<Report>('doctor', '--json', '--database-url', database)).found).toBe(0);

    server = await cli.serve('--database-url', database);
    // the same token, the same job, the same log
    expect(await cli.json<JobDetail>('show', job, '--json')).toMatchObject({ job_id: job, status: 'error' });
    const log = await cli.out('logs', job);
    expect(log).toContain('a line');
    const retry = await cli.run(['retry', job, '--wait']);
    expect(retry.status).toBe(3);
    await stop();

    const back = join(cli.dataDir, 'back.jsonl');
    const place = join(cli.dataDir, 'new-place');
    await cli.out('export', back, '--database-url', database);
    await cli.out('import', back, '--data-dir', place);
    const report = await cli.json<Report>('doctor', '--json', '--data-dir', place);
    expect(report).toMatchObject({ found: 0, looked: { jobs: 2 } });
  });
});
