import { ValidateBy } from 'class-validator';
import { centsProblem } from './money.js';

/** Property decorator: US cents as {@link centsProblem} has them, so that `centsToNano` takes them. */
export function IsCents(): PropertyDecorator {
  const validator = {
    validate: (value: unknown) => centsProblem(value) === undefined,
    defaultMessage: () => centsProblem(undefined)!,
  };
  return ValidateBy({ name: 'isCents', validator });
}
