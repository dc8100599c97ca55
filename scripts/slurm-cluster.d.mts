/** A daemon of a cluster, which can be ended and started again. */
export interface Daemon {
  /** Undefined when it does not run. */
  readonly pid: number | undefined;
  start(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Resolves when it has ended. */
  stop(signal: NodeJS.Signals): Promise<void>;
}

export interface Cluster {
  /** What every program of Slurm's needs to find it. */
  readonly env: { readonly SLURM_CONF: string };
  readonly directory: string;
  readonly controller: Daemon;
  /** By the names of their nodes. */
  readonly nodes: ReadonlyMap<string, Daemon>;
  /** Writes slurm.conf anew; the daemons read it when they are started again. */
  configure(settings: Readonly<Record<string, string | number>>): void;
  down(): Promise<void>;
}

export interface ClusterOptions {
  readonly nodes?: number;
  /** Of each node. */
  readonly cpus?: number;
  readonly memoryMb?: number;
  /** Beside `main`, which has all nodes: the nodes of each, such as `n1,n2`. */
  readonly partitions?: Readonly<Record<string, string>>;
  /** So long a requeued job waits before it is started again. */
  readonly credentialSeconds?: number;
  readonly settings?: Readonly<Record<string, string | number>>;
}

export function missingPrograms(): string[];
export function up(directory: string, options?: ClusterOptions): Promise<Cluster>;
