import { isId, type ErrorDetail } from '#libs/common';
import { FIELD_TYPES, type FieldOptions, type FieldType } from '#libs/host';
import { isUnstorable } from '../values/text-formats.js';

export const MAX_FIELDS = 200;
const MAX_CHOICES = 500;
const MAX_CHOICE = 200;

const OPTION_OF: Partial<Record<FieldType, keyof FieldOptions>> = {
  select: 'choices',
  multi_select: 'choices',
  currency: 'currency',
  relation: 'pipeline_id',
};

/** Types that a field may become: every value it can hold is a value of the new type as well. */
const MAY_BECOME: Record<FieldType, readonly FieldType[]> = {
  text: ['textarea'],
  textarea: [],
  number: ['currency'],
  currency: ['number'],
  boolean: [],
  date: ['text', 'textarea'],
  select: ['text', 'textarea'],
  multi_select: [],
  email: ['text', 'textarea'],
  phone: ['text', 'textarea'],
  url: ['text', 'textarea'],
  relation: [],
  json: [],
  ai_generated: [],
};

/** What a field definition says, as far as its type decides whether it is right. */
export interface FieldDefinition {
  fieldType: FieldType;
  required: boolean;
  options: Record<string, unknown>;
  hasAiConfig: boolean;
}

/** Everything wrong with a field definition; paths are relative to the field. */
export function fieldErrors(field: FieldDefinition): ErrorDetail[] {
  const errors = optionErrors(field);
  const isAi = field.fieldType === 'ai_generated';
  if (isAi && !field.hasAiConfig)
    errors.push({ path: 'ai_config', message: 'An AI field needs an ai_config.' });
  if (!isAi && field.hasAiConfig) {
    errors.push({ path: 'ai_config', message: 'Only a field of type ai_generated has an ai_config.' });
  }
  if (isAi && field.required) {
    errors.push({
      path: 'required',
      message: 'An AI field cannot be required: a new record has no value of it yet.',
    });
  }
  return errors;
}

/** Whether a field may change its type; the message names the types it may change to. */
export function typeChangeErrors(from: FieldType, to: FieldType): ErrorDetail[] {
  if (from === to || MAY_BECOME[from].includes(to)) return [];
  const allowed = FIELD_TYPES.filter((type) => MAY_BECOME[from].includes(type));
  const remedy = allowed.length > 0 ? `it can become ${allowed.join(' or ')}` : 'its type cannot be changed';
  return [
    {
      path: 'field_type',
      message: `A field of type ${from} cannot become ${to}: ${remedy}; or add a new field.`,
    },
  ];
}

function optionErrors({ fieldType, options }: FieldDefinition): ErrorDetail[] {
  const own = OPTION_OF[fieldType];
  const foreign = Object.keys(options).filter((name) => name !== own);
  const errors = foreign.slice(0, 20).map((name) => ({
    path: `options.${name.slice(0, 100)}`,
    message: `A field of type ${fieldType} has ${own ? `only the option ${own}` : 'no options'}.`,
  }));
  const message = own && ownOptionProblem(own, options[own]);
  return message ? [...errors, { path: `options.${own}`, message }] : errors;
}

function ownOptionProblem(name: keyof FieldOptions, value: unknown): string | undefined {
  switch (name) {
    case 'choices':
      return choicesProblem(value);
    case 'currency':
      return value === undefined || (typeof value === 'string' && /^[A-Z]{3}$/.test(value))
        ? undefined
        : 'Must be an ISO 4217 code such as EUR.';
    case 'pipeline_id':
      return isId(value) ? undefined : 'Must be the id of the pipeline that the field points into.';
  }
}

function choicesProblem(value: unknown): string | undefined {
  if (!Array.isArray(value) || value.length === 0) return 'Must be a list of at least one choice.';
  if (value.length > MAX_CHOICES) return `At most ${MAX_CHOICES} choices.`;
  const isChoice = (choice: unknown) =>
    typeof choice === 'string' && choice.trim() === choice && choice !== '' && choice.length <= MAX_CHOICE;
  if (!value.every((choice) => isChoice(choice) && !isUnstorable(choice as string))) {
    return `Each choice must be a text of 1 to ${MAX_CHOICE} characters without spaces at its ends.`;
  }
  return new Set(value).size === value.length ? undefined : 'Names a choice twice.';
}
