/** The body of a request as text: whole, within the limit, whatever its content type says. */
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import { RepriseError } from '../contract/errors.js';

const UNPACK = new Map([
  ['gzip', promisify(gunzip)],
  ['x-gzip', promisify(gunzip)],
  ['deflate', promisify(inflate)],
]);

/** UTF-8, as it is or packed with gzip or deflate. Throws BODY_TOO_LARGE, or PARSE_ERROR for what is not text. */
export async function readBody(incoming: IncomingMessage, limit: number): Promise<string> {
  const bytes = await readBytes(incoming, limit);
  const plain = await unpack(bytes, (incoming.headers['content-encoding'] ?? '').trim().toLowerCase(), limit);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(plain);
  } catch {
    throw new RepriseError('PARSE_ERROR', 'the body is not UTF-8 text');
  }
}

/**
 * What is over the limit is read to its end and dropped: a client that is still sending would see a broken connection
 * instead of the answer.
 */
function readBytes(incoming: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    incoming.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) chunks.push(chunk);
      else chunks.length = 0;
    });
    incoming.once('end', () => (size <= limit ? resolve(Buffer.concat(chunks, size)) : reject(tooLarge(limit))));
    const broken = () => reject(new RepriseError('PARSE_ERROR', 'the connection broke before the body was complete'));
    incoming.once('error', broken);
    incoming.once('aborted', broken);
  });
}

async function unpack(bytes: Buffer, encoding: string, limit: number): Promise<Buffer> {
  if (encoding === '' || encoding === 'identity') return bytes;
  const unpacked = UNPACK.get(encoding);
  if (unpacked === undefined) {
    throw new RepriseError(
      'PARSE_ERROR',
      `the body is packed with '${encoding}'; send it as it is, or as gzip or deflate`,
    );
  }
  try {
    return await unpacked(bytes, { maxOutputLength: limit });
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(limit);
    throw new RepriseError('PARSE_ERROR', `the body says it is ${encoding} and is not`);
  }
}

function tooLarge(limit: number): RepriseError {
  return new RepriseError('BODY_TOO_LARGE', `the body is larger than ${limit} bytes; send it in several calls`);
}
