/**
 * Runs a program for what it prints: without a shell, in a group of its own, and for no longer and with no more output than it
 * may. What is killed is killed with all that it started, which would keep its output open.
 */
import { spawn } from 'node:child_process';

export interface ProgramRan {
  /** Null: it did not end by itself. */
  readonly code: number | null;
  readonly stdout: string;
  /** The end of it, or why it could not be run. */
  readonly stderr: string;
  readonly how: HowItEnded;
}

/**
 * `late`, `too-much`: of the time or of the output that it may; `stopped`: for what it complained; `killed`: by somebody else;
 * `missing`: it could not be run.
 */
export type HowItEnded = 'ended' | 'late' | 'too-much' | 'stopped' | 'killed' | 'missing';

export interface ProgramOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly timeoutMs: number;
  /** Bytes of standard output. */
  readonly maxBytes: number;
  readonly input?: string;
  /** It is killed when it complains so. */
  readonly stopAt?: RegExp;
}

/** Of standard error the end is kept. */
export const MOST_STDERR = 64 * 1024;
/** After its end, or after it was killed, its output is waited for so long. */
const OUTPUT_MS = 1000;

export function runProgram(
  program: string,
  args: readonly string[],
  { env, timeoutMs, maxBytes, input = '', stopAt }: ProgramOptions,
): Promise<ProgramRan> {
  return new Promise((done) => {
    const child = spawn(program, args, { env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    const output: Buffer[] = [];
    let size = 0;
    let complaint = '';
    let chunks = 0;
    let ours: HowItEnded | null = null;
    let waiting: NodeJS.Timeout | undefined;
    const answer = () => {
      clearTimeout(timer);
      clearTimeout(waiting);
      child.stdout.destroy();
      child.stderr.destroy();
      child.unref();
      const how = ours ?? (child.exitCode === null ? 'killed' : 'ended');
      const stdout = Buffer.concat(output).toString('utf8');
      done({ code: how === 'ended' ? child.exitCode : null, stdout, stderr: complaint, how });
    };
    // a daemon that it leaves behind may hold its output open for ever, and what hangs in the kernel can not even be killed; but
    // whatever has arrived is read first, also by a process that was busy meanwhile
    const answerSoon = () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => {
        const before = chunks;
        setImmediate(() => (chunks === before ? answer() : answerSoon()));
      }, OUTPUT_MS);
    };
    const end = (how: HowItEnded) => {
      ours ??= how;
      killGroup(child.pid);
      answerSoon();
    };
    const timer = setTimeout(end, timeoutMs, 'late');
    child.stdout.on('data', (chunk: Buffer) => {
      chunks += 1;
      size += chunk.length;
      if (size <= maxBytes) output.push(chunk);
      else if (ours === null) end('too-much');
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      chunks += 1;
      complaint = (complaint + chunk).slice(-MOST_STDERR);
      if (ours === null && stopAt?.test(complaint) === true) end('stopped');
    });
    child.on('error', ({ message }) => {
      if (child.pid !== undefined) return;
      complaint = message;
      ours = 'missing';
      answer();
    });
    child.on('exit', answerSoon);
    child.on('close', answer);
    // it may end before it has read everything
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

/** Of a program that was started `detached`. Nothing, if it never began or has ended. */
export function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // it has ended by itself
  }
}
