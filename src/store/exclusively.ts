/** `Db.exclusively` for a database that has one server. */
import type { Db } from './db.js';

export function createExclusively(): Db['exclusively'] {
  const held = new Set<string>();
  return async (name, work) => {
    if (held.has(name)) return false;
    held.add(name);
    try {
      await work();
      return true;
    } finally {
      held.delete(name);
    }
  };
}
