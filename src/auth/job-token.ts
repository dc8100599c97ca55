/**
 * Tokens that are good for one dispatch: `rpd_<dispatch id>_<HMAC-SHA256>`. They are computed, never stored: a server
 * that restarts knows them as long as it has the same secret, and a dispatch that was closed makes its token worthless.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { isJobId } from '../contract/ids.js';

const PREFIX = 'rpd_';
const SHAPE = /^rpd_([0-9a-f]{24})_([0-9A-Za-z_-]{43})$/;
const SMALLEST_SECRET = 32;

export interface DispatchTokens {
  mint(dispatchId: string): string;
  /** The dispatch id, or null for a token that is not ours. */
  verify(token: string): string | null;
}

/** `secret`: at least 32 random bytes that every replica shares. */
export function createDispatchTokens(secret: Uint8Array): DispatchTokens {
  if (secret.length < SMALLEST_SECRET) {
    throw new RangeError(`the secret of dispatch tokens has ${secret.length} bytes; it must have ${SMALLEST_SECRET}`);
  }
  const mint = (dispatchId: string) => {
    if (!isJobId(dispatchId)) throw new RangeError(`'${dispatchId}' is not the id of a dispatch`);
    return `${PREFIX}${dispatchId}_${signatureOf(secret, dispatchId)}`;
  };
  return {
    mint,
    verify(token) {
      const dispatchId = SHAPE.exec(token)?.[1];
      if (dispatchId === undefined) return null;
      // both have the length that SHAPE gives them; comparing texts leaves one spelling of a signature
      return timingSafeEqual(Buffer.from(token), Buffer.from(mint(dispatchId))) ? dispatchId : null;
    },
  };
}

function signatureOf(secret: Uint8Array, dispatchId: string): string {
  return createHmac('sha256', secret).update(`reprise dispatch ${dispatchId}`).digest('base64url');
}
