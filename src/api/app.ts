/**
 * The application without a listener: REST below `/api/v1`, health and metrics beside it, and every other POST is
 * JSON-RPC, whatever its path, as EE2's clients expect.
 */
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import type { ApiDeps } from './deps.js';
import { mountRpc } from './ee2/rpc.js';
import { mountRest } from './rest.js';
import { createStreams } from './sse.js';
import { mountUi } from './ui.js';

export type HttpApp = Hono<{ Bindings: HttpBindings }>;

export interface App {
  readonly http: HttpApp;
  /** Ends the event streams, which would otherwise never end; their readers resume elsewhere or later. */
  endStreams(): void;
}

export function buildApp(deps: ApiDeps): App {
  const http: HttpApp = new Hono<{ Bindings: HttpBindings }>({ strict: false });
  const streams = createStreams(deps);
  http.get('/healthz', (c) => c.json({ status: 'ok', version: deps.version }));
  http.get('/readyz', async (c) => {
    const { ready, checks } = await deps.readiness();
    return c.json({ status: ready ? 'ready' : 'not ready', checks }, ready ? 200 : 503);
  });
  http.get('/metrics', async (c) =>
    c.body(await deps.metrics.text(), 200, { 'content-type': deps.metrics.contentType }),
  );
  // before REST, whose last route answers everything below /api/v1
  mountUi(http, deps);
  mountRest(http, deps, streams);
  mountRpc(http, deps);
  return { http, endStreams: streams.end };
}
