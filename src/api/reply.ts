/** Answers as they go out: the content type is exactly `application/json`, and long ones are packed if the client can. */
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';

const gzipped = promisify(gzip);

/** Shorter ones cost more to pack than to send. */
const PACK_FROM = 64 * 1024;

export async function jsonReply(
  acceptEncoding: string | undefined,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const all = { 'content-type': 'application/json', ...headers };
  if (text.length < PACK_FROM || !/\bgzip\b/.test(acceptEncoding ?? ''))
    return new Response(text, { status, headers: all });
  const packed = await gzipped(text, { level: constants.Z_BEST_SPEED });
  return new Response(packed, { status, headers: { ...all, 'content-encoding': 'gzip', vary: 'accept-encoding' } });
}
