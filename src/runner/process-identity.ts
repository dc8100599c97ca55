/** A process by a name that no other one has: `<pid>.<start time>.<pid namespace>`, and of which machine. */
import { readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { isAlive, startTimeOf } from './tree.js';

export interface Identity {
  readonly host: string;
  readonly pid: number;
  readonly startTime: string;
  readonly namespace: string;
}

const SHAPE = /^(\d+)\.(\d+)\.(\d+)@(.*)$/;
let known: string | undefined;

/** `4711.88123.4026531836@node7` */
export function self(): string {
  known ??= `${process.pid}.${startTimeOf(process.pid)}.${namespace()}@${hostname()}`;
  return known;
}

let made = 0;

/** What no other process makes: without node:crypto, which takes 4 ms of cpu to load. */
export function uniqueName(): string {
  made += 1;
  return `${self()}-${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}-${made}`;
}

export function identityOf(text: string): Identity | null {
  const found = SHAPE.exec(text.trim());
  if (found === null) return null;
  const [, pid = '', startTime = '', ofNamespace = '', host = ''] = found;
  return { host, pid: Number(pid), startTime, namespace: ofNamespace };
}

/** Only of a process that could be seen from here. */
export function isDead(one: Identity | null): boolean {
  if (one === null || one.host !== hostname() || one.namespace !== namespace()) return false;
  return startTimeOf(one.pid) !== one.startTime || !isAlive(one.pid);
}

/** In a container there are other pids than outside; one without /proc sees no processes but itself. */
function namespace(): string {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0';
  } catch {
    return '0';
  }
}
