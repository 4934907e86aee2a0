import { FieldsmithError } from '#libs/common';

/** Bounds of the language; one that is broken is an error, never a silent cut. */
export const PROMPT_LIMITS = {
  /** Characters of a template. */
  templateChars: 100_000,
  /** Characters of an expanded prompt, and of all texts that helpers read or make on the way to it. */
  outputChars: 1_000_000,
  /** Rounds of all `{{#each}}` loops of one expansion together. */
  iterations: 10_000,
  /** Tags evaluated inside loops in one expansion: rounds times the tags of the loop's body. */
  loopTags: 1_000_000,
  /** Placeholders, tags and arguments of a template. */
  tags: 2_000,
  /** Blocks, `{{else if}}` branches or brackets inside one another. */
  nesting: 50,
  /** Errors listed for one template; a last one says how many more there are. */
  errors: 100,
} as const;

/** Thrown where an expansion would be larger than {@link PROMPT_LIMITS} allow; status 422. */
export function tooLarge(): FieldsmithError {
  const limit = PROMPT_LIMITS.outputChars.toLocaleString('en-US');
  return new FieldsmithError(
    'prompt_too_large',
    `The expanded prompt is larger than ${limit} characters: name fewer fields, or shorten them with {{truncate}}.`,
    { status: 422 },
  );
}

/** What one expansion has used of its bounds so far. */
export class Meter {
  private chars = 0;
  private rounds = 0;
  private tags = 0;

  /** @throws FieldsmithError `prompt_too_large` */
  spend(chars: number): void {
    this.chars += chars;
    if (this.chars > PROMPT_LIMITS.outputChars) throw tooLarge();
  }

  /**
   * Counts one round of a loop whose body holds so many tags.
   *
   * @throws FieldsmithError `prompt_too_many_iterations`
   */
  round(tags: number): void {
    this.rounds += 1;
    this.tags += tags;
    if (this.rounds <= PROMPT_LIMITS.iterations && this.tags <= PROMPT_LIMITS.loopTags) return;
    throw new FieldsmithError(
      'prompt_too_many_iterations',
      `The loops of the prompt run more than ${PROMPT_LIMITS.iterations.toLocaleString('en-US')} times in all: loop over shorter lists.`,
      { status: 422 },
    );
  }
}
