/** Finds the server and the token: REPRISE_URL and REPRISE_TOKEN, else what a server on this machine has written. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient } from '../client/client.js';
import { RepriseError } from '../contract/errors.js';
import type { RestParams, RestResult } from '../contract/operations.js';
import { sayAtInterrupt } from './interrupt.js';
import { UsageError } from './output.js';

export interface Place {
  readonly dataDir?: string | undefined;
}

type RepeatableName = 'submitJobs' | 'submitBatch' | 'extendBatch' | 'retryJobs' | 'retryBatch';
type RequestParams<N extends RepeatableName> = Omit<RestParams<N>, 'request_id'>;

/** What a command asks for, in one call or several: each has a request id of its own, made from the command's. */
interface Request {
  readonly id: string;
  /** From 1. */
  readonly part: number;
}

export interface Session {
  readonly url: string;
  readonly call: Client['call'];
  /** For calls that submit or retry: repeated while the connection breaks, since the server takes a request id once. */
  repeatably<N extends RepeatableName>(name: N, params: RequestParams<N>, request: Request): Promise<RestResult<N>>;
  /** A client for the server as it is now: one started again may have another port. */
  client(): Client;
}

const env = (name: string): string | undefined => process.env[name] || undefined;

/** `--data-dir`, REPRISE_DATA_DIR, else `reprise` in the user's data directory. */
export function dataDirOf({ dataDir }: Place): string {
  const share = env('XDG_DATA_HOME') ?? join(homedir(), '.local', 'share');
  return resolve(dataDir ?? env('REPRISE_DATA_DIR') ?? join(share, 'reprise'));
}

/** Throws UNAVAILABLE with the way out if no server is known; whether it answers is seen at the first call. */
export function connect(place: Place): Session {
  const dataDir = dataDirOf(place);
  const client = () => createClient(addressOf(dataDir));
  const { url } = addressOf(dataDir);
  const call: Client['call'] = (name, params) => client().call(name, params).catch(explain(dataDir));
  return { url, call, client, repeatably: (name, params, request) => repeatedly(call, name, params, request) };
}

interface Address {
  readonly url: string;
  readonly token?: string;
}

/** The token of this machine's server is never sent to another address. */
function addressOf(dataDir: string): Address {
  const [url, token] = [urlOf(env('REPRISE_URL')), env('REPRISE_TOKEN')];
  if (url !== undefined && token !== undefined) return { url, token };
  const local = localServer(dataDir);
  if (url !== undefined && url.replace(/\/+$/, '') !== local?.url) return { url };
  if (local === null) throw noServer(dataDir);
  const own = token ?? readToken(dataDir);
  return { url: local.url, ...(own !== undefined && { token: own }) };
}

function urlOf(text: string | undefined): string | undefined {
  if (text === undefined || (/^https?:\/\//i.test(text) && URL.canParse(text))) return text;
  throw new UsageError(
    `REPRISE_URL is '${text}', which is not an address: write it with http:// or https://, e.g. http://127.0.0.1:7878`,
  );
}

function localServer(dataDir: string): { url: string; pid: number } | null {
  const file = join(dataDir, 'server.json');
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as { url: string; pid: number };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new RepriseError(
      'UNAVAILABLE',
      `${file} cannot be read (${(error as Error).message}); set REPRISE_URL and REPRISE_TOKEN`,
    );
  }
}

function readToken(dataDir: string): string | undefined {
  const file = join(dataDir, 'admin-token');
  if (!existsSync(file)) return undefined;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    throw new RepriseError(
      'UNAUTHENTICATED',
      `${file} belongs to who started the server; set REPRISE_TOKEN to a token of your own`,
    );
  }
}

function noServer(dataDir: string): RepriseError {
  const other = process.argv.includes('--data-dir') || env('REPRISE_DATA_DIR') ? ` --data-dir ${dataDir}` : '';
  return new RepriseError(
    'UNAVAILABLE',
    `no server runs on ${dataDir}; start one with: reprise serve${other} (or set REPRISE_URL and REPRISE_TOKEN)`,
  );
}

/** Says what to do where the client can only say what happened. */
function explain(dataDir: string): (error: unknown) => never {
  return (error) => {
    const code = error instanceof RepriseError ? error.code : undefined;
    if (code === 'UNAUTHENTICATED' && env('REPRISE_URL') !== undefined && env('REPRISE_TOKEN') === undefined) {
      throw new RepriseError(
        'UNAUTHENTICATED',
        'REPRISE_URL names a server; set REPRISE_TOKEN to a token of yours there',
      );
    }
    if (code === 'UNAUTHENTICATED' && env('REPRISE_TOKEN') !== undefined) {
      throw new RepriseError('UNAUTHENTICATED', `${(error as Error).message}; ${originOfToken(dataDir)}`);
    }
    if (code === 'UNAVAILABLE' && wasRefused(error) && env('REPRISE_URL') === undefined) {
      const server = localServer(dataDir);
      if (server === null) throw noServer(dataDir);
      throw new RepriseError(
        'UNAVAILABLE',
        `the server of ${dataDir} (process ${server.pid}) does not answer at ${server.url}; start it again with: reprise serve`,
        undefined,
        { cause: (error as Error).cause },
      );
    }
    throw error;
  };
}

function originOfToken(dataDir: string): string {
  const file = join(dataDir, 'admin-token');
  const instead = existsSync(file) ? `; without REPRISE_TOKEN, ${file} is used on the server's machine` : '';
  return `the one sent came from REPRISE_TOKEN${instead}`;
}

/** Nothing listens there: the call was not even heard. */
function wasRefused(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ((at as NodeJS.ErrnoException).code === 'ECONNREFUSED') return true;
  }
  return false;
}

const PAUSES_MS = [200, 500, 1000, 2000, 4000, 8000];

/** A server that was never there is told at once; one that was lost on the way may come back. */
async function repeatedly<N extends RepeatableName>(
  call: Client['call'],
  name: N,
  params: RequestParams<N>,
  { id, part }: Request,
): Promise<RestResult<N>> {
  const unknown = `whether it was recorded is not known: repeat the command with --request-id ${id}`;
  sayAtInterrupt(`interrupted; ${params.dry_run ? 'nothing was recorded' : unknown}`);
  const asked = { ...params, request_id: part === 1 ? id : `${id}/${part}` } as RestParams<N>;
  for (let round = 0; ; round += 1) {
    try {
      const answer = await call(name, asked);
      if (!params.dry_run) sayAtInterrupt('interrupted; what was asked for is recorded and goes on');
      return answer;
    } catch (error) {
      const lost = error instanceof RepriseError && error.code === 'UNAVAILABLE';
      if (!lost || (round === 0 && wasRefused(error))) throw error;
      if (round === PAUSES_MS.length) throw new RepriseError('UNAVAILABLE', `${error.message}; ${unknown}`);
      await sleep(PAUSES_MS[round]);
    }
  }
}
