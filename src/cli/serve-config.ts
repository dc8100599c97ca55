/** What `serve` is to do: the command line over the environment over the file. */
import { readConfig } from '../config/read.js';
import type { Config } from '../config/schema.js';

/** All optional: what is not on the command line comes from elsewhere. */
export interface ServeOptions {
  readonly port?: number;
  readonly host?: string;
  readonly dataDir?: string;
  readonly config?: string;
  readonly databaseUrl?: string;
  readonly databasePool?: number;
  /** ms */
  readonly hostLease?: number;
  readonly cpus?: number;
  readonly memory?: number;
  readonly logLevel?: NonNullable<Config['log_level']>;
  readonly supervised?: boolean;
}

export function configOf(options: ServeOptions, dataDir: string): Config {
  const file = options.config ?? (process.env.REPRISE_CONFIG || null);
  const config = readConfig({ dataDir, file, env: process.env });
  const told = {
    port: options.port,
    host: options.host,
    database_url: options.databaseUrl,
    database_pool: options.databasePool,
    host_lease_seconds: options.hostLease === undefined ? undefined : Math.ceil(options.hostLease / 1000),
    cpus: options.cpus,
    memory_mb: options.memory,
    log_level: options.logLevel,
    supervised: options.supervised,
  };
  return { ...config, ...Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined)) };
}
