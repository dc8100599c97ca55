/**
 * A server on a Slurm cluster, both of which are killed, and jobs that leave a trace at each beginning: is anything lost, was
 * anything begun twice.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { ClusterOptions } from '../../scripts/slurm-cluster.mjs';
import type { Client } from '../../src/client/client.js';
import type { Config } from '../../src/config/schema.js';
import { RawJson } from '../../src/contract/raw-json.js';
import type { FaultPoint } from '../../src/faults.js';
import { makeAppRepository } from '../support/app-repository.js';
import { removeTree } from '../support/remove-tree.js';
import { type ServeProcess, serve } from '../support/serve-process.js';
import { openCluster, type TestCluster } from '../support/slurm-cluster.js';
import { until } from '../support/until.js';

/** Traces each beginning; may fail the first time, or go on until its file says that it may end. */
const STEP = `
p=$(tr -d '"' < input.json)
echo "$REPRISE_JOB_ID" >> "$p.began"
echo "began"
case "$p" in
  *-fail) [ -e "$p.failed" ] || { : > "$p.failed"; echo broken >&2; exit 3; };;
  *-wait) while [ ! -e "$p.go" ]; do sleep 0.2; done;;
esac
echo '"done"' > output.json`;

export type Kind = 'plain' | 'fail' | 'wait';

export interface TracedJob {
  readonly id: string;
  /** What the job does is found beside this path. */
  readonly path: string;
}

const PROGRAMS = ['squeue', 'scancel', 'scontrol', 'sinfo', 'sacct'];

export class SlurmWorld {
  readonly root = mkdtempSync(join(tmpdir(), 'slurm-world-'));
  readonly #traces = join(this.root, 'traces');
  readonly #programs = join(this.root, 'bin');
  readonly #dataDir = join(this.root, 'data');
  #server: ServeProcess | undefined;
  #port = 0;
  #at = 0;
  readonly #waiting: string[] = [];

  private constructor(readonly cluster: TestCluster) {}

  static async open(options: ClusterOptions): Promise<SlurmWorld> {
    const world = new SlurmWorld(await openCluster(options));
    for (const directory of [world.#traces, world.#programs, world.#dataDir]) mkdirSync(directory);
    for (const name of PROGRAMS) symlinkSync(`/usr/bin/${name}`, join(world.#programs, name));
    world.replaceSbatch('exec /usr/bin/sbatch "$@"');
    world.#port = await freePort();
    await world.start();
    const requirements = { cpus: 1, memory_mb: 20 };
    const repository = makeAppRepository({ step: { command: ['sh', '-c', STEP], requirements } });
    repository.commit('one');
    await world.client.call('addApp', { repository: repository.path, tag: 'release' });
    return world;
  }

  get client(): Client {
    return (this.#server as ServeProcess).client;
  }

  get #config(): Config {
    return {
      scheduler: 'slurm',
      slurm: {
        bin_directory: this.#programs,
        config_file: this.cluster.env.SLURM_CONF,
        output: join(this.root, 'runner-%A_%a.log'),
      },
    };
  }

  /** Armed to die at a point, once; `mark` exists when it has. */
  async start(armed?: { point: FaultPoint; mark: string }): Promise<void> {
    const env = armed === undefined ? {} : { REPRISE_FAULT: armed.point, REPRISE_FAULT_MARK: armed.mark };
    this.#server = await serve(this.#dataDir, 2, { config: this.#config, port: this.#port }, env);
  }

  async kill(): Promise<void> {
    await this.#server?.kill();
  }

  /** A script in the place of sbatch; the real one is /usr/bin/sbatch. */
  replaceSbatch(script: string): void {
    writeFileSync(join(this.#programs, 'sbatch'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }

  async submit(kind: Kind, count = 1, more: object = {}): Promise<TracedJob[]> {
    const jobs = Array.from({ length: count }, () => ({ ...this.newJob(kind), ...more }));
    const { items } = await this.client.call('submitJobs', { jobs });
    return items.map(({ job_id: id, error }, at) => {
      if (id === null) throw new Error(`not submitted: ${error?.message}`);
      return { id, path: jobs[at]?.params.parse() as string };
    });
  }

  /** As a submission takes it. */
  newJob(kind: Kind) {
    const path = join(this.#traces, `${this.#at++}-${kind}`);
    if (kind === 'wait') this.#waiting.push(path);
    return { method: 'demo.step', params: new RawJson(JSON.stringify(path)) };
  }

  /** One of kind `wait` may end. */
  letEnd({ path }: TracedJob): void {
    writeFileSync(`${path}.go`, '');
  }

  /** Ends whatever a test left, so that the next one finds an idle cluster. */
  async empty(): Promise<void> {
    this.replaceSbatch('exec /usr/bin/sbatch "$@"');
    for (const path of this.#waiting) writeFileSync(`${path}.go`, '');
    await this.cluster.run('scancel', '--state=PENDING', `--user=${userInfo().username}`);
    const left = () => this.cluster.run('squeue', '-h', '-o', '%i');
    await until('the cluster to be idle', async () => (await left()).trim() === '');
  }

  jobOf({ id }: TracedJob) {
    return this.client.call('getJob', { job_id: id });
  }

  async waitFor(job: TracedJob, what: string, isSo: (job: Job) => boolean, seconds = 120): Promise<Job> {
    return until(
      `job ${job.id} ${what}`,
      async () => {
        const now = await this.jobOf(job);
        return isSo(now) && now;
      },
      seconds,
    );
  }

  async ended(job: TracedJob, seconds?: number): Promise<Job> {
    return this.waitFor(job, 'to end', ({ status }) => ENDED.includes(status), seconds);
  }

  /** By job: how often each began. Retries have a line of their own in the file of their root. */
  beginnings(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const name of readdirSync(this.#traces).filter((file) => file.endsWith('.began'))) {
      const ids = readFileSync(join(this.#traces, name), 'utf8').trim().split('\n');
      for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    return counts;
  }

  async close(): Promise<void> {
    await this.#server?.stop();
    await this.cluster.down();
    removeTree(this.root);
  }
}

type Job = Awaited<ReturnType<SlurmWorld['jobOf']>>;
const ENDED = ['completed', 'error', 'terminated'];

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}
