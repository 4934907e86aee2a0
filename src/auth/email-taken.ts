import { QueryFailedError } from 'typeorm';
import { FieldsmithError } from '#libs/common';

/** Turns the refusal of a second user with the same e-mail into `email_taken`, 409. Addresses are unique over all tenants. */
export async function orEmailTaken<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!isEmailTaken(error)) throw error;
    const detail = { path: 'email', message: 'There is a user with this e-mail already.' };
    throw new FieldsmithError(
      'email_taken',
      'There is a user with this e-mail already: sign in, or use another.',
      {
        status: 409,
        errors: [detail],
        cause: error,
      },
    );
  }
}

function isEmailTaken(error: unknown): boolean {
  if (!(error instanceof QueryFailedError)) return false;
  return (error.driverError as { constraint?: string }).constraint === 'users_email';
}
