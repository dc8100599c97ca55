/**
 * Sealed texts: AES-256-GCM with a fresh nonce each, so that what is stored tells nothing and can not be changed unseen.
 * A sealed text is nonce (12 bytes), tag (16 bytes), cipher text.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const NONCE = 12;
const TAG = 16;
export const SEAL_KEY_BYTES = 32;

export interface Seal {
  close(text: string): Uint8Array;
  /** Throws for what was not sealed with this key, or was changed. */
  open(sealed: Uint8Array): string;
}

export function createSeal(key: Uint8Array): Seal {
  if (key.length !== SEAL_KEY_BYTES) {
    throw new RangeError(`the key that seals tokens has ${key.length} bytes; it must have ${SEAL_KEY_BYTES}`);
  }
  return {
    close(text) {
      const nonce = randomBytes(NONCE);
      const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG });
      const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
    },
    open(sealed) {
      const bytes = Buffer.from(sealed);
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE), { authTagLength: TAG });
      decipher.setAuthTag(bytes.subarray(NONCE, NONCE + TAG));
      return Buffer.concat([decipher.update(bytes.subarray(NONCE + TAG)), decipher.final()]).toString('utf8');
    },
  };
}
