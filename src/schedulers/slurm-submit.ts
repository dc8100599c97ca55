/**
 * One sbatch for one array, and what its answer means:
 *
 * | sbatch                                                 | outcome  | because                                           |
 * | ------------------------------------------------------ | -------- | ------------------------------------------------- |
 * | an id                                                  | accepted |                                                   |
 * | no connection                                          | full     | nothing was sent                                  |
 * | queue full, limit of a QOS or an account               | full     | it will pass                                      |
 * | no such partition, account, feature … , no such node   | rejected | it will never pass                                |
 * | no answer, one that was cut, killed; an id, and failed | unknown  | the job may exist: it is looked up by its name    |
 * | anything else                                          | full     | Slurm refused it; nobody is failed for a sentence |
 */
import { CUT_OFF, complaint, type Ran, type RunSlurm } from './slurm-commands.js';

export type Submitted =
  | { readonly outcome: 'accepted'; readonly arrayJobId: string }
  | { readonly outcome: 'rejected' | 'full' | 'unknown'; readonly reason: string };

/** sbatch has been refused, sleeps, and would try again for two minutes. */
const SLEEPS = /sleeping and retrying|temporarily disabled/i;
const UNSURE = new RegExp(CUT_OFF, 'i');
const NEVER = new RegExp(
  [
    'invalid (partition|account|qos|feature|generic resource|license|node name|user)',
    'invalid (--?[a-z-]+ )?specification',
    'Requested (node|partition) configuration (is )?not available',
    'Requested (reservation|time limit) is invalid',
    'Memory (required|specification)',
    'More processors requested',
    'User.s group not permitted',
    'not (permitted|allowed) to use (this|the) partition',
    'unrecognized option|invalid option|is not a valid|requires an argument',
    'Access/permission denied',
  ].join('|'),
  'i',
);

export async function submitArray(
  run: RunSlurm,
  options: readonly string[],
  script: string,
  timeoutMs: number,
): Promise<Submitted> {
  const ran = await run('sbatch', ['--parsable', ...options], { input: script, timeoutMs, stopAt: SLEEPS });
  return outcomeOf(ran);
}

export function outcomeOf(ran: Ran): Submitted {
  const arrayJobId = /^(\d+)(;|$)/m.exec(ran.stdout)?.[1];
  if (arrayJobId !== undefined && ran.code === 0) return { outcome: 'accepted', arrayJobId };
  const reason = `Slurm: ${complaint(ran)}`;
  // what came after an id (a script in the place of sbatch, a wait that was cut) says nothing of the array
  if (arrayJobId !== undefined) return { outcome: 'unknown', reason };
  if (ran.how === 'missing' || ran.how === 'stopped') return { outcome: 'full', reason };
  if (ran.how !== 'ended' || ran.code === 0 || UNSURE.test(ran.stderr)) return { outcome: 'unknown', reason };
  return { outcome: NEVER.test(ran.stderr) ? 'rejected' : 'full', reason };
}
