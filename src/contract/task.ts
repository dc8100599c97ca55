/**
 * What starts the program that carries out a dispatch on a node of a cluster, and how that program ends. When that was done
 * soon, it goes on with further dispatches that the server gives it.
 *
 *   node <package>/dist/runner/task.cjs < one line of JSON
 *
 * | exit  | when                                                                                          |
 * | ----- | --------------------------------------------------------------------------------------------- |
 * | 0     | the server knows that nothing of its dispatches is left, or refused the start                 |
 * | 143   | ended by SIGTERM or SIGINT: the scheduler's own word on how the job ended counts               |
 * | other | it could not do its own work (no directory, a malformed order); standard error says why        |
 */

/** Within the package. */
export const TASK_PROGRAM = 'dist/runner/task.cjs';

export const TASK_TERMINATED = 143;

export interface TaskOrder {
  /** How this node reaches the server. */
  readonly url: string;
  readonly dispatchId: string;
  readonly token: string;
  /** Absolute. On a disk of the node or one that nodes share; made if missing. */
  readonly directory: string;
  /** The name of the host as users see it; null: what the machine calls itself. */
  readonly name: string | null;
  /** So long after its start it takes further dispatches; absent: it takes none. */
  readonly reuseSeconds?: number;
}
