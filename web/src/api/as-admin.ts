/** Admin power is used by a switch, as on the wire. It is this tab's, and off in a new one. */
import { useSyncExternalStore } from 'react';

const KEY = 'reprise.as-admin';
const listeners = new Set<() => void>();

export const asAdmin = (): boolean => sessionStorage.getItem(KEY) === '1';

export function setAsAdmin(on: boolean): void {
  if (on) sessionStorage.setItem(KEY, '1');
  else sessionStorage.removeItem(KEY);
  for (const listener of listeners) listener();
}

export function useAsAdmin(): boolean {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, asAdmin);
}
