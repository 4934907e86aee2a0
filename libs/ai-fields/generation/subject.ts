/** What a generation works on: one field of one record. */
export function subjectOf(recordId: string, field: string): string {
  return `${recordId}:${field}`;
}

/** The type of job that generates the value of a field. */
export const FIELD_GENERATION = 'field_generation';
