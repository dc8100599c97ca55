/** Who asks for something about people, and what the admin role lets them do. */
import { RepriseError } from '../contract/errors.js';

/** What the transports hand over; `asAdmin` is a wish that is refused to those without the role. */
export interface Caller {
  readonly user: string;
  readonly admin: 'none' | 'read' | 'write';
  readonly asAdmin: boolean;
}

/** For calls that have the switch: whether it is in force. The sentences are those of the jobs' calls. */
export function usesAdmin(caller: Caller, level: 'read' | 'write'): boolean {
  if (!caller.asAdmin) return false;
  if (caller.admin === 'none') {
    const tail = level === 'write' ? '. AdminPermissions.NONE' : '';
    throw new RepriseError('FORBIDDEN', `Access Denied: You are not an administrator${tail}`);
  }
  if (level === 'write' && caller.admin === 'read') {
    const sentence = 'Access Denied: You are a read-only admin. This function requires write access';
    throw new RepriseError('FORBIDDEN', sentence);
  }
  return true;
}

/** Letters, digits and `._@+-`: safe in a path, a shell and a log line; never the `*` that stands for everyone. */
const USER_NAME = /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$/;

export function checkUserName(user: string): void {
  if (USER_NAME.test(user)) return;
  throw new RepriseError(
    'INVALID_INPUT',
    `${JSON.stringify(user)} is not a user name: up to 100 letters, digits and . _ @ + -, beginning with a letter or digit`,
  );
}

const CONTROL = /\p{Cc}/u;

/** A name that people give to a thing: returned without blanks around it. */
export function checkedLabel(what: string, label: string): string {
  const trimmed = label.trim();
  if (trimmed !== '' && trimmed.length <= 200 && !CONTROL.test(trimmed)) return trimmed;
  throw new RepriseError(
    'INVALID_INPUT',
    `the name of a ${what} has 1 to 200 characters, none of them a control character; choose another`,
  );
}
