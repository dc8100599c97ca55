/**
 * Calls to the server by what is beneath `fetch`: that alone takes 20 ms of cpu to load, in a program that is started for
 * each job.
 */
import { Agent, type ClientRequest, type IncomingMessage, type RequestOptions, request } from 'node:http';

/** One call at a time, on a connection that is kept. */
const agent = new Agent({ keepAlive: true, maxSockets: 4 });
let secure: typeof import('node:https') | undefined;
let secureAgent: Agent | undefined;

export interface Call {
  readonly method: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Without a byte for so long, it is given up. */
  readonly silentMs: number;
}

/** Resolves when the headers of the answer are there; its body is to be read. */
export async function callServer(url: string, call: Call): Promise<IncomingMessage> {
  const target = new URL(url);
  const { method, headers = {}, body = '', silentMs } = call;
  const asked = await open(target, { method, headers: { ...headers, 'content-length': Buffer.byteLength(body) } });
  asked.setTimeout(silentMs, () => asked.destroy(new Error(`${target.host} said nothing for ${silentMs / 1000} s`)));
  return new Promise((done, failed) => {
    asked.once('response', done);
    // also after the response has begun: the answer itself is destroyed with it
    asked.on('error', (error: NodeJS.ErrnoException) => {
      // the server closed a kept connection just when it was used again; what is said may be repeated
      if (asked.reusedSocket && error.code === 'ECONNRESET') callServer(url, call).then(done, failed);
      else failed(error);
    });
    asked.end(body);
  });
}

async function open(target: URL, options: RequestOptions): Promise<ClientRequest> {
  if (target.protocol !== 'https:') return request(target, { ...options, agent });
  secure ??= await import('node:https');
  secureAgent ??= new secure.Agent({ keepAlive: true, maxSockets: 4 });
  return secure.request(target, { ...options, agent: secureAgent });
}

/** By events: to be iterated over takes a stream another millisecond to load. */
export function textOf(answer: IncomingMessage): Promise<string> {
  return new Promise((done, failed) => {
    const chunks: Buffer[] = [];
    answer.on('data', (chunk: Buffer) => chunks.push(chunk));
    answer.once('end', () => done(Buffer.concat(chunks).toString('utf8')));
    answer.once('error', failed);
  });
}
