/** The listening socket of a server whose starter keeps it: our supervisor, or systemd (`LISTEN_FDS`). */
import { lookup } from 'node:dns/promises';
import net from 'node:net';
import { getSystemErrorName } from 'node:util';
import { RepriseError } from '../contract/errors.js';

const FIRST_FD = 3;
const OURS = 'REPRISE_LISTEN_FD';

/** The socket this process was started with, or undefined. Its word is taken from the environment: children get no socket. */
export function inheritedSocket(env: NodeJS.ProcessEnv, pid: number): number | undefined {
  const isOurs = env[OURS] === String(FIRST_FD);
  const isSystemd = env.LISTEN_PID === String(pid) && Number(env.LISTEN_FDS) >= 1;
  for (const name of [OURS, 'LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name];
  return isOurs || isSystemd ? FIRST_FD : undefined;
}

export const withSocket = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({ ...env, [OURS]: String(FIRST_FD) });

/** As node makes it for the workers of a cluster: bound, and not accepting here. */
interface BoundHandle {
  readonly fd: number;
  getsockname(out: object): number;
}
type Bind = (address: string, port: number, addressType: 4 | 6) => BoundHandle | number;

/** The number of a socket that is bound and stays open for as long as this process lives. */
export async function bindSocket(host: string, port: number): Promise<number> {
  const bind = (net as unknown as { _createServerHandle?: Bind })._createServerHandle;
  if (bind === undefined) {
    const sentence = 'this Node can not keep a socket for another process; start without --supervised';
    throw new RepriseError('INVALID_INPUT', sentence);
  }
  const { address, family } = await resolved(host);
  const handle = bind(address, port, family === 6 ? 6 : 4);
  // an address that is in use is told only when the socket is asked about itself
  const error = typeof handle === 'number' ? handle : handle.getsockname({});
  if (typeof handle === 'number' || error !== 0) throw cannotBind(error, host, port);
  kept.push(handle);
  return handle.fd;
}

/** Collected as garbage, a handle would close its socket. */
const kept: BoundHandle[] = [];

async function resolved(host: string) {
  try {
    return await lookup(host);
  } catch {
    throw new RepriseError('INVALID_INPUT', `${host} is not an address of this machine; choose another with --host`);
  }
}

function cannotBind(error: number, host: string, port: number): RepriseError {
  const name = getSystemErrorName(error);
  if (name === 'EADDRINUSE') {
    return new RepriseError('CONFLICT', `port ${port} of ${host} is in use; choose another with --port`);
  }
  const way = name === 'EACCES' ? 'choose a port above 1023 with --port' : 'choose another with --host or --port';
  return new RepriseError('INVALID_INPUT', `${host} port ${port} can not be used (${name}); ${way}`);
}
