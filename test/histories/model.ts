/**
 * What a lineage is allowed to answer, as a small sequential machine, and the question whether answers that clients got at
 * the same time can be put in one order that this machine gives (linearizability, by the search of Wing and Gong).
 */

/** The head of a lineage: its number, and whether it is unfinished, ended badly, or completed. */
export interface Lineage {
  readonly number: number;
  readonly head: 'live' | 'failed' | 'done';
}

export type Ask =
  | { readonly ask: 'retry' }
  | { readonly ask: 'cancel'; readonly number: number }
  | { readonly ask: 'finish'; readonly number: number; readonly well: boolean }
  | { readonly ask: 'check'; readonly number: number };

/** `retried`: with the number of the new job. Null: no answer came, and what was asked may have been done or not. */
export type Answer =
  | { readonly answer: 'retried'; readonly number: number }
  | { readonly answer: 'in flight' | 'succeeded' | 'done' | 'not done' | 'live' | 'failed' | 'completed' }
  | null;

export interface Call {
  readonly client: number;
  readonly asked: Ask;
  readonly answer: Answer;
  /** In the order in which things happened; a call without an answer never came back. */
  readonly from: number;
  readonly to: number;
}

type Step = { readonly answer: NonNullable<Answer>; readonly next: Lineage };

/** The one answer that the machine gives, and what it is then. */
export function step(lineage: Lineage, asked: Ask): Step {
  const { number, head } = lineage;
  switch (asked.ask) {
    case 'retry':
      if (head === 'live') return { answer: { answer: 'in flight' }, next: lineage };
      if (head === 'done') return { answer: { answer: 'succeeded' }, next: lineage };
      return { answer: { answer: 'retried', number: number + 1 }, next: { number: number + 1, head: 'live' } };
    case 'cancel':
    case 'finish': {
      if (asked.number !== number || head !== 'live') return { answer: { answer: 'not done' }, next: lineage };
      const well = asked.ask === 'finish' && asked.well;
      return { answer: { answer: 'done' }, next: { number, head: well ? 'done' : 'failed' } };
    }
    case 'check': {
      const now = asked.number < number ? 'failed' : head;
      return { answer: { answer: now === 'done' ? 'completed' : now }, next: lineage };
    }
  }
}

function isSame(told: NonNullable<Answer>, expected: NonNullable<Answer>): boolean {
  if (told.answer !== expected.answer) return false;
  return told.answer !== 'retried' || told.number === (expected as { number: number }).number;
}

/** Whether the calls on one lineage can be put in an order; a lineage begins as an unfinished root. */
export function canBeOrdered(calls: readonly Call[], begin: Lineage = { number: 0, head: 'live' }): boolean {
  const sorted = [...calls].sort((a, b) => a.from - b.from);
  const tried = new Set<string>();
  const search = (done: bigint, lineage: Lineage): boolean => {
    const open = sorted
      .map((call, index) => ({ call, index }))
      .filter(({ index }) => (done & (1n << BigInt(index))) === 0n);
    if (open.every(({ call }) => call.answer === null)) return true;
    const key = `${done} ${lineage.number} ${lineage.head}`;
    if (tried.has(key)) return false;
    tried.add(key);
    // whatever came back before another was asked comes before it
    const first = Math.min(...open.map(({ call }) => call.to));
    return open
      .filter(({ call }) => call.from < first)
      .some(({ call, index }) => {
        const { answer, next } = step(lineage, call.asked);
        return (call.answer === null || isSame(call.answer, answer)) && search(done | (1n << BigInt(index)), next);
      });
  };
  return search(0n, begin);
}
