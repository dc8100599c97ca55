/** What a run is put into: opened by who may run something, and by nobody else. */
import { expect, it } from 'vitest';
import { noCgroups, openAtFirstRun } from '../../src/runner/cgroups.js';

function traced() {
  const calls: string[] = [];
  const cgroups = openAtFirstRun(() => {
    calls.push('open');
    return { ...noCgroups(''), close: () => calls.push('close') };
  });
  return { calls, cgroups };
}

it('a process that runs nothing opens nothing and removes nothing: another may be running what it was refused', () => {
  const { calls, cgroups } = traced();
  cgroups.close();
  expect(calls).toEqual([]);
});

it('the first run opens it, and what is open is closed', () => {
  const { calls, cgroups } = traced();
  cgroups.take('a', 10).release();
  cgroups.take('b', 10).release();
  cgroups.close();
  expect(calls).toEqual(['open', 'close']);
});
