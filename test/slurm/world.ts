/**
 * A server on a Slurm cluster, both of which are killed, and jobs that leave a trace at each beginning: is anything lost, was
 * anything begun twice.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../scripts/free-ports.mjs';
import type { ClusterOptions } from '../../scripts/slurm-cluster.mjs';
import type { Client } from '../../src/client/client.js';
import type { Config } from '../../src/config/schema.js';
import { RawJson } from '../../src/contract/raw-json.js';
import type { FaultPoint } from '../../src/faults.js';
import type { ServerOptions } from '../../src/server.js';
import { makeAppRepository } from '../support/app-repository.js';
import { removeTree } from '../support/remove-tree.js';
import { type ServeProcess, serve } from '../support/serve-process.js';
import { openCluster, type TestCluster } from '../support/slurm-cluster.js';
import { until } from '../support/until.js';

/** Traces each beginning; may fail the first time, eat memory, or go on until its file says that it may end. */
const STEP = `
p=$(tr -d '"' < input.json)
echo $$ > "$p.pid"
echo "$REPRISE_JOB_ID" >> "$p.began"
echo "began"
case "$p" in
  *-fail) [ -e "$p.failed" ] || { : > "$p.failed"; echo broken >&2; exit 3; };;
  *-eat) head -c 300m /dev/zero | tail -c 300m > /dev/null || exit 1;;
  *-escape) echo 0 > /sys/fs/cgroup/memory/cgroup.procs; head -c 300m /dev/zero | tail -c 300m | sleep 60;;
  *-wait) while [ ! -e "$p.go" ]; do sleep 0.2; done;;
esac
echo '"done"' > output.json`;

/** As Node on a node: it begins only when nobody holds the node back. */
const NODE = `
[ -e "$HELD/environment" ] || env > "$HELD/environment"
held="$HELD/$SLURMD_NODENAME"
[ ! -e "$held" ] || { echo $$ > "$held.new" && mv "$held.new" "$held.waits"; }
while [ -e "$held" ]; do sleep 0.2; done
exec '${process.execPath}' "$@"`;

/** `escape`: eats where our runner does not limit it. */
export type Kind = 'plain' | 'fail' | 'eat' | 'escape' | 'wait';

export interface TracedJob {
  readonly id: string;
  /** What the job does is found beside this path. */
  readonly path: string;
}

interface More {
  readonly slurm?: Config['slurm'];
  readonly server?: Pick<ServerOptions, 'upkeep'>;
}

const PROGRAMS = ['squeue', 'scancel', 'scontrol', 'sinfo', 'sacct'];

export class SlurmWorld {
  readonly root = mkdtempSync(join(tmpdir(), 'slurm-world-'));
  readonly #traces = join(this.root, 'traces');
  readonly #programs = join(this.root, 'bin');
  readonly #dataDir = join(this.root, 'data');
  readonly #held = join(this.root, 'held');
  readonly #node = join(this.#programs, 'node');
  #server: ServeProcess | undefined;
  #port = 0;
  #at = 0;
  readonly #waiting: string[] = [];

  private constructor(
    readonly cluster: TestCluster,
    private readonly more: More,
  ) {}

  static async open(options: ClusterOptions, more: More = {}): Promise<SlurmWorld> {
    return SlurmWorld.on(await openCluster(options), more);
  }

  /** On a cluster that others use too; whoever opened it closes it last. */
  static async on(cluster: TestCluster, more: More = {}): Promise<SlurmWorld> {
    const world = new SlurmWorld(cluster, more);
    for (const directory of [world.#traces, world.#programs, world.#dataDir, world.#held]) mkdirSync(directory);
    writeFileSync(world.#node, `#!/bin/sh\nHELD='${world.#held}'${NODE}\n`, { mode: 0o755 });
    for (const name of PROGRAMS) symlinkSync(`/usr/bin/${name}`, join(world.#programs, name));
    world.restoreSbatch();
    world.#port = await freePort();
    await world.start();
    const step = { command: ['sh', '-c', STEP], requirements: { cpus: 1, memory_mb: 20 } };
    const repository = makeAppRepository({ step, brief: { ...step, timeout: '15s' } });
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
        node_command: this.#node,
        output: join(this.root, 'runner-%A_%a.log'),
        ...this.more.slurm,
      },
    };
  }

  /** Armed to die at a point, once; `mark` exists when it has. */
  async start(armed?: { point: FaultPoint; mark: string }): Promise<void> {
    const env = armed === undefined ? {} : { REPRISE_FAULT: armed.point, REPRISE_FAULT_MARK: armed.mark };
    this.#server = await serve(this.#dataDir, 2, { ...this.more.server, config: this.#config, port: this.#port }, env);
  }

  async kill(): Promise<void> {
    await this.#server?.kill();
  }

  /** What begins on this node waits before it is our runner. */
  hold(node: string): void {
    writeFileSync(join(this.#held, node), '');
  }
  /** Something on it waits, or did. */
  isHeld(node: string): boolean {
    return existsSync(join(this.#held, `${node}.waits`));
  }
  /** Of what waits on it. */
  heldPid(node: string): number {
    return Number(readFileSync(join(this.#held, `${node}.waits`), 'utf8'));
  }
  letGo(node: string): void {
    rmSync(join(this.#held, node));
  }

  /** Of the variables that the first runner found, those that are not Slurm's. */
  environmentOnNode(): string[] {
    const names = readFileSync(join(this.#held, 'environment'), 'utf8')
      .split('\n')
      .map((line) => line.split('=')[0] ?? '');
    return names.filter((name) => name !== '' && !name.startsWith('SLURM')).sort();
  }

  /** A script in the place of sbatch; the real one is /usr/bin/sbatch. */
  replaceSbatch(script: string): void {
    writeFileSync(join(this.#programs, 'sbatch'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  restoreSbatch(): void {
    this.replaceSbatch('exec /usr/bin/sbatch "$@"');
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
    this.restoreSbatch();
    for (const path of this.#waiting) writeFileSync(`${path}.go`, '');
    await this.cluster.run('scancel', '--state=PENDING', `--user=${userInfo().username}`);
    const left = () => this.cluster.run('squeue', '-h', '-o', '%i');
    await until('the cluster to be idle', async () => (await left()).trim() === '');
  }

  jobOf({ id }: TracedJob) {
    return this.client.call('getJob', { job_id: id });
  }

  /** Says how the job is when it gives up. */
  async waitFor(job: TracedJob, what: string, isSo: (job: Job) => boolean, seconds = 120): Promise<Job> {
    let last: Job | undefined;
    const look = async () => {
      last = await this.jobOf(job);
      return isSo(last) && last;
    };
    return until(`job ${job.id} ${what}`, look, seconds).catch((error: Error) => {
      throw new Error(`${error.message}; it is ${JSON.stringify(last)}`, { cause: error });
    });
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

  /** Of the newest process of the app. */
  pidOf({ path }: TracedJob): number {
    return Number(readFileSync(`${path}.pid`, 'utf8'));
  }

  /** `<array>_<index>`, by which Slurm's programs take it. */
  async slurmIdOf(job: TracedJob): Promise<string> {
    return (await this.jobOf(job)).dispatches.at(-1)?.scheduler_id as string;
  }

  /** What Slurm says of the newest dispatch, in one of squeue's formats. */
  async askSlurm(job: TracedJob, format: string): Promise<string> {
    const id = await this.slurmIdOf(job);
    return (await this.cluster.run('squeue', '-h', '-t', 'all', '-j', id, '-o', format)).trim();
  }

  /** What the doctor finds wrong with the record. */
  async examine(): Promise<readonly unknown[]> {
    const findings: unknown[] = [];
    for (let cursor: string | undefined; ; ) {
      const told = await this.client.call('examine', cursor === undefined ? {} : { cursor });
      findings.push(...told.findings);
      if (told.next_cursor === null) return findings;
      cursor = told.next_cursor;
    }
  }

  /** `leavesCluster`: others use it. */
  async close({ leavesCluster = false } = {}): Promise<void> {
    await this.#server?.stop();
    if (!leavesCluster) await this.cluster.down();
    removeTree(this.root);
  }
}

type Job = Awaited<ReturnType<SlurmWorld['jobOf']>>;
const ENDED = ['completed', 'error', 'terminated'];
