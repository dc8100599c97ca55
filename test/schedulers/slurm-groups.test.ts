/** Arrays: what they share, how they are named and split, and the ranges of indices that Slurm reads and prints. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Submission } from '../../src/schedulers/scheduler.js';
import { groupByArray, parseRanges, parseTaskName, planNames, printRanges } from '../../src/schedulers/slurm-groups.js';
import { refusedOption, type SlurmNeeds, sbatchOptions } from '../../src/schedulers/slurm-options.js';

const NEEDS: SlurmNeeds = {
  partition: null,
  partitions: { big: 'large-nodes' },
  accounts: false,
  memory: true,
  marginMinutes: 15,
  reuseSeconds: 30,
  allowedOptions: ['constraint', 'exclusive', 'gres'],
  output: '/dev/null',
};

let made = 0;
function submission(part: Partial<Submission> = {}): Submission {
  const dispatchId = (made++).toString(16).padStart(24, '0');
  return {
    dispatchId,
    name: null,
    jobId: dispatchId,
    token: 't',
    owner: 'alice',
    cpus: 1,
    memoryMb: 100,
    diskGb: null,
    clientGroup: null,
    timeoutMs: 60_000,
    ...part,
  };
}
const shared = (one: Submission) => sbatchOptions(NEEDS, one);
const named = (submissions: readonly Submission[], most: number) => {
  const names = planNames(submissions, shared, most);
  return submissions.map((one, at) => ({ ...one, name: names[at] as string }));
};

it('what agrees in everything that an array shares is one array, up to its limit, and nothing else is', () => {
  const kinds = fc.record({
    cpus: fc.integer({ min: 1, max: 2 }),
    memoryMb: fc.constantFrom(100, 200),
    clientGroup: fc.constantFrom(null, 'big'),
  });
  fc.assert(
    fc.property(fc.array(kinds, { maxLength: 60 }), fc.integer({ min: 1, max: 7 }), (parts, most) => {
      const all = named(parts.map(submission), most);
      const groups = [...groupByArray(all).values()];
      expect(
        groups
          .flat()
          .map(({ submission: one }) => one.dispatchId)
          .sort(),
      ).toEqual(all.map((one) => one.dispatchId).sort());
      for (const group of groups) {
        expect(group.length).toBeLessThanOrEqual(most);
        expect(new Set(group.map(({ submission: one }) => JSON.stringify(shared(one)))).size).toBe(1);
        expect(group.map(({ index }) => index)).toEqual(group.map((_, at) => at));
      }
      const sizes = new Map<string, number>();
      for (const one of all) sizes.set(JSON.stringify(shared(one)), (sizes.get(JSON.stringify(shared(one))) ?? 0) + 1);
      const fewest = [...sizes.values()].reduce((sum, size) => sum + Math.ceil(size / most), 0);
      expect(groups.length).toBe(fewest);
    }),
  );
});

it('an array is named after its first dispatch, and a name says array and index again', () => {
  const [first, second] = named([submission(), submission()], 1000);
  expect(first?.name).toBe(`reprise-${first?.dispatchId}/0`);
  expect(parseTaskName(second?.name ?? null)).toEqual({ array: `reprise-${first?.dispatchId}`, index: 1 });
  for (const name of [null, '', 'reprise-1/0', 'other/1', `x${first?.name}`, `${first?.name}x`]) {
    expect(parseTaskName(name)).toBeNull();
  }
});

it('ranges of indices are printed short and read again, whatever they are', () => {
  expect(printRanges([7, 0, 1, 2, 3, 9, 10])).toBe('0-3,7,9-10');
  expect(parseRanges('1-9:4,12%3')).toEqual([1, 5, 9, 12]);
  expect(parseRanges('N/A')).toEqual([]);
  const indices = fc.uniqueArray(fc.nat(2000), { maxLength: 200 });
  fc.assert(
    fc.property(indices, (set) => {
      expect(parseRanges(printRanges(set))).toEqual([...set].sort((a, b) => a - b));
    }),
  );
});

it('requirements become options of sbatch, one word each', () => {
  const one = submission({
    cpus: 3,
    memoryMb: 2048,
    clientGroup: 'big',
    timeoutMs: 90_000,
    options: { bill_to_user: 'lab', scheduler_requirements: { gres: 'gpu:2', exclusive: '' } },
  });
  expect(sbatchOptions({ ...NEEDS, accounts: true }, one)).toEqual([
    '--exclusive',
    '--gres=gpu:2',
    '--partition=large-nodes',
    '--account=lab',
    '--mem=2144M',
    '--cpus-per-task=3',
    '--time=17',
    '--ntasks=1',
    '--no-requeue',
    '--export=ALL',
    '--chdir=/',
    '--output=/dev/null',
  ]);
  const plain = sbatchOptions({ ...NEEDS, memory: false }, submission({ options: { bill_to_user: 'lab' } }));
  expect(plain.filter((word) => /partition|account|mem/.test(word))).toEqual([]);
});

it('an option that is not allowed, or a value that could be more than one, is refused by name', () => {
  const refused = (asked: Record<string, string>) => refusedOption(NEEDS, { scheduler_requirements: asked });
  expect(refused({ constraint: 'a&b', gres: 'gpu:1', exclusive: '' })).toBeNull();
  expect(refused({ wrap: 'rm -rf /' })).toBe(
    "the slurm scheduler takes no requirement 'wrap'; allowed are constraint, exclusive, gres (slurm.allowed_options)",
  );
  for (const value of ['a b', '-x', "a'b", 'a"b', '$(x)', 'a\nb', 'a`b`', 'x'.repeat(201)]) {
    expect(refused({ constraint: value })).toMatch(/^the value of the requirement 'constraint'/);
  }
  const billed = { bill_to_user: '-lab x' };
  expect(refusedOption({ ...NEEDS, accounts: true }, billed)).toBe("'-lab x' is not the name of an account of Slurm");
  expect(refusedOption(NEEDS, billed)).toBeNull();
});
