/**
 * The files of an app for runners elsewhere: a stream, and so not of the table of operations. Its end is told by the end of
 * the chunks; one that could not be completed is told by a connection that breaks.
 */
import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { WORKER_CHECKOUTS_PATH } from '../contract/worker-paths.js';
import type { HttpApp } from './app.js';
import { counted } from './call.js';
import type { ApiDeps } from './deps.js';
import { failed } from './failed.js';
import { bearerOf } from './identity.js';

/** Of a reader that takes nothing; what it holds is needed by others. */
const STALLED_MS = 60_000;

export function mountCheckouts(http: HttpApp, deps: ApiDeps): void {
  http.get(`${WORKER_CHECKOUTS_PATH}/:commit`, async (c) => {
    try {
      return await counted(deps.metrics, 'checkout', async () => {
        const token = bearerOf(c.req.header('authorization')) ?? '';
        await sendFiles(await deps.engine.checkout(token, c.req.param('commit')), c.env.outgoing as ServerResponse);
        return RESPONSE_ALREADY_SENT;
      });
    } catch (error) {
      return failed(c, deps, error);
    }
  });
}

/** Resolves when all is sent or the reader is gone; `files` has ended then. */
export async function sendFiles(files: Readable, outgoing: ServerResponse): Promise<void> {
  outgoing.setTimeout(STALLED_MS, () => outgoing.destroy());
  outgoing.writeHead(200, { 'content-type': 'application/x-tar' });
  // whichever side breaks, the other one is ended with it, also (Node 24 does not) if the reader had gone before
  await pipeline(files, outgoing).catch(() => files.destroy());
  outgoing.setTimeout(0);
}
