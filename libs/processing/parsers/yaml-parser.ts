import type { Document } from 'yaml';
import { isScalar, Lexer, parseDocument, visit } from 'yaml';
import type { Json } from '#libs/common';
import { answerText, quoted, unfenced } from './answer-text.js';
import { ParseError, type Parser } from './parser.js';
import { MAX_DEPTH, safeJson, tooDeep } from './safe-json.js';

/** Characters; the library takes quadratic time over some broken texts, 0.4 s for one of this length. */
const MAX_LENGTH = 131_072;
/** The widest indentation, in columns; a level of nesting needs at least one. */
const MAX_INDENT = 2 * MAX_DEPTH;

/**
 * YAML 1.2 that JSON can express: a mapping or a sequence, since any sentence is a YAML string. Aliases,
 * tags, repeated keys, several documents and more than 128 KB are refused; dates stay text.
 */
export const yamlParser: Parser = {
  outputType: 'yaml',
  instructions: () =>
    'Answer with one YAML mapping or sequence and nothing else: no anchors, aliases or tags.',
  parse: (text) => parseYaml(unfenced(answerText(text))),
};

function parseYaml(source: string): Json {
  if (source.length > MAX_LENGTH) throw notYaml(`it is longer than ${MAX_LENGTH} characters`);
  boundNesting(source);
  // Repeated keys are looked for below: the library compares each key with every other.
  const document = parseDocument(source, {
    schema: 'core',
    customTags: [],
    resolveKnownTags: false,
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'error',
  });
  const [fault] = [...document.errors, ...document.warnings];
  if (fault) throw notYaml(fault.message, fault);
  refuseRepeatedKeys(document);
  const value = safeJson(toPlain(document));
  if (typeof value !== 'object' || value === null) {
    throw notYaml('it is neither a mapping nor a sequence');
  }
  return value;
}

/**
 * Bounds the nesting before anything recursive sees the text: near the end of the stack V8 ends the whole
 * process if it has to compile a regular expression there, and the YAML composer does.
 */
function boundNesting(source: string): void {
  let brackets = 0;
  let indicators = 0;
  let lineStart = true;
  for (const token of new Lexer().lex(source)) {
    if (token === '[' || token === '{') brackets++;
    else if (token === ']' || token === '}') brackets = Math.max(0, brackets - 1);
    else if (brackets === 0 && (token === '-' || token === '?' || token === ':')) indicators++;
    if (token.endsWith('\n')) indicators = 0;
    const indent = lineStart && token.startsWith(' ') ? token.length : 0;
    if (brackets > MAX_DEPTH || indicators > MAX_DEPTH || indent > MAX_INDENT) throw tooDeep();
    lineStart = token.endsWith('\n');
  }
}

function refuseRepeatedKeys(document: Document.Parsed): void {
  visit(document, {
    Map(_, map) {
      const seen = new Set<string>();
      for (const { key } of map.items) {
        const name = isScalar(key) ? String(key.value) : undefined;
        if (name === undefined) throw notYaml('a key is not a plain value');
        if (seen.has(name)) throw notYaml(`the key ${quoted(name)} is there twice`);
        seen.add(name);
      }
    },
  });
}

function toPlain(document: Document.Parsed): unknown {
  try {
    return document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    throw notYaml((error as Error).message, error);
  }
}

function notYaml(fault: string, cause?: unknown): ParseError {
  return new ParseError(
    `The answer is not usable YAML: ${fault.slice(0, 150)}. Answer with one plain YAML document.`,
    cause,
  );
}
