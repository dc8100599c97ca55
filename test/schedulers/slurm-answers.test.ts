/** What Slurm's programs print, and what it means. The texts are those of 22.05. */
import { expect, it } from 'vitest';
import { createPressure } from '../../src/schedulers/slurm-pressure.js';
import { createSightings } from '../../src/schedulers/slurm-sightings.js';
import { parseSacct, parseSqueue } from '../../src/schedulers/slurm-squeue.js';
import { dispatchStateOf, type SlurmTask } from '../../src/schedulers/slurm-states.js';
import { outcomeOf } from '../../src/schedulers/slurm-submit.js';

const A = `reprise-${'a'.repeat(24)}`;
const B = `reprise-${'b'.repeat(24)}`;
const both = new Set([A, B]);

const SQUEUE = `
1|2-5,8|PENDING|0|${A}|Resources|
1|0|RUNNING|0|${A}|None|
1|1|FAILED|768|${A}|NonZeroExitCode|
7|0|PENDING|0|${B}|ReqNodeNotAvail, UnavailableNodes:n1|
9|0|RUNNING|0|reprise-${'c'.repeat(24)}|None|
10|N/A|RUNNING|0|bash|None|
`;

it('squeue is read by name and index: tasks that have begun one by one, the others in ranges', () => {
  const tasks = parseSqueue(SQUEUE, both);
  expect([...tasks.keys()]).toEqual([2, 3, 4, 5, 8, 0, 1].map((index) => `${A}/${index}`).concat(`${B}/0`));
  expect(tasks.get(`${A}/1`)).toEqual({
    arrayJobId: '1',
    index: 1,
    state: 'FAILED',
    reason: 'NonZeroExitCode',
    exitCode: 3,
    exitSignal: 0,
  });
  expect(tasks.get(`${B}/0`)?.reason).toBe('ReqNodeNotAvail, UnavailableNodes:n1');
});

it('of two tasks with one name the one that can still run counts', () => {
  const ended = `1|0|CANCELLED|0|${A}|None|`;
  const running = `4|0|RUNNING|0|${A}|None|`;
  for (const text of [`${ended}\n${running}`, `${running}\n${ended}`]) {
    expect(parseSqueue(text, both).get(`${A}/0`)?.arrayJobId).toBe('4');
  }
});

it('sacct is read the same way, for ends only: of what runs it would say so for ever after a crash', () => {
  const text = `3_0|CANCELLED by 0|0:15|${A}\n3_[1-4]|PENDING|0:0|${A}\n5_1|FAILED|4:0|${B}\n5_2|RUNNING|0:0|${B}\n`;
  const tasks = parseSacct(text, both);
  expect([...tasks]).toEqual([
    [`${A}/0`, { arrayJobId: '3', index: 0, state: 'CANCELLED', reason: 'by 0', exitCode: 0, exitSignal: 15 }],
    [`${B}/1`, { arrayJobId: '5', index: 1, state: 'FAILED', reason: '', exitCode: 4, exitSignal: 0 }],
  ]);
});

const task = (state: string, exitCode = 0, exitSignal = 0, reason = 'None'): SlurmTask => {
  return { arrayJobId: '7', index: 2, state, reason, exitCode, exitSignal };
};

it.each([
  [task('PENDING', 0, 0, 'JobHeldUser'), { state: 'pending', reason: 'Slurm: JobHeldUser' }],
  [task('PENDING'), { state: 'pending', reason: null }],
  [task('REQUEUE_HOLD'), { state: 'pending', reason: 'Slurm: REQUEUE_HOLD' }],
  [task('RUNNING'), { state: 'running' }],
  [task('COMPLETING'), { state: 'running' }],
  [task('SUSPENDED'), { state: 'running' }],
  [task('SOMETHING_NEW'), { state: 'running' }],
] as const)('%o is not over', (given, state) => {
  expect(dispatchStateOf(given, false)).toEqual(state);
});

it.each([
  [task('COMPLETED'), 'error', 'platform', 0, null, 'the runner ended and left no result'],
  [task('FAILED', 1), 'error', 'platform', 1, null, 'the runner broke off'],
  [task('FAILED', 0, 9, 'JobLaunchFailure'), 'error', 'platform', null, 'SIGKILL', 'JobLaunchFailure'],
  [task('FAILED', 0, 53), 'error', 'platform', null, null, 'could not be launched'],
  [task('OUT_OF_MEMORY', 0, 125), 'error', 'memory', null, null, 'more memory'],
  [task('TIMEOUT'), 'error', 'time', 0, null, 'more time'],
  [task('DEADLINE'), 'error', 'time', 0, null, 'deadline'],
  [task('NODE_FAIL'), 'error', 'platform', 0, null, 'the node that ran the job died'],
  [task('BOOT_FAIL'), 'error', 'platform', 0, null, 'did not come up'],
  [task('PREEMPTED'), 'error', 'platform', 0, null, 'make room'],
  [task('REVOKED'), 'error', 'platform', 0, null, 'another cluster'],
  [task('CANCELLED', 0, 15), 'terminated', 'user', null, 'SIGTERM', 'cancelled in Slurm, not here'],
] as const)('%o ends its job', (given, status, failureClass, exitCode, exitSignal, words) => {
  const told = dispatchStateOf(given, false);
  expect(told).toMatchObject({ state: 'gone', end: { status, failureClass, exitCode, exitSignal } });
  const { message } = (told as { end: { message: string } }).end;
  expect(message).toContain(words);
  expect(message).toContain(`Slurm job 7_2: ${given.state} ${given.exitCode}:${given.exitSignal}`);
});

it('only what Slurm itself would have begun again is begun again, and only if the operator wants it', () => {
  const again = (state: string, requeue: boolean) =>
    (dispatchStateOf(task(state), requeue) as { end: { again?: true } }).end.again === true;
  const states = ['NODE_FAIL', 'PREEMPTED', 'FAILED', 'TIMEOUT', 'BOOT_FAIL', 'CANCELLED', 'COMPLETED'];
  expect(states.filter((state) => again(state, true))).toEqual(['NODE_FAIL', 'PREEMPTED']);
  expect(states.filter((state) => again(state, false))).toEqual([]);
});

const ended = (stderr: string) => outcomeOf({ code: 1, stdout: '', stderr, how: 'ended' });
it.each([
  ['Batch job submission failed: Invalid partition name specified', 'rejected'],
  ['Batch job submission failed: Invalid account or account/partition combination specified', 'rejected'],
  ['Batch job submission failed: Invalid qos specification', 'rejected'],
  ['Batch job submission failed: Invalid feature specification', 'rejected'],
  ['Invalid generic resource (gres) specification', 'rejected'],
  ['Batch job submission failed: Invalid license specification', 'rejected'],
  ['Batch job submission failed: Requested reservation is invalid', 'rejected'],
  ['Batch job submission failed: Requested node configuration is not available', 'rejected'],
  ['"zz" is not a valid node count', 'rejected'],
  ['Batch job submission failed: Resource temporarily unavailable', 'full'],
  ['Batch job submission failed: Job violates accounting/QOS policy (job submit limit, …)', 'full'],
  ['Batch job submission failed: Unable to contact slurm controller (connect failure)', 'full'],
  ['Batch job submission failed: Invalid job array specification', 'full'],
  ['Batch job submission failed: a sentence that nobody has seen', 'full'],
  ['Batch job submission failed: Socket timed out on send/recv operation', 'unknown'],
  ['Batch job submission failed: Zero Bytes were transmitted or received', 'unknown'],
] as const)('sbatch says %j: %s', (stderr, outcome) => {
  expect(ended(`sbatch: error: ${stderr}\n`)).toMatchObject({ outcome, reason: `Slurm: ${stderr}` });
});

it('what sbatch did not say is not known, and what was never sent was not submitted', () => {
  const ran = { code: null, stdout: '', stderr: '' };
  expect(outcomeOf({ ...ran, how: 'late' }).outcome).toBe('unknown');
  expect(outcomeOf({ ...ran, code: 0, stdout: 'something else\n', how: 'ended' }).outcome).toBe('unknown');
  expect(outcomeOf({ ...ran, how: 'missing' }).outcome).toBe('full');
  expect(outcomeOf({ ...ran, how: 'stopped', stderr: 'sbatch: error: Slurm temporarily unable' }).outcome).toBe('full');
  // by a script in the place of sbatch, whose own last step failed; by one whose complaint came late
  expect(outcomeOf({ code: 1, stdout: '123\n', stderr: 'cannot log', how: 'ended' }).outcome).toBe('unknown');
  expect(outcomeOf({ ...ran, stdout: '123\n', how: 'stopped' }).outcome).toBe('unknown');
  const accepted = { outcome: 'accepted', arrayJobId: '123' };
  expect(outcomeOf({ ...ran, code: 0, stdout: '123\n', how: 'ended' })).toEqual(accepted);
  expect(outcomeOf({ ...ran, code: 0, stdout: '123;cluster\n', how: 'ended' })).toEqual(accepted);
});

it('a full queue is tried after 1 s, 2 s … 60 s, each time with half, and given twice as much when it takes again', () => {
  let now = 0;
  const pressure = createPressure(() => now);
  expect([pressure.allowance, pressure.reason()]).toEqual([10_000, null]);
  const pauses: number[] = [];
  const allowances: number[] = [];
  for (let round = 0; round < 16; round += 1) {
    pressure.refused('Slurm is full', pressure.allowance);
    const begun = now;
    while (pressure.reason() !== null) now += 500;
    pauses.push((now - begun) / 1000);
    allowances.push(pressure.allowance);
  }
  expect(pauses.slice(0, 8)).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
  expect(allowances.slice(0, 3)).toEqual([5000, 2500, 1250]);
  expect(allowances.at(-1)).toBe(1);
  pressure.taken();
  pressure.taken();
  expect([pressure.allowance, pressure.reason()]).toEqual([4, null]);
  pressure.refused('slurmctld is down', 0);
  expect([pressure.allowance, pressure.reason()]).toEqual([4, 'slurmctld is down']);
});

it('a waiting task that is not there any more was cancelled, if nothing else can have taken it away', () => {
  let now = 0;
  const reign = { bootTime: 'monday', minJobAgeMs: 300_000, hasAccounting: false };
  const key = `${A}/2`;
  const seenWaiting = () => {
    const sightings = createSightings(() => now);
    sightings.look([key], parseSqueue(SQUEUE, both), reign, now);
    sightings.look([key], new Map(), reign, now);
    return sightings;
  };
  expect(seenWaiting().wasCancelled(key, reign)).toBe(true);
  expect(seenWaiting().wasCancelled(key, { ...reign, bootTime: 'tuesday' })).toBe(false);
  expect(seenWaiting().wasCancelled(`${A}/0`, reign)).toBe(false);
  const late = seenWaiting();
  now += 300_000;
  expect(late.wasCancelled(key, reign)).toBe(false);
  const submitted = createSightings(() => now);
  submitted.add([key], reign);
  expect(submitted.wasCancelled(key, reign)).toBe(true);
  // acknowledged while a look was under way, which did not ask for it
  submitted.look([], new Map(), reign, now - 1);
  expect(submitted.wasCancelled(key, reign)).toBe(true);
  submitted.look([], new Map(), reign, now);
  expect(submitted.wasCancelled(key, reign)).toBe(false);
  expect(createSightings(() => now).wasCancelled(key, { ...reign, bootTime: '' })).toBe(false);
});
