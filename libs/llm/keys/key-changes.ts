import { EventEmitter } from 'node:events';
import { Injectable } from '@nestjs/common';

/**
 * `replaced`: a tenant stored or removed a key of its own, so what it waited for may be another key now. `failed`,
 * `mended`: a call with the key of this id was refused; it works again.
 */
export type KeyChange =
  { what: 'replaced'; tenantId: string; provider: string } | { what: 'failed' | 'mended'; keyId: string };

/** Tells whoever remembers keys, or lets jobs wait for them, that one has changed in this process. */
@Injectable()
export class KeyChanges {
  private readonly emitter = new EventEmitter();

  subscribe(listener: (change: KeyChange) => void): void {
    this.emitter.on('change', listener);
  }

  tell(change: KeyChange): void {
    this.emitter.emit('change', change);
  }
}
