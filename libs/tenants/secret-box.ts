import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { FieldsmithError } from '#libs/common';

/** A secret as it is stored. */
export interface SealedSecret {
  /** Which master key sealed it. */
  keyId: string;
  /** Nonce, tag and ciphertext. */
  sealed: Buffer;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Seals secrets with AES-256-GCM. A sealed secret opens only for the tenant and the purpose it was sealed for,
 * so that a row copied to another tenant is worthless.
 */
export class SecretBox {
  readonly keyId: string;

  /** @param masterKey 32 bytes. @throws RangeError when it is of another size. */
  constructor(private readonly masterKey: Buffer) {
    if (masterKey.length !== 32) throw new RangeError('The master key must be 32 bytes.');
    this.keyId = createHash('sha256').update('key-id').update(masterKey).digest('hex').slice(0, 8);
  }

  seal(tenantId: string, purpose: string, secret: string): SealedSecret {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.masterKey, nonce);
    cipher.setAAD(associatedData(tenantId, purpose));
    const body = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
    return { keyId: this.keyId, sealed: Buffer.concat([nonce, cipher.getAuthTag(), body]) };
  }

  /** @throws FieldsmithError `secret_unreadable` when key, tenant, purpose or bytes do not fit. */
  open(tenantId: string, purpose: string, secret: SealedSecret): string {
    try {
      const decipher = createDecipheriv(
        'aes-256-gcm',
        this.masterKey,
        secret.sealed.subarray(0, NONCE_BYTES),
      );
      decipher.setAAD(associatedData(tenantId, purpose));
      decipher.setAuthTag(secret.sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
      const body = secret.sealed.subarray(NONCE_BYTES + TAG_BYTES);
      return Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8');
    } catch {
      throw new FieldsmithError(
        'secret_unreadable',
        `The stored secret for ${purpose} cannot be read with this MASTER_KEY: set the key it was stored under (id ${secret.keyId}) or store the secret again.`,
      );
    }
  }
}

function associatedData(tenantId: string, purpose: string): Buffer {
  return Buffer.from(JSON.stringify([tenantId, purpose]));
}
