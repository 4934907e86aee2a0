import Handlebars from 'handlebars';
import { FieldsmithError, InvalidInputError, type Json } from '#libs/common';
import type { HostField } from '#libs/host';
import { formatItem, formatValue } from './format/format-value.js';
import { Meter, PROMPT_LIMITS, tooLarge } from './limits.js';
import { handlebarsHelpers, MARKS, METER, type Marks, type ProgramContext } from './program/blocks.js';
import { ALL_FIELDS, lower, type Program } from './program/lower.js';
import type { Read } from './program/references.js';
import { Names, type PromptScope } from './prompt-scope.js';
import { Faults } from './syntax/faults.js';
import { scan } from './syntax/scan.js';
import { buildTree } from './syntax/tree.js';
import { trimAroundTags } from './syntax/whitespace.js';

/** What a prompt is expanded with. */
export interface PromptInput {
  /** The record's values by slug. More than the prompt names does no harm: only what it names is read. */
  values: Readonly<Record<string, Json>>;
  /** The context variables by name. */
  variables?: Readonly<Record<string, Json>>;
  /** Slugs to leave out besides those excluded when it was compiled, such as an AI value made from an excluded field. */
  exclude?: ReadonlySet<string>;
  /**
   * What to put around everything that comes from values, so that a model can tell data from instructions. Choose
   * marks that no value can hold. Text of the template itself is never marked, and nothing where a value is empty.
   */
  marks?: Marks;
}

/** What a template reads, known when it is compiled. */
export interface PromptReads {
  /** Slugs of the fields that it names in any form, in the order of their first mention. */
  readonly references: readonly string[];
  /** Whether `{*}` or `<*>` occurs. */
  readonly usesAllFields: boolean;
  /** Every field that it can read: the references and what `{*}` covers. */
  readonly fields: readonly string[];
  /** Context variables that it names. */
  readonly variables: readonly string[];
  /**
   * What the values give to its text, and nothing else: of each name its text or its value as it goes in, of `{*}` its
   * lines. Equal inputs of one template expand to equal texts. Breaks no bound and refuses nothing.
   */
  inputs(input: Omit<PromptInput, 'marks'>): Record<string, Json>;
}

/** A checked template, ready to be expanded any number of times. */
export interface CompiledPrompt extends PromptReads {
  /**
   * The text of the prompt. Values are inserted as they are, and never read as template.
   *
   * @throws FieldsmithError `excluded_reference` where the template names a slug of `exclude`; `prompt_too_large`
   *   or `prompt_too_many_iterations` where it breaks a bound of `PROMPT_LIMITS`
   */
  expand(input: PromptInput): string;
}

/** A checked condition. */
export interface CompiledCondition extends PromptReads {
  /** Whether it expands to something other than nothing, `false` or `0`. Throws as `CompiledPrompt.expand`. */
  holds(input: PromptInput): boolean;
}

/**
 * Reads a template of the prompt language and checks every name in it.
 *
 * @throws InvalidInputError `invalid_prompt` with every error at once, each with its line and column and,
 *   for an unknown name, the nearest known ones; `prompt_too_large` for a template that is too long
 * @example
 * compilePrompt('Summarise {name}: {*}', { fields, variables: [] }).expand({ values: { name: 'Ada' } });
 */
export function compilePrompt(source: string, scope: PromptScope): CompiledPrompt {
  return new Template(source, scope);
}

/**
 * Reads a condition, such as `{is_active}` or `{{gt amount 1000}}`: a template of the same language, in which a
 * currency reads as its bare number so that an amount of zero does not hold.
 *
 * @throws InvalidInputError as {@link compilePrompt}
 */
export function compileCondition(source: string, scope: PromptScope): CompiledCondition {
  const fields = scope.fields.map((field) => (field.fieldType === 'currency' ? bareNumber(field) : field));
  const template = new Template(source, { ...scope, fields, path: scope.path ?? 'condition' });
  const { references, usesAllFields, fields: read, variables } = template;
  return {
    references,
    usesAllFields,
    fields: read,
    variables,
    inputs: (input) => template.inputs(input),
    holds: (input) => isTruthy(template.expand(input)),
  };
}

class Template implements CompiledPrompt {
  readonly references: readonly string[];
  readonly usesAllFields: boolean;
  readonly fields: readonly string[];
  readonly variables: readonly string[];
  private readonly reads: readonly Read[];
  private readonly covered: readonly HostField[];
  private readonly run: (context: ProgramContext) => string;
  /** Made when it is first wanted: most prompts are never marked. */
  private runMarked: ((context: ProgramContext) => string) | undefined;

  constructor(
    private readonly source: string,
    private readonly scope: PromptScope,
  ) {
    const names = new Names(scope);
    const program = parse(source, names, scope);
    this.reads = program.reads;
    this.usesAllFields = program.usesAllFields;
    this.covered = program.usesAllFields ? names.coveredByAll() : [];
    this.references = unique(program.reads.filter((read) => read.field).map((read) => read.name));
    this.variables = unique(program.reads.filter((read) => !read.field).map((read) => read.name));
    this.fields = unique([...this.references, ...this.covered.map((field) => field.slug)]);
    this.run = runnable(program);
  }

  expand(input: PromptInput): string {
    this.refuseExcluded(input.exclude);
    try {
      const run = input.marks ? this.marked() : this.run;
      const text = run(this.contextOf(input));
      if (text.length > PROMPT_LIMITS.outputChars) throw tooLarge();
      return text;
    } catch (error) {
      // The engine throws one where a text or the nesting of a value is beyond what it can hold.
      throw error instanceof RangeError ? tooLarge() : error;
    }
  }

  private marked(): (context: ProgramContext) => string {
    this.runMarked ??= runnable(parse(this.source, new Names(this.scope), this.scope, true));
    return this.runMarked;
  }

  private refuseExcluded(exclude: ReadonlySet<string> | undefined): void {
    const excluded = exclude && this.references.filter((slug) => exclude.has(slug));
    if (!excluded || excluded.length === 0) return;
    throw new FieldsmithError(
      'excluded_reference',
      `The prompt names ${excluded.map((slug) => JSON.stringify(slug)).join(', ')}, which is excluded here: take it out of the prompt.`,
      { status: 422 },
    );
  }

  inputs(input: Omit<PromptInput, 'marks'>): Record<string, Json> {
    return this.fill(Object.create(null), input);
  }

  private contextOf(input: PromptInput): ProgramContext {
    const context: ProgramContext = Object.create(null);
    context[METER] = new Meter();
    if (input.marks) context[MARKS] = input.marks;
    return this.fill(context, input);
  }

  private fill<T extends Record<string, unknown>>(
    context: T,
    { values, variables = {}, exclude }: PromptInput,
  ): T {
    const given: Record<string, unknown> = context;
    for (const { key, name, form, field } of this.reads) {
      if (field && exclude?.has(name)) continue;
      const value = own(field ? values : variables, name);
      if (form === 'value') given[key] = value;
      else given[key] = field ? formatValue(field, value) : formatItem(value);
    }
    if (this.usesAllFields) given[ALL_FIELDS] = this.lines(values, exclude);
    return context;
  }

  /** `Label: value` of each covered field that has a value: an empty line would only cost tokens. */
  private lines(values: PromptInput['values'], exclude: ReadonlySet<string> | undefined): string {
    let text = '';
    for (const field of this.covered) {
      if (exclude?.has(field.slug)) continue;
      const value = formatValue(field, own(values, field.slug));
      if (value !== '') text += `${text === '' ? '' : '\n'}${field.name}: ${value}`;
    }
    return text;
  }
}

function parse(source: string, names: Names, { path = 'prompt' }: PromptScope, marked = false): Program {
  if (source.length > PROMPT_LIMITS.templateChars) throw templateTooLong(source.length, path);
  const faults = new Faults(source, path);
  const tokens = scan(source, (name) => names.isKnown(name), faults);
  const program = lower(buildTree(source, trimAroundTags(tokens), faults), names, faults, marked);
  faults.throwIfAny();
  return program;
}

function templateTooLong(length: number, path: string): InvalidInputError {
  const [is, most] = [length, PROMPT_LIMITS.templateChars].map((chars) => chars.toLocaleString('en-US'));
  const message = `The template has ${is} characters; at most ${most} are allowed.`;
  return new InvalidInputError([{ path, message }], 'prompt_too_large');
}

/** Without helpers of its own, because Handlebars wraps all it knows anew at every run: a program brings those it uses. */
const engine = Handlebars.create();
for (const name of Object.keys(engine.helpers)) engine.unregisterHelper(name);

function runnable({ ast, helpers: used }: Program): (context: ProgramContext) => string {
  const helpers = handlebarsHelpers(used);
  const knownHelpers = Object.fromEntries([...used].map((name) => [name, true])) as KnownHelpers;
  const template = engine.compile<ProgramContext>(ast, {
    knownHelpers,
    knownHelpersOnly: true,
    noEscape: true,
    data: false,
  });
  const options = { helpers, allowProtoPropertiesByDefault: false, allowProtoMethodsByDefault: false };
  return (context) => template(context, options);
}

function own(values: Readonly<Record<string, Json>>, name: string): Json | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}

function bareNumber(field: HostField): HostField {
  return { ...field, fieldType: 'number' };
}

function isTruthy(expanded: string): boolean {
  const text = expanded.trim();
  return text !== '' && text !== 'false' && text !== '0';
}
