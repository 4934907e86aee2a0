import { QueryFailedError } from 'typeorm';
import { FieldsmithError } from '#libs/common';

/** Turns the refusal of a second pipeline with the same slug into `slug_taken`, 409. */
export async function orSlugTaken<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!isSlugTaken(error)) throw error;
    const detail = { path: 'slug', message: 'There is a pipeline with this slug already.' };
    throw new FieldsmithError('slug_taken', 'There is a pipeline with this slug already: choose another.', {
      status: 409,
      errors: [detail],
      cause: error,
    });
  }
}

function isSlugTaken(error: unknown): boolean {
  if (!(error instanceof QueryFailedError)) return false;
  return (error.driverError as { constraint?: string }).constraint === 'pipelines_slug';
}
