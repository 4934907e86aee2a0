import { ValidationPipe, type ArgumentMetadata, type ValidationError } from '@nestjs/common';
import { InvalidInputError, type ErrorDetail } from '#libs/common';
import { bodyErrors } from './body-guard.js';
import { restoreFreeJson } from './restore-free-json.js';
import { requireRead } from './unread-body.js';

/**
 * The pipe that checks every input against its DTO: members that a DTO does not name are refused, and everything
 * wrong is told at once as an {@link InvalidInputError} with paths such as `fields.0.slug`.
 *
 * @example app.useGlobalPipes(validationPipe());
 */
export function validationPipe(): ValidationPipe {
  return new InputPipe();
}

class InputPipe extends ValidationPipe {
  constructor() {
    super({
      transform: true,
      whitelist: true,
      forbidNonWhitelisted: true,
      exceptionFactory: (errors) => new InvalidInputError(errors.flatMap((error) => details(error))),
    });
  }

  override async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    if (metadata.type !== 'body') return super.transform(value, metadata);
    requireRead(value);
    const errors = bodyErrors(value);
    if (errors.length > 0) throw new InvalidInputError(errors);
    return restoreFreeJson(await super.transform(value, metadata), value);
  }
}

function details(error: ValidationError, prefix = ''): ErrorDetail[] {
  const path = `${prefix}${error.property.slice(0, 100)}`;
  const own = Object.entries(error.constraints ?? {}).map(([rule, message]) => ({
    path,
    message: wording(rule, message),
  }));
  return [...own, ...(error.children ?? []).flatMap((child) => details(child, `${path}.`))];
}

function wording(rule: string, message: string): string {
  if (rule === 'whitelistValidation') return 'There is no such member: check its spelling or leave it out.';
  return message.endsWith('.') ? message : `${message}.`;
}
