import { XMLValidator } from 'fast-xml-parser';
import { answerText, soleBlock } from './answer-text.js';
import { ParseError, type Parser } from './parser.js';
import { xmlFault } from './xml-faults.js';

/**
 * A well-formed XML document, kept as text. Document types and entities of its own are refused. Code
 * fences, and prose before the first and after the last tag, are left out.
 */
export const xmlParser: Parser = {
  outputType: 'xml',
  instructions: () =>
    'Answer with one well-formed XML document and nothing else: no DOCTYPE, no entities of your own.',
  parse: (text) => {
    const xml = between(answerText(text));
    const fault = xmlFault(xml) ?? validatorFault(xml);
    if (fault) throw notXml(fault);
    return xml;
  },
};

function between(answer: string): string {
  const source = answer.startsWith('<') ? answer : (soleBlock(answer) ?? answer);
  const start = source.indexOf('<');
  const end = source.lastIndexOf('>');
  if (start < 0 || end < start) throw notXml('it holds no tag');
  return source.slice(start, end + 1);
}

function validatorFault(xml: string): string | undefined {
  const result = XMLValidator.validate(xml);
  return result === true ? undefined : `${result.err.msg.slice(0, 150)} (line ${result.err.line})`;
}

function notXml(fault: string): ParseError {
  return new ParseError(`The answer is not usable XML: ${fault}. Answer with one well-formed XML document.`);
}
