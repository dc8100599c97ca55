/** The schema that types parameters given as text. */

import type { ParamsSchema } from '../client/params.js';
import { RepriseError } from '../contract/errors.js';
import type { VersionOptions } from './options.js';
import type { Session } from './session.js';

/** Null where there is none, or where the submission will say better why not. */
export async function methodSchema(session: Session, method: string, o: VersionOptions): Promise<ParamsSchema> {
  const [module, name, ...more] = method.split('.');
  if (!module || !name || more.length > 0) return null;
  const version = o.commit ?? o.tag;
  try {
    const found = await session.call('getMethod', { module, method: name, ...(version !== undefined && { version }) });
    return found.params_schema;
  } catch (error) {
    const { code } = error as RepriseError;
    if (!(error instanceof RepriseError) || code === 'UNAVAILABLE' || code === 'UNAUTHENTICATED') throw error;
    return null;
  }
}
