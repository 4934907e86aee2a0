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
 * so that a row copied to another tenant is worthless. Older master keys open what they sealed, until it is sealed anew.
 */
export class SecretBox {
  /** Of the key that seals. */
  readonly keyId: string;
  private readonly keys: ReadonlyMap<string, Buffer>;

  /**
   * @param masterKey seals, and opens; 32 bytes.
   * @param previous only open.
   * @throws RangeError when one is of another size.
   */
  constructor(
    private readonly masterKey: Buffer,
    previous: readonly Buffer[] = [],
  ) {
    const all = [...previous, masterKey];
    if (all.some((key) => key.length !== 32)) throw new RangeError('A master key must be 32 bytes.');
    this.keyId = idOf(masterKey);
    this.keys = new Map(all.map((key) => [idOf(key), key]));
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
    const key = this.keys.get(secret.keyId);
    if (!key) throw unreadable(purpose, secret);
    try {
      const decipher = createDecipheriv('aes-256-gcm', key, secret.sealed.subarray(0, NONCE_BYTES));
      decipher.setAAD(associatedData(tenantId, purpose));
      decipher.setAuthTag(secret.sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
      const body = secret.sealed.subarray(NONCE_BYTES + TAG_BYTES);
      return Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8');
    } catch {
      throw unreadable(purpose, secret);
    }
  }
}

function idOf(masterKey: Buffer): string {
  return createHash('sha256').update('key-id').update(masterKey).digest('hex').slice(0, 8);
}

function unreadable(purpose: string, { keyId }: SealedSecret): FieldsmithError {
  return new FieldsmithError(
    'secret_unreadable',
    `The stored secret for ${purpose} cannot be read: put the master key it was stored under (id ${keyId}) into MASTER_KEY_PREVIOUS, or store the secret again.`,
  );
}

function associatedData(tenantId: string, purpose: string): Buffer {
  return Buffer.from(JSON.stringify([tenantId, purpose]));
}
