/**
 * Slurm's programs as a script of ours, over a controller in this process that really runs the tasks. What a real cluster
 * does rarely or slowly, it does on demand: it is away, it takes a submission and does not say so, it is full, it forgets
 * jobs and gives their ids again.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseRanges } from '../../src/schedulers/slurm-groups.js';
import { removeTree } from './remove-tree.js';

const CLIENT = resolve(import.meta.dirname, 'slurm-fake-client.mjs');
const PROGRAMS = ['sbatch', 'squeue', 'scancel', 'scontrol', 'sinfo', 'sacct'] as const;

interface Call {
  readonly program: (typeof PROGRAMS)[number];
  readonly args: readonly string[];
  readonly input: string;
}
/** `code` null: it goes on waiting. */
interface Answer {
  readonly stdout?: string;
  readonly stderr?: string;
  readonly code: number | null;
}

interface Task {
  readonly arrayJobId: number;
  readonly index: number;
  readonly name: string;
  readonly cpus: number;
  readonly script: string;
  state: string;
  reason: string;
  /** As wait(2) has it. */
  status: number;
  child: ChildProcess | null;
}

export class FakeSlurm {
  readonly binDirectory: string;
  readonly calls: Call[] = [];
  tasks: Task[] = [];
  /** Cannot be reached. */
  down = false;
  /** Takes what it is given, and its answer is lost. */
  silent = false;
  /** sbatch never ends, whether it was heard or not. */
  hangs: 'heard' | 'unheard' | null = null;
  /** The sentence with which a submission of these options is refused; null: it is not. */
  refuse: (options: ReadonlyMap<string, string>) => string | null = () => null;
  /** Most tasks that it has at once. */
  most = 10_000;
  held = false;
  /** Scripts do not even begin. */
  launches = true;
  accounting = false;
  bootTime = '2030-01-01T00:00:00';
  /** This program hears nothing, and ends as if all were well. */
  deaf: string | null = null;
  /** Called when a program's answer is on its way. */
  answered: (program: string) => void = () => {};
  #next = 1;
  readonly #forgotten: Task[] = [];
  readonly #root = mkdtempSync(join(tmpdir(), 'reprise-fake-slurm-'));
  readonly #server = createServer({ allowHalfOpen: true });

  private constructor(readonly cpus: number) {
    this.binDirectory = join(this.#root, 'bin');
    const socket = join(this.#root, 'socket');
    mkdirSync(this.binDirectory);
    for (const program of PROGRAMS) {
      const words = [process.execPath, CLIENT, socket, program].map((word) => `'${word}'`).join(' ');
      writeFileSync(join(this.binDirectory, program), `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
    }
    this.#server.on('connection', (connection) => {
      let text = '';
      connection.on('error', () => {});
      connection.on('data', (chunk) => {
        text += chunk;
      });
      connection.on('end', () => connection.end(JSON.stringify(this.#hear(JSON.parse(text) as Call))));
    });
  }

  static async open(cpus = 4): Promise<FakeSlurm> {
    const fake = new FakeSlurm(cpus);
    await new Promise<void>((done) => fake.#server.listen(join(fake.#root, 'socket'), done));
    return fake;
  }

  async close(): Promise<void> {
    for (const task of [...this.tasks, ...this.#forgotten]) this.#signal(task, 'SIGKILL');
    await new Promise((done) => this.#server.close(done));
    removeTree(this.#root);
  }

  /** As slurmctld does that is killed right after it acknowledged: their ids are given again. */
  forget(isLost: (task: Task) => boolean = () => true): void {
    const lost = this.tasks.filter(isLost);
    this.tasks = this.tasks.filter((task) => !isLost(task));
    this.#forgotten.push(...lost);
    this.#next = Math.min(this.#next, ...lost.map((task) => task.arrayJobId));
  }

  /** By somebody else than our server. */
  end(isMeant: (task: Task) => boolean, state: string): void {
    for (const task of this.tasks.filter(isMeant)) {
      task.state = state;
      this.#signal(task, 'SIGKILL');
    }
  }

  /** Held ones among them. */
  release(): void {
    this.held = false;
    this.#begin();
  }

  #hear(call: Call): Answer {
    this.calls.push(call);
    const answer = this.#answer(call);
    this.answered(call.program);
    return answer;
  }

  #answer(call: Call): Answer {
    if (call.program === 'scontrol' && call.args[0] === 'ping') {
      return this.down
        ? { stdout: 'Slurmctld(primary) at x is DOWN\n', code: 1 }
        : { stdout: 'Slurmctld(primary) at x is UP\n', code: 0 };
    }
    const { program, args } = call;
    if (this.down) return refused(program, 'Unable to contact slurm controller (connect failure)');
    if (program === this.deaf)
      return { stderr: `${program}: error: slurm_load_jobs error: Socket timed out on send/recv operation\n`, code: 0 };
    if (program === 'sbatch') return this.#submit(call);
    if (program === 'squeue') return { stdout: this.#queue(optionsOf(args)), code: 0 };
    if (program === 'scancel') return this.#cancel(args);
    if (program === 'sinfo') return { stdout: `${this.cpus}|4000\n`, code: 0 };
    if (program === 'sacct')
      return this.accounting ? { stdout: this.#accounts(), code: 0 } : refused(program, 'disabled');
    const storage = this.accounting ? 'slurmdbd' : 'none';
    return {
      stdout: `AccountingStorageType   = accounting_storage/${storage}\nMaxArraySize            = 1001\nBOOT_TIME               = ${this.bootTime}\nMinJobAge               = 300 sec\n`,
      code: 0,
    };
  }

  #submit({ args, input }: Call): Answer {
    const options = optionsOf(args);
    const partition = options.get('partition');
    if (partition !== undefined && partition !== 'main') {
      return refused('sbatch', 'Batch job submission failed: Invalid partition name specified');
    }
    const refusal = this.refuse(options);
    if (refusal !== null) return refused('sbatch', refusal);
    if (this.hangs === 'unheard') return { code: null };
    const indices = parseRanges(options.get('array') ?? '');
    if (this.tasks.filter(isAlive).length + indices.length > this.most) {
      return { stderr: 'sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying\n', code: null };
    }
    const arrayJobId = this.#next++;
    const script = join(this.#root, `${arrayJobId}-${this.calls.length}.sh`);
    writeFileSync(script, input, { mode: 0o700 });
    for (const index of indices) {
      this.tasks.push({
        arrayJobId,
        index,
        name: options.get('job-name') ?? '',
        cpus: Number(options.get('cpus-per-task') ?? 1),
        script,
        state: 'PENDING',
        reason: this.held ? 'JobHeldUser' : 'None',
        status: 0,
        child: null,
      });
    }
    this.#begin();
    if (this.hangs === 'heard') return { code: null };
    if (this.silent) return refused('sbatch', 'Batch job submission failed: Socket timed out on send/recv operation');
    return { stdout: `${arrayJobId}\n`, code: 0 };
  }

  #begin(): void {
    if (this.held) return;
    let free = this.cpus - sum(this.tasks.filter((task) => task.child !== null).map((task) => task.cpus));
    for (const task of this.tasks.filter((one) => one.state === 'PENDING')) {
      task.reason = free < task.cpus ? 'Resources' : 'None';
      if (free < task.cpus) return;
      if (this.launches) {
        free -= task.cpus;
        this.#launch(task);
      } else Object.assign(task, { state: 'FAILED', status: 53, reason: 'RaisedSignal:53(Real-time_signal_19)' });
    }
  }

  #launch(task: Task): void {
    const env = { SLURM_ARRAY_TASK_ID: String(task.index), SLURM_ARRAY_JOB_ID: String(task.arrayJobId) };
    const child = spawn(task.script, [], { env, cwd: '/', stdio: 'ignore', detached: true });
    task.state = 'RUNNING';
    task.child = child;
    const ended = (code: number | null, signal: number) => {
      task.child = null;
      task.status = code === null ? signal : code << 8;
      if (task.state === 'RUNNING') task.state = code === 0 ? 'COMPLETED' : 'FAILED';
      if (task.state === 'COMPLETING') task.state = 'CANCELLED';
      this.#begin();
    };
    child.once('error', () => ended(127, 0));
    child.once('exit', (code, signal) => ended(code, signal === 'SIGKILL' ? 9 : 15));
  }

  #cancel(words: readonly string[]): Answer {
    for (const word of words) {
      const [, id, ranges] = /^(\d+)_\[(.*)\]$/.exec(word) ?? [];
      const indices = new Set(parseRanges(ranges ?? ''));
      for (const task of this.tasks) {
        if (task.arrayJobId !== Number(id) || !indices.has(task.index)) continue;
        // without a trace, as 22.05 does
        if (task.state === 'PENDING') this.tasks = this.tasks.filter((one) => one !== task);
        if (task.state !== 'RUNNING') continue;
        task.state = 'COMPLETING';
        this.#signal(task, 'SIGTERM');
        setTimeout(() => this.#signal(task, 'SIGKILL'), 5_000).unref();
      }
    }
    return { code: 0 };
  }

  #signal({ child }: Task, signal: NodeJS.Signals): void {
    if (child?.pid === undefined) return;
    try {
      process.kill(-child.pid, signal);
    } catch {
      // it has just ended
    }
  }

  #queue(options: ReadonlyMap<string, string>): string {
    const names = options.get('name')?.split(',');
    const found = this.tasks.filter(({ name }) => names === undefined || names.includes(name));
    const fields = ({ arrayJobId, index, state, status, name, reason }: Task) =>
      [arrayJobId, index, state, status, name, reason].map((field) => `${field}|`).join('');
    return found.map((task) => `${fields(task)}\n`).join('');
  }

  #accounts(): string {
    const fields = ({ arrayJobId, index, state, status, name }: Task) =>
      `${arrayJobId}_${index}|${state}|${status >> 8}:${status & 127}|${name}\n`;
    return [...this.tasks, ...this.purged].map(fields).join('');
  }

  /** Which the accounting alone still knows. */
  readonly purged: Task[] = [];
  purge(): void {
    this.purged.push(...this.tasks.filter((task) => !isAlive(task)));
    this.tasks = this.tasks.filter(isAlive);
  }
}

const isAlive = ({ state }: Task) => ['PENDING', 'RUNNING', 'COMPLETING'].includes(state);
const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);

function refused(program: string, sentence: string): Answer {
  return { stderr: `${program}: error: ${sentence}\n`, code: 1 };
}

function optionsOf(args: readonly string[]): Map<string, string> {
  const pairs = args.map((word) => /^--([a-z0-9-]+)(?:=(.*))?$/is.exec(word));
  return new Map(
    pairs.flatMap((pair) => (pair === null ? [] : [[pair[1]?.toLowerCase() ?? '', pair[2] ?? ''] as const])),
  );
}
