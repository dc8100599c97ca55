/** Ports for servers that others must find again: also while they are down nobody else is to get one. */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below those that the kernel gives to connections and to who asks for any: one of these would soon be somebody else's. */
const PORTS = { from: 12_000, to: 32_000 };

export async function freePorts(count) {
  const found = new Set();
  while (found.size < count) {
    const port = randomInt(PORTS.from, PORTS.to);
    if (await isFree(port)) found.add(port);
  }
  return [...found];
}

export async function freePort() {
  const [port] = await freePorts(1);
  return port;
}

function isFree(port) {
  const server = createServer();
  return new Promise((done) => {
    server.once('error', () => done(false));
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
  });
}
