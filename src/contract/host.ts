/**
 * What the local scheduler and the runner host say to each other, one JSON object a line, over a unix socket that only
 * the owner of the data directory can open. Any host of any release understands `hello` and answers it in this form, so
 * that a newer server can take over from an older host.
 */

/** Raised by a change that an older side would misunderstand. */
export const HOST_PROTOCOL = 1;
/** In the scheduler's state directory. */
export const HOST_SOCKET = 'host.sock';
export const HOST_LOG = 'host.log';

export interface HostSettings {
  /** Where reports go, e.g. `http://127.0.0.1:7878`. */
  readonly url: string;
  readonly hostName: string;
  readonly cpus: number;
  readonly memoryMb: number;
}

export interface Hello {
  readonly protocol: number;
  readonly release: string;
  readonly settings: HostSettings;
}

export interface HelloAnswer {
  readonly protocol: number;
  readonly release: string;
  readonly pid: number;
  /** How memory is limited, for a log: `cgroup v1 at /sys/fs/cgroup/memory/…`. */
  readonly limits: string;
  /** It takes nothing new, ends what it has, and then itself. */
  readonly draining: boolean;
}

export interface HostSubmission {
  readonly dispatchId: string;
  readonly jobId: string;
  readonly token: string;
  readonly cpus: number;
  readonly memoryMb: number;
}

/** Null: taken. Otherwise why it was not; it can be submitted again later. */
export type HostVerdict = string | null;

export interface HostCapacity {
  readonly cpus: number;
  readonly memoryMb: number;
  readonly jobs: number;
}

/** Each request with its answer. Ids are dispatch ids. */
export interface HostCalls {
  hello: { ask: Hello; answer: HelloAnswer };
  /** With `isShared` another machine could take what would only wait here. An older host does not ask that. */
  capacity: { ask: { isShared: boolean } | null; answer: HostCapacity };
  /** Answered in the order given, when it can no longer be forgotten. */
  submit: { ask: readonly HostSubmission[]; answer: readonly HostVerdict[] };
  /** In the order given. */
  poll: { ask: readonly string[]; answer: readonly ('pending' | 'running' | 'gone')[] };
  cancel: { ask: readonly string[]; answer: null };
}
export type HostCall = keyof HostCalls;

export interface HostRequest<C extends HostCall = HostCall> {
  readonly seq: number;
  readonly call: C;
  readonly ask: HostCalls[C]['ask'];
}

/** `change`, without a `seq`, is the host's own word: capacity was freed or a dispatch ended. */
export type HostMessage =
  | { readonly seq: number; readonly answer: unknown }
  | { readonly seq: number; readonly error: string }
  | { readonly change: true };
