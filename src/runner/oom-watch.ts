/** Whether the kernel killed for want of memory in the cgroup that a scheduler has put us into. */
import { counterIn, readText } from './cgroup-files.js';
import { ownCgroups } from './cgroups.js';

export interface OomWatch {
  /** Since it was made. */
  hasKilled(): boolean;
}

export function createOomWatch(): OomWatch {
  const { v2, memory } = ownCgroups();
  const count = () =>
    (v2 === null ? 0 : (counterIn(readText(v2, 'memory.events'), 'oom_kill') ?? 0)) +
    (memory === null ? 0 : (counterIn(readText(memory, 'memory.oom_control'), 'oom_kill') ?? 0));
  const before = count();
  return { hasKilled: () => count() > before };
}
