import type { Literal } from '../syntax/expression.js';

/** Handlebars reports no position of a program made here: everything wrong has been found before. */
const loc: hbs.AST.SourceLocation = {
  source: '',
  start: { line: 1, column: 0 },
  end: { line: 1, column: 0 },
};
const strip: hbs.AST.StripFlags = { open: false, close: false };
const hash = undefined as unknown as hbs.AST.Hash;

type LiteralNode =
  | hbs.AST.StringLiteral
  | hbs.AST.NumberLiteral
  | hbs.AST.BooleanLiteral
  | hbs.AST.NullLiteral
  | hbs.AST.UndefinedLiteral;

export function programNode(body: hbs.AST.Statement[], blockParams: string[]): hbs.AST.Program {
  return { type: 'Program', loc, body, blockParams };
}

export function contentNode(value: string): hbs.AST.Statement {
  const node = { type: 'ContentStatement', loc, value, original: strip } satisfies hbs.AST.ContentStatement;
  return node;
}

/** `./name`, a key of the context and never a helper. */
export function contextPath(parts: string[]): hbs.AST.PathExpression {
  return { type: 'PathExpression', loc, data: false, depth: 0, parts, original: './' };
}

/** A name that is a helper, or a block parameter with what follows it. */
export function namePath(name: string, rest: string[] = []): hbs.AST.PathExpression {
  return { type: 'PathExpression', loc, data: false, depth: 0, parts: [name, ...rest], original: name };
}

export function literalNode(value: Literal['value'] | undefined): LiteralNode {
  if (value === undefined) return { type: 'UndefinedLiteral', loc };
  if (value === null) return { type: 'NullLiteral', loc };
  if (typeof value === 'string') return { type: 'StringLiteral', loc, value, original: value };
  if (typeof value === 'number') return { type: 'NumberLiteral', loc, value, original: value };
  return { type: 'BooleanLiteral', loc, value, original: value };
}

export function callNode(name: string, params: hbs.AST.Expression[]): hbs.AST.SubExpression {
  return { type: 'SubExpression', loc, path: namePath(name), params, hash };
}

/** `{{path}}` or `{{helper …}}`. */
export function printNode(
  path: hbs.AST.PathExpression,
  params: hbs.AST.Expression[] = [],
): hbs.AST.Statement {
  const node = {
    type: 'MustacheStatement',
    loc,
    path,
    params,
    hash,
    escaped: false,
    strip,
  } satisfies hbs.AST.MustacheStatement;
  return node;
}

export function blockNode(
  name: string,
  params: hbs.AST.Expression[],
  program: hbs.AST.Program,
  inverse: hbs.AST.Program | undefined,
): hbs.AST.Statement {
  const node = {
    type: 'BlockStatement',
    loc,
    path: namePath(name),
    params,
    hash,
    program,
    inverse: inverse as hbs.AST.Program,
    openStrip: strip,
    inverseStrip: strip,
    closeStrip: strip,
  } satisfies hbs.AST.BlockStatement;
  return node;
}
