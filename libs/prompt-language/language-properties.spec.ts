import fc from 'fast-check';
import Handlebars from 'handlebars';
import { canonicalJson, FieldsmithError, InvalidInputError, type Json } from '#libs/common';
import { FIELD_TYPES, type HostField } from '#libs/host';
import { compilePrompt } from './compile-prompt.js';
import type { PromptScope } from './prompt-scope.js';

const SECRET = 'S3CR3T-VALUE';
const fields: HostField[] = [
  ...FIELD_TYPES.map((fieldType) => ({ slug: `my_${fieldType}`, name: fieldType, fieldType })),
  { slug: 'a', name: 'A', fieldType: 'text' },
  { slug: 'xs', name: 'Xs', fieldType: 'json' },
  { slug: 'ssn', name: 'SSN', fieldType: 'text' },
];
const scope: PromptScope = {
  fields,
  variables: ['v'],
  excluded: new Map([['ssn', 'it is on the deny list']]),
};

const json = fc.jsonValue() as fc.Arbitrary<Json>;
const values = fc
  .dictionary(fc.constantFrom(...fields.map((field) => field.slug)), json)
  .map((some) => ({ ...some, ssn: SECRET }));

/** Pieces of the language, right and wrong, in any order. */
const garbage = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 5 }),
      fc.constantFrom(
        ...[
          '{',
          '}',
          '{{',
          '}}',
          '{{{',
          '}}}',
          '<',
          '>',
          '</a>',
          '\\',
          '~',
          '#',
          '/',
          '!',
          '"',
          "'",
          '(',
          ')',
          '[',
          ']',
          '|',
        ],
        ...[
          'a',
          'xs',
          'ssn',
          'v',
          '*',
          '.',
          '..',
          '../',
          './',
          '@',
          '@root',
          '@index',
          'this',
          'this.',
          'lookup ',
          '__proto__',
        ],
        ...[
          '{a}',
          '<a>',
          '{*}',
          '{ssn}',
          '{{a}}',
          '{{#if a}}',
          '{{#each xs}}',
          '{{#each this}}',
          '{{#with xs}}',
          '{{else}}',
        ],
        ...[
          '{{/if}}',
          '{{/each}}',
          '{{/with}}',
          '{{this}}',
          '{{json this}}',
          '{{json ..}}',
          '{{../a}}',
          '{{upper ',
          '(not ',
          ' ',
          '\n',
        ],
      ),
    ),
    { maxLength: 14 },
  )
  .map((pieces) => pieces.join(''));

/** Templates that are right, with loops over values of any shape. */
const { template } = fc.letrec<{ template: string; node: string }>((tie) => ({
  template: fc.array(tie('node'), { maxLength: 4 }).map((nodes) => nodes.join('')),
  node: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(
      '{a}',
      '<my_number>',
      '{*}',
      '{{v}}',
      ' text\n',
      '{"k": {xs}}',
      '{{json xs}}',
      '{{xs.a.0}}',
      '{{length v}}',
    ),
    fc.constantFrom(
      ...fields.filter(({ slug }) => slug !== 'ssn').map(({ slug }) => `{${slug}}{{upper ${slug}}}`),
    ),
    fc.constantFrom(
      '{{gt a v}}',
      '{{join xs a}}',
      '{{number v 2}}',
      '{{truncate a v}}',
      '{{date v "YYYY"}}',
      '{{default xs a}}',
    ),
    tie('template').map((inner) => `{{#if xs}}${inner}{{else}}${inner}{{/if}}`),
    tie('template').map((inner) => `{{#each xs}}${inner}{{this}}{{@key}}{{../a}}{a}{{b.c}}{{/each}}`),
    tie('template').map((inner) => `{{#with v}}{{this}}{{x}}{{/with}}${inner}`),
  ),
}));

function compiled(source: string) {
  try {
    return compilePrompt(source, scope);
  } catch (error) {
    if (error instanceof InvalidInputError && error.code === 'invalid_prompt') return undefined;
    throw error;
  }
}

describe('the prompt language', () => {
  it('leaves a text without braces and angle brackets as it is', () => {
    const plain = fc.string({ unit: 'binary', maxLength: 200 }).map((text) => text.replace(/[{<]/g, ''));
    fc.assert(
      fc.property(plain, (text) => expect(compilePrompt(text, scope).expand({ values: {} })).toBe(text)),
    );
  });

  it('leaves every JSON document as it is, unless a text in it holds a form of the language', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 2), (value, indent) => {
        const document = JSON.stringify(value, undefined, indent);
        fc.pre(!/\{\{|\{(\*|\w+)\}|<(\*|\w+)>/.test(document));
        expect(compilePrompt(document, scope).expand({ values: {} })).toBe(document);
      }),
    );
  });

  it('never reads a value as template', () => {
    fc.assert(
      fc.property(garbage, (value) => {
        const prompt = compilePrompt('{a}|<a>|{{a}}|{{#each xs}}{{this}}{{/each}}', scope);
        expect(prompt.expand({ values: { a: value, xs: [value] } })).toBe(
          [value, value, value, value].join('|'),
        );
      }),
    );
  });

  it('throws nothing but invalid_prompt, whatever it is given to compile', () => {
    fc.assert(
      fc.property(fc.oneof(garbage, fc.string({ unit: 'binary' })), (source) => {
        compiled(source);
      }),
      { numRuns: 2000 },
    );
  });

  it('never lets an excluded value out, whatever the template', () => {
    fc.assert(
      fc.property(fc.oneof(garbage, template), values, (source, input) => {
        const prompt = compiled(source);
        expect(prompt?.references ?? []).not.toContain('ssn');
        expect(prompt?.expand({ values: input, variables: { v: 1 } }) ?? '').not.toContain(SECRET);
      }),
      { numRuns: 1000 },
    );
  });

  it('expands every right template to a text, reading only the fields it tells of', () => {
    fc.assert(
      fc.property(template, values, json, (source, input, v) => {
        const prompt = compilePrompt(source, scope);
        const told = Object.fromEntries(
          Object.entries(input).filter(([slug]) => prompt.fields.includes(slug)),
        );
        const run = (given: Record<string, Json>) =>
          outcome(() => prompt.expand({ values: given, variables: { v } }));
        expect(run(told)).toBe(run(input));
      }),
      { numRuns: 500 },
    );
  });

  it('expands to equal texts where its inputs are equal', () => {
    fc.assert(
      fc.property(template, values, values, fc.boolean(), json, (source, input, other, mixed, v) => {
        const prompt = compilePrompt(source, scope);
        const [one, two] = [input, mixed ? { ...other, ...input } : other].map((some) => ({
          values: some,
          variables: { v },
        }));
        fc.pre(canonicalJson(prompt.inputs(one!)) === canonicalJson(prompt.inputs(two!)));
        expect(outcome(() => prompt.expand(one!))).toBe(outcome(() => prompt.expand(two!)));
      }),
    );
  });

  it('leaves out of {*} whatever is excluded at expansion', () => {
    fc.assert(
      fc.property(values, fc.subarray(fields.map((field) => field.slug)), (input, slugs) => {
        const prompt = compilePrompt('{*}', scope);
        const without = Object.fromEntries(Object.entries(input).filter(([slug]) => !slugs.includes(slug)));
        expect(prompt.expand({ values: input, exclude: new Set(slugs) })).toBe(
          prompt.expand({ values: without }),
        );
      }),
    );
  });

  it('agrees with Handlebars where both have the same syntax', () => {
    const { handlebars } = fc.letrec<{ handlebars: string; node: string }>((tie) => ({
      handlebars: fc.array(tie('node'), { maxLength: 5 }).map((nodes) => nodes.join('')),
      node: fc.oneof(
        { maxDepth: 2 },
        fc.constantFrom(
          '\n',
          ' ',
          '\t',
          '\r\n',
          'text',
          ' \n ',
          '{{a}}',
          '{{~a}}',
          '{{a~}}',
          '{{! c }}',
          '{{!-- {{a}} --~}}',
        ),
        fc
          .tuple(tie('handlebars'), fc.constantFrom('', '~'), fc.constantFrom('', '~'))
          .map(([inner, left, right]) => `{{${left}#if a}}${inner}{{else${right}}}${inner}{{/if}}`),
        tie('handlebars').map((inner) => `{{#unless a}}${inner}{{~^~}}\n${inner}{{/unless~}}`),
        tie('handlebars').map((inner) => `{{#if b}}x{{else if a}}\n${inner}\n{{/if}}`),
        tie('handlebars').map((inner) => `{{#each xs}}${inner}{{this}}{{@index}}{{else}}${inner}{{/each}}`),
      ),
    }));
    const two: PromptScope = { fields: [], variables: ['a', 'b', 'xs'] };
    fc.assert(
      fc.property(handlebars, fc.constantFrom('', 'A'), fc.subarray(['p', 'q']), (source, a, xs) => {
        const variables = { a, b: '', xs };
        // Inside a loop a bare name is a part of the item for both; ours has none on a text.
        const theirs = Handlebars.compile(source, { noEscape: true })(variables);
        expect(compilePrompt(source, two).expand({ values: {}, variables })).toBe(theirs);
      }),
      { numRuns: 500 },
    );
  });
});

/** The text, or the code of a documented error. */
function outcome(run: () => string): string {
  try {
    return run();
  } catch (error) {
    if (error instanceof FieldsmithError && error.code.startsWith('prompt_too_')) return error.code;
    throw error;
  }
}
