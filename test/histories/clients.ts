/** Clients that ask about a few lineages all at once, and write down what they asked, when, and what they were told. */
import type { Answer, Ask, Call } from './model.js';

/** What a client can ask. Undefined: no answer came. `retry` is repeated by its request id until one comes. */
export interface Door {
  submit(): Promise<string>;
  retry(jobId: string, requestId: string): Promise<{ answer: NonNullable<Answer>; jobId: string | null }>;
  cancel(jobId: string): Promise<Answer | undefined>;
  finish(jobId: string, well: boolean): Promise<Answer | undefined>;
  check(jobId: string): Promise<Answer | undefined>;
}

export interface Plan {
  readonly clients: number;
  readonly lineages: number;
  /** Of each client. */
  readonly calls: number;
  readonly chance: () => number;
  /** Between two calls of a client. */
  readonly pause: () => Promise<void>;
}

/** The calls on each lineage. */
export async function recordHistory(door: Door, plan: Plan): Promise<Call[][]> {
  const lineages = await Promise.all(Array.from({ length: plan.lineages }, async () => [await door.submit()]));
  const histories: Call[][] = lineages.map(() => []);
  // of this record only: another one may be made of the same database
  const [record] = lineages.flat();
  let clock = 0;
  const client = async (client: number) => {
    for (let turn = 0; turn < plan.calls; turn += 1) {
      const at = Math.floor(plan.chance() * plan.lineages);
      const ids = lineages[at] as string[];
      const number = Math.floor(plan.chance() * ids.length);
      const asked = choose(plan.chance(), number);
      const from = clock++;
      const told = await ask(door, asked, ids, number, `${record}-${client}-${turn}`);
      histories[at]?.push({ client, asked, answer: told ?? null, from, to: told == null ? Infinity : clock++ });
      await plan.pause();
    }
  };
  await Promise.all(Array.from({ length: plan.clients }, (_, index) => client(index)));
  return histories;
}

function choose(chance: number, number: number): Ask {
  if (chance < 0.4) return { ask: 'retry' };
  if (chance < 0.55) return { ask: 'cancel', number };
  if (chance < 0.75) return { ask: 'finish', number, well: chance < 0.57 };
  return { ask: 'check', number };
}

async function ask(door: Door, asked: Ask, ids: string[], number: number, requestId: string) {
  const jobId = ids[number] as string;
  if (asked.ask === 'check') return door.check(jobId);
  if (asked.ask === 'cancel') return door.cancel(jobId);
  if (asked.ask === 'finish') return door.finish(jobId, asked.well);
  const { answer, jobId: made } = await door.retry(jobId, requestId);
  // known to the others from now on; a second job of one number would be a violation, and the first stays
  if (answer.answer === 'retried' && made !== null) ids[answer.number] ??= made;
  return answer;
}

const STATUS: Readonly<Record<string, 'live' | 'failed' | 'completed'>> = {
  completed: 'completed',
  error: 'failed',
  terminated: 'failed',
};

export const statusAnswer = (status: string): NonNullable<Answer> => ({ answer: STATUS[status] ?? 'live' });

export function refusalAnswer(code: string): NonNullable<Answer> {
  if (code === 'ALREADY_SUCCEEDED') return { answer: 'succeeded' };
  if (code === 'IN_FLIGHT' || code === 'NOT_TERMINAL') return { answer: 'in flight' };
  throw new Error(`a retry was refused with ${code}`);
}
