/**
 * Listening and stopping. For a moment connections are still taken, and every answer says that its connection ends with it:
 * a client that is sending goes elsewhere by itself, instead of writing to a connection that is just being closed. Then no
 * new connections, the calls under way are answered, and the rest is cut.
 */
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { RepriseError } from '../contract/errors.js';
import type { App } from './app.js';
import { createHttpServer } from './http-server.js';

export interface Listening {
  readonly url: string;
  close(): Promise<void>;
}

/** How long clients may learn that their connections end. */
const DRAIN_MS = 250;
/** How long calls under way may take after a stop. */
const GRACE_MS = 10_000;
/** Longer than the keep-alive of usual clients and proxies, so that they, not we, drop an idle connection first. */
const KEEP_ALIVE_MS = 75_000;
/** Of a runner that calls twice a second and keeps its connection the next call comes within this. */
const DRAIN_SUPERVISED_MS = 1_500;
/** Calls that wait while a supervised server restarts; the kernel may allow less (net.core.somaxconn). */
const BACKLOG = 4096;

/** An address, or a bound socket that whoever started us keeps: calls wait there for the next server. */
export interface Where {
  readonly host: string;
  readonly port: number;
  readonly fd?: number;
}

export async function listen(app: App, where: Where): Promise<Listening> {
  const { fd, host, port: wanted } = where;
  const server = createHttpServer(app, { keepAliveTimeout: KEEP_ALIVE_MS });
  const sockets = new Set<Socket>();
  let draining = false;
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.prependListener('request', (_request, response: ServerResponse) => {
    if (draining) response.setHeader('connection', 'close');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(cannotListen(error, where)));
    server.listen({ ...(fd === undefined ? { host, port: wanted } : { fd }), backlog: BACKLOG }, resolve);
  });
  const { address, family, port } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    async close() {
      draining = true;
      app.endStreams();
      await emptied(sockets, fd === undefined ? DRAIN_MS : DRAIN_SUPERVISED_MS);
      await closed(server);
    },
  };
}

/** Resolves when no connection is left, or when the time is up. */
async function emptied(sockets: ReadonlySet<Socket>, withinMs: number): Promise<void> {
  const end = performance.now() + withinMs;
  while (sockets.size > 0 && performance.now() < end) await new Promise((done) => setTimeout(done, 20));
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), GRACE_MS);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}

function cannotListen(error: NodeJS.ErrnoException, { host, port }: { host: string; port: number }): unknown {
  if (error.code === 'EADDRINUSE')
    return new RepriseError('CONFLICT', `port ${port} of ${host} is in use; choose another with --port`);
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND')
    return new RepriseError('INVALID_INPUT', `${host} is not an address of this machine; choose another with --host`);
  if (error.code === 'EACCES')
    return new RepriseError(
      'FORBIDDEN',
      `port ${port} may not be used by this user; choose one above 1023 with --port`,
    );
  return error;
}
