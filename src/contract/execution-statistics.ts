/** How one execution of a job went, as collectors of statistics take it. Times in seconds since the epoch. */
export interface ExecutionStatistics {
  readonly jobId: string;
  readonly user: string;
  readonly method: string;
  readonly commit: string;
  readonly appId: string | null;
  readonly created: number;
  readonly started: number;
  readonly finished: number;
  readonly isError: boolean;
}
