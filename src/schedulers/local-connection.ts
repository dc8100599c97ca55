/** The scheduler's side of the socket to the runner host. */
import { closeSync, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { HOST_SOCKET, type HostCall, type HostCalls, type HostMessage } from '../contract/host.js';

export interface HostConnection {
  /** Rejects with `LostConnection` if the host went away before its answer: whether it heard is not known. */
  ask<C extends HostCall>(call: C, ask: HostCalls[C]['ask']): Promise<HostCalls[C]['answer']>;
  readonly closed: Promise<void>;
  close(): void;
}

export class LostConnection extends Error {
  override readonly name = 'LostConnection';
}

interface Waiting {
  readonly done: (answer: never) => void;
  readonly failed: (error: Error) => void;
}

/** Rejects at once if no host listens. */
export async function connectToHost(stateDir: string, onChange: () => void): Promise<HostConnection> {
  const socket = await open(stateDir);
  const waiting = new Map<number, Waiting>();
  let seq = 0;
  const closed = new Promise<void>((done) => {
    socket.once('close', () => {
      for (const { failed } of waiting.values()) failed(new LostConnection('the runner host went away'));
      waiting.clear();
      done();
    });
  });
  socket.on('error', () => undefined);
  readMessages(socket, (message) => {
    if ('change' in message) return onChange();
    const asked = waiting.get(message.seq);
    waiting.delete(message.seq);
    if ('error' in message) asked?.failed(new Error(message.error));
    else asked?.done(message.answer as never);
  });
  return {
    ask: (call, ask) =>
      new Promise((done, failed) => {
        if (!socket.writable) return failed(new LostConnection('the runner host went away'));
        seq += 1;
        waiting.set(seq, { done, failed });
        socket.write(`${JSON.stringify({ seq, call, ask })}\n`);
      }),
    closed,
    close: () => void socket.destroy(),
  };
}

/**
 * A socket's path has at most 108 bytes, a data directory's may have more: through its descriptor it is always short.
 * Where there is no /proc the whole path has to do.
 */
function open(stateDir: string): Promise<Socket> {
  const fd = openSync(stateDir, 'r');
  const path = process.platform === 'linux' ? `/proc/self/fd/${fd}/${HOST_SOCKET}` : join(stateDir, HOST_SOCKET);
  const socket = connect(path);
  return new Promise<Socket>((done, failed) => {
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('error', failed);
      done(socket);
    });
  }).finally(() => closeSync(fd));
}

function readMessages(socket: Socket, on: (message: HostMessage) => void): void {
  let held = '';
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    const lines = (held + text).split('\n');
    held = lines.pop() ?? '';
    for (const line of lines) on(JSON.parse(line) as HostMessage);
  });
}
