/** Listening and stopping: no new connections, the calls under way are answered, then the rest is cut. */
import type { AddressInfo } from 'node:net';
import { RepriseError } from '../contract/errors.js';
import type { App } from './app.js';
import { createHttpServer } from './http-server.js';

export interface Listening {
  readonly url: string;
  close(): Promise<void>;
}

/** How long calls under way may take after a stop. */
const GRACE_MS = 10_000;
/** Longer than the keep-alive of usual clients and proxies, so that they, not we, drop an idle connection first. */
const KEEP_ALIVE_MS = 75_000;

export async function listen(app: App, options: { host: string; port: number }): Promise<Listening> {
  const server = createHttpServer(app, { keepAliveTimeout: KEEP_ALIVE_MS });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(cannotListen(error, options)));
    server.listen(options.port, options.host, resolve);
  });
  const { address, family, port } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    close: () =>
      new Promise<void>((resolve) => {
        const cut = setTimeout(() => server.closeAllConnections(), GRACE_MS);
        server.close(() => {
          clearTimeout(cut);
          resolve();
        });
        app.endStreams();
        server.closeIdleConnections();
      }),
  };
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
