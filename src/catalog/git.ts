/**
 * Runs git without anything that is set on this machine for people: no system or user settings, no hooks, no prompts, no
 * transport but the one the address was checked for. Bounded in time and output; killed with all its children.
 */
import { spawn } from 'node:child_process';
import { PassThrough, type Readable } from 'node:stream';
import { killGroup, MOST_STDERR, runProgram } from '../program.js';

export interface GitOptions {
  /** What git may open: `none` for reading our own mirrors. */
  readonly transport?: 'none' | 'file' | 'https' | 'ssh';
  /** ms; 60 s unless told. */
  readonly timeoutMs?: number;
  /** Bytes of standard output; 64 MB unless told. */
  readonly maxBytes?: number;
  readonly input?: string;
}

/** Why git failed: `exit` is its own verdict, the others are ours. */
export class GitFailure extends Error {
  override readonly name = 'GitFailure';
  constructor(
    readonly kind: 'exit' | 'timeout' | 'too-much' | 'not-started',
    /** The end of standard error, or what happened. */
    readonly stderr: string,
  ) {
    super(`git failed (${kind}): ${stderr}`);
  }

  /** What git said last that says something, on one line. */
  get reason(): string {
    const lines = this.stderr.split('\n').map((line) => line.replace(/\p{Cc}/gu, ' ').trim());
    const told = lines.filter((line) => line !== '' && !/Could not read from remote repository/.test(line));
    const said = told.filter((line) => /^(fatal|error):/.test(line)).at(-1) ?? told[0] ?? this.kind;
    return said
      .replace(/^(fatal|error): /, '')
      .replace(/\.$/, '')
      .slice(0, 300);
  }
}

const SECOND = 1000;
const MEGABYTE = 1024 * 1024;

/** What of our environment git and ssh need: where programs, keys, proxies and certificates are. */
const INHERITED = [
  'PATH',
  'HOME',
  'TMPDIR',
  'SSH_AUTH_SOCK',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'all_proxy',
  'HTTPS_PROXY',
  'NO_PROXY',
  'ALL_PROXY',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'GIT_SSL_CAINFO',
] as const;

const SETTINGS = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  // a pinned commit is recorded as runnable only when it is on the disk
  'core.fsync=committed,reference',
  'fetch.unpackLimit=1',
  'gc.auto=0',
  'maintenance.auto=false',
  'submodule.recurse=false',
  'transfer.bundleURI=false',
].flatMap((setting) => ['-c', setting]);

/** Standard output of `git …args`; throws GitFailure. */
export async function runGit(args: readonly string[], options: GitOptions = {}): Promise<string> {
  const { transport = 'none', maxBytes = 64 * MEGABYTE, timeoutMs = 60 * SECOND, input = '' } = options;
  const env = environment(transport);
  const ran = await runProgram('git', [...SETTINGS, ...args], { env, timeoutMs, maxBytes, input });
  if (ran.how === 'late') throw tookTooLong(timeoutMs);
  if (ran.how === 'too-much') throw new GitFailure('too-much', `it answered more than ${maxBytes} bytes`);
  if (ran.how === 'missing') throw new GitFailure('not-started', ran.stderr);
  if (ran.code !== 0) throw new GitFailure('exit', ran.stderr);
  return ran.stdout;
}

function tookTooLong(timeoutMs: number): GitFailure {
  return new GitFailure('timeout', `it took longer than ${timeoutMs / SECOND} s`);
}

/**
 * Standard output of a git that only reads mirrors, as it comes. Ends when git ended well; else it is destroyed with a
 * GitFailure. Whoever destroys it ends git.
 */
export function streamGit(args: readonly string[], timeoutMs = 30 * 60 * SECOND): Readable {
  const child = spawn('git', [...SETTINGS, ...args], { detached: true, env: environment('none') });
  const output = new PassThrough();
  const fail = (failure: GitFailure) => output.destroy(failure);
  const timer = setTimeout(() => fail(tookTooLong(timeoutMs)), timeoutMs);
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString('utf8')).slice(-MOST_STDERR);
  });
  // told to whoever reads it; nobody may do so yet
  output.on('error', () => {});
  child.stdout.pipe(output, { end: false });
  child.once('error', (error) => fail(new GitFailure('not-started', error.message)));
  child.once('close', (code) => (code === 0 ? output.end() : fail(new GitFailure('exit', complaint))));
  output.once('close', () => {
    clearTimeout(timer);
    if (child.exitCode === null && child.signalCode === null) killGroup(child.pid);
    child.stdout.destroy();
  });
  child.stdin.end();
  return output;
}

function environment(transport: NonNullable<GitOptions['transport']>): NodeJS.ProcessEnv {
  const inherited = INHERITED.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  return {
    ...Object.fromEntries(inherited),
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ALLOW_PROTOCOL: transport,
    GIT_PROTOCOL_FROM_USER: '0',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_SSH_COMMAND: 'ssh -o BatchMode=yes -o ConnectTimeout=30',
  };
}
