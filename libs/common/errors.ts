/** One thing wrong with one part of an input. `path` is a JSON-pointer-like path such as `ai_config.prompt`. */
export interface ErrorDetail {
  path: string;
  message: string;
}

export interface ErrorOptions {
  /** HTTP status that fits the error where it reaches a client; default 500. */
  status?: number;
  /** Every single thing that is wrong, when there may be more than one. */
  errors?: ErrorDetail[];
  cause?: unknown;
}

/**
 * An error with a stable, documented `code`. Its message is written for the person who caused it: it names
 * the field and the remedy, and never holds a secret or a field value.
 *
 * @example
 * throw new FieldsmithError('version_conflict', 'The record was changed meanwhile: reload it.', { status: 409 });
 */
export class FieldsmithError extends Error {
  readonly code: string;
  readonly status: number;
  readonly errors: ErrorDetail[];

  constructor(code: string, message: string, options: ErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.name = 'FieldsmithError';
    this.code = code;
    this.status = options.status ?? 500;
    this.errors = options.errors ?? [];
  }
}

/** An input that does not fit; status 422. Collects everything that is wrong, not just the first. */
export class InvalidInputError extends FieldsmithError {
  constructor(errors: ErrorDetail[], code = 'invalid_input') {
    super(code, summary(errors), { status: 422, errors });
  }
}

/** Something that is not there for this tenant; status 404. Says nothing about other tenants. */
export class NotFoundError extends FieldsmithError {
  constructor(what: string, id: string) {
    super('not_found', `There is no ${what} ${JSON.stringify(id.slice(0, 100))} here.`, { status: 404 });
  }
}

function summary(errors: ErrorDetail[]): string {
  const [first] = errors;
  if (!first) return 'The input is not valid.';
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  return `${first.path ? `${first.path}: ` : ''}${first.message}${more}`;
}
