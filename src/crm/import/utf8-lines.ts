import { Transform, type TransformCallback } from 'node:stream';
import { FieldsmithError } from '#libs/common';

/**
 * Decodes UTF-8, drops a byte order mark and writes every line break as `\n`, so that lines can be counted inside of
 * quotes too. Anything that is not UTF-8 is an error, not a replacement character in somebody's name.
 */
export class Utf8Lines extends Transform {
  private readonly decoder = new TextDecoder('utf-8', { fatal: true });
  private heldReturn = '';

  constructor() {
    super({ readableObjectMode: false, decodeStrings: true });
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.emitText(() => this.decoder.decode(chunk, { stream: true }), false, done);
  }

  override _flush(done: TransformCallback): void {
    this.emitText(() => this.decoder.decode(), true, done);
  }

  private emitText(decode: () => string, isLast: boolean, done: TransformCallback): void {
    let text: string;
    try {
      text = this.heldReturn + decode();
    } catch {
      return done(notUtf8());
    }
    // A return at the end may be half of a Windows line break.
    this.heldReturn = !isLast && text.endsWith('\r') ? '\r' : '';
    const whole = this.heldReturn ? text.slice(0, -1) : text;
    done(null, Buffer.from(whole.replace(/\r\n?/g, '\n')));
  }
}

function notUtf8(): FieldsmithError {
  const message = 'The file is not UTF-8: save it as "CSV UTF-8" and import it again.';
  return new FieldsmithError('csv_malformed', message, { status: 422 });
}
