import { FieldsmithError, InvalidInputError } from '#libs/common';
import { booleanParser } from './boolean-parser.js';
import { multiSelectParser, selectParser } from './choice-parsers.js';
import { dateParser } from './date-parser.js';
import { jsonParser, structuredParser } from './json-parsers.js';
import { numberParser } from './number-parser.js';
import type { Parser } from './parser.js';
import { SchemaValidators } from './schema-validators.js';
import { htmlParser, markdownParser, textParser } from './text-parsers.js';
import { xmlParser } from './xml-parser.js';
import { yamlParser } from './yaml-parser.js';

/**
 * The output types there are. A host adds its own at boot.
 *
 * @example createParserRegistry().register(isbnParser).get('isbn').parse('978-3-16-148410-0', {})
 */
export class ParserRegistry {
  private readonly parsers = new Map<string, Parser>();

  /** @throws FieldsmithError `duplicate_parser` when the output type has a parser already */
  register(parser: Parser): this {
    if (this.parsers.has(parser.outputType)) {
      const message = `The output type ${parser.outputType} has a parser already: register yours under another name.`;
      throw new FieldsmithError('duplicate_parser', message);
    }
    this.parsers.set(parser.outputType, parser);
    return this;
  }

  /** @throws InvalidInputError naming the known output types */
  get(outputType: string): Parser {
    const parser = this.parsers.get(outputType);
    if (parser) return parser;
    const message = `unknown output type ${JSON.stringify(outputType.slice(0, 60))}: use one of ${this.names().join(', ')}`;
    throw new InvalidInputError([{ path: 'output_type', message }]);
  }

  has(outputType: string): boolean {
    return this.parsers.has(outputType);
  }

  /** The known output types in the order of their registration. */
  names(): string[] {
    return [...this.parsers.keys()];
  }
}

/** A registry with every output type that comes with the product. */
export function createParserRegistry(): ParserRegistry {
  const validators = new SchemaValidators();
  return [
    textParser,
    markdownParser,
    htmlParser,
    jsonParser(validators),
    yamlParser,
    xmlParser,
    numberParser,
    booleanParser,
    dateParser,
    selectParser,
    multiSelectParser,
    structuredParser(validators),
  ].reduce((registry, parser) => registry.register(parser), new ParserRegistry());
}
