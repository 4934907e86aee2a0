import { answerText, soleBlock } from './answer-text.js';
import { ParseError, type Parser } from './parser.js';
import { safeHtml, safeMarkdown } from './sanitise.js';

/** The answer as it is, without white space around it. */
export const textParser: Parser = {
  outputType: 'text',
  instructions: () => '',
  parse: (text) => answerText(text),
};

/**
 * Markdown. It stays as it is unless it holds raw HTML; then tags that `html` would not allow are escaped,
 * so that they show as text. Link targets written in Markdown are for whoever renders it to check.
 */
export const markdownParser: Parser = {
  outputType: 'markdown',
  instructions: () => 'Answer in Markdown, without raw HTML.',
  parse: (text) => something(safeMarkdown(answerText(text))),
};

/** An HTML fragment of text, lists, tables and links; scripts, styles and event handlers are dropped. */
export const htmlParser: Parser = {
  outputType: 'html',
  instructions: () =>
    'Answer with an HTML fragment only: no document head, scripts, styles, images or code fences.',
  parse: (text) => {
    const answer = answerText(text);
    return something(safeHtml(answer.startsWith('<') ? answer : (soleBlock(answer) ?? answer)).trim());
  },
};

function something(text: string): string {
  if (text === '')
    throw new ParseError(
      'Nothing is left of the answer without scripts and other unsafe HTML. Answer with text.',
    );
  return text;
}
