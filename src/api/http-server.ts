/** HTTP below the application: what no application would be shown is answered in JSON too, or made presentable. */
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerOptions } from 'node:http';
import type { Socket } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { App } from './app.js';

export function createHttpServer(app: App, serverOptions: ServerOptions): Server {
  const listening = (options: ServerOptions, listener: RequestListener) =>
    createServer(options, (incoming, outgoing) => listener(addressable(incoming), outgoing));
  const server = createAdaptorServer({
    fetch: app.http.fetch,
    serverOptions,
    createServer: listening as typeof createServer,
  }) as Server;
  server.on('clientError', refuse);
  // an expectation that we do not know is no reason to answer without a body
  server.on('checkExpectation', (incoming, outgoing) => server.emit('request', incoming, outgoing));
  return server;
}

/** JSON-RPC looks at neither host nor path: that one is missing or no address is no reason to refuse a call. */
function addressable(incoming: IncomingMessage): IncomingMessage {
  if (!isHost(incoming.headers.host)) incoming.headers.host = 'localhost';
  const url = incoming.url ?? '';
  if (!URL.canParse(url.startsWith('/') ? `http://localhost${url}` : url)) incoming.url = '/';
  return incoming;
}

function isHost(host: string | undefined): boolean {
  if (host === undefined || !/^([\w.-]+|\[[\da-fA-F:.]+\])(:\d{1,5})?$/.test(host)) return false;
  // what URL writes in another way, such as 127.1, hono's adapter refuses
  return (
    URL.canParse(`http://${host}`) && new URL(`http://${host}`).hostname === host.replace(/:\d{1,5}$/, '').toLowerCase()
  );
}

/** Not HTTP, or not in time: nothing is known of the call, so that REST's shape of an error is as good as any. */
function refuse(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, message] = saidOf(error.code);
  const body = JSON.stringify({ error: { code: 'INVALID_REQUEST', message } });
  const head = `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close`;
  socket.end(`HTTP/1.1 ${status}\r\n${head}\r\n\r\n${body}`);
}

function saidOf(code: string | undefined): readonly [string, string] {
  if (code === 'HPE_HEADER_OVERFLOW') return ['431 Request Header Fields Too Large', 'the headers are too long'];
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return ['408 Request Timeout', 'the request did not arrive in time'];
  return ['400 Bad Request', 'this is not an HTTP request'];
}
