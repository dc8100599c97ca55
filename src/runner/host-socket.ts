/** The host's side of the socket: requests in, answers out, one JSON object a line. */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { HOST_SOCKET, type HostCall, type HostCalls, type HostMessage, type HostRequest } from '../contract/host.js';

export type HostHandlers = {
  readonly [C in HostCall]: (
    ask: HostCalls[C]['ask'],
    from: Socket,
  ) => HostCalls[C]['answer'] | Promise<HostCalls[C]['answer']>;
};

export interface HostSocket {
  readonly connections: ReadonlySet<Socket>;
  say(message: HostMessage): void;
  close(): void;
}

/** The current directory is the state directory: the name is short however deep that is (108 bytes are all there are). */
export async function listenOnSocket(handlers: HostHandlers, onGone: (socket: Socket) => void): Promise<HostSocket> {
  const connections = new Set<Socket>();
  // of a host that died: whoever holds the lock may remove it
  rmSync(HOST_SOCKET, { force: true });
  const server = createServer((socket) => {
    connections.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => {
      connections.delete(socket);
      onGone(socket);
    });
    readRequests(socket, (request) => void answer(handlers, request, socket));
  });
  await listening(server, HOST_SOCKET);
  chmodSync(HOST_SOCKET, 0o600);
  return {
    connections,
    say(message) {
      for (const socket of connections) send(socket, message);
    },
    close: () => server.close(),
  };
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((done, failed) => {
    server.once('error', failed);
    server.listen(path, done);
  });
}

function readRequests(socket: Socket, on: (request: HostRequest) => void): void {
  let held = '';
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    const lines = (held + text).split('\n');
    held = lines.pop() ?? '';
    for (const line of lines) on(JSON.parse(line) as HostRequest);
  });
}

async function answer<C extends HostCall>(
  handlers: HostHandlers,
  request: HostRequest<C>,
  socket: Socket,
): Promise<void> {
  const { seq, call, ask } = request;
  try {
    const handler = handlers[call];
    if (handler === undefined) throw new Error(`this runner host does not know "${call}"; it is of another release`);
    send(socket, { seq, answer: await handler(ask, socket) });
  } catch (error) {
    send(socket, { seq, error: (error as Error).message });
  }
}

function send(socket: Socket, message: HostMessage): void {
  if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
}
