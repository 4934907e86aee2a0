import { formatJson } from '../format/format-value.js';
import { PROMPT_LIMITS } from '../limits.js';
import { didYouMean, type Names } from '../prompt-scope.js';
import type { Call, Expression } from '../syntax/expression.js';
import { SyntaxFault, quoted, type Faults } from '../syntax/faults.js';
import type { BlockNode, TreeNode } from '../syntax/tree.js';
import { BLOCKS, MARK, PRINT } from './blocks.js';
import * as nodes from './handlebars-nodes.js';
import { HELPERS, type Form, type Helper } from './helpers.js';
import { References, type Read } from './references.js';

/** A Handlebars program with everything that it can read. */
export interface Program {
  ast: hbs.AST.Program;
  reads: Read[];
  usesAllFields: boolean;
  helpers: Set<string>;
}

/** Key of the text of `{*}` in the context. */
export const ALL_FIELDS = '*';

/**
 * Turns the tree of a template into a Handlebars program. What does not fit is noted and left out.
 *
 * @param marked whether the program marks everything that it prints of values.
 */
export function lower(tree: readonly TreeNode[], names: Names, faults: Faults, marked = false): Program {
  return new Lowering(new References(names, faults), faults, marked).program(tree);
}

class Lowering {
  private readonly helpers = new Set<string>();
  private usesAllFields = false;
  private tags = 0;

  constructor(
    private readonly references: References,
    private readonly faults: Faults,
    private readonly marked: boolean,
  ) {}

  program(tree: readonly TreeNode[]): Program {
    const ast = nodes.programNode(this.statements(tree), []);
    const { usesAllFields, helpers } = this;
    return { ast, reads: this.references.all(), usesAllFields, helpers };
  }

  private statements(tree: readonly TreeNode[]): hbs.AST.Statement[] {
    return tree.flatMap((node) => this.faults.catching(() => this.statement(node)) ?? []);
  }

  private statement(node: TreeNode): hbs.AST.Statement {
    switch (node.kind) {
      case 'text':
        return nodes.contentNode(node.value);
      case 'all':
        this.count(node.at);
        this.usesAllFields = true;
        return this.printed(nodes.contextPath([ALL_FIELDS]));
      case 'name':
        this.count(node.at);
        return this.printed(nodes.contextPath([this.references.read(node.name, node.at, 'text')]));
      case 'print':
        return this.print(node.expression);
      case 'block':
        return this.block(node);
    }
  }

  private print(expression: Expression): hbs.AST.Statement {
    const helper = this.helperWithoutArguments(expression);
    if (helper) throw wrongCount(expression.at, helper);
    const value = this.expression(expression, 'text');
    if (value.type === 'PathExpression') return this.printed(value as hbs.AST.PathExpression);
    if (value.type !== 'SubExpression') return nodes.contentNode((value as hbs.AST.StringLiteral).value);
    return this.printed(value as hbs.AST.SubExpression);
  }

  private printed(value: hbs.AST.PathExpression | hbs.AST.SubExpression): hbs.AST.Statement {
    if (this.marked) {
      this.helpers.add(MARK);
      return nodes.printNode(nodes.namePath(MARK), [value]);
    }
    if (value.type === 'PathExpression') return nodes.printNode(value as hbs.AST.PathExpression);
    const { path, params } = value as hbs.AST.SubExpression;
    return nodes.printNode(path, params);
  }

  private helperWithoutArguments(expression: Expression): Helper | undefined {
    const word = expression.kind === 'path' && expression.isWord ? expression.segments[0] : undefined;
    return word === undefined || this.references.isName(word) ? undefined : HELPERS.get(word);
  }

  private block(block: BlockNode): hbs.AST.Statement {
    const kind = BLOCKS.get(block.name);
    if (!kind && block.name !== '') this.faults.add(block.at, unknownBlock(block.name));
    this.count(block.at);
    const value = this.faults.catching(() => this.blockArgument(block)) ?? nodes.literalNode(null);
    const tagsBefore = this.tags;
    const lowerBody = () => this.statements(block.body);
    const scoped = kind?.opensScope
      ? this.references.inScope(kind.isLoop, lowerBody)
      : { result: lowerBody(), blockParams: [] };
    const params = kind?.isLoop ? [value, nodes.literalNode(1 + this.tags - tagsBefore)] : [value];
    const inverse = block.otherwise && nodes.programNode(this.statements(block.otherwise), []);
    this.helpers.add(block.name);
    return nodes.blockNode(block.name, params, nodes.programNode(scoped.result, scoped.blockParams), inverse);
  }

  private blockArgument(block: BlockNode): hbs.AST.Expression | undefined {
    if (!block.args || !BLOCKS.has(block.name)) return undefined;
    const [argument, ...more] = block.args;
    if (argument && more.length === 0) return this.expression(argument, 'value');
    throw new SyntaxFault(block.at, `{{#${block.name} x}} takes one argument, not ${block.args.length}.`);
  }

  /** In the form `text` it is a path to a text of the context, a text, or a call: something to print. */
  private expression(expression: Expression, form: 'text' | 'value'): hbs.AST.Expression {
    this.count(expression.at);
    switch (expression.kind) {
      case 'literal':
        return nodes.literalNode(form === 'text' ? formatJson(expression.value) : expression.value);
      case 'loop':
        return this.inForm(form, this.references.loopVariable(expression));
      case 'call':
        return this.call(expression, form);
      case 'path': {
        const { node, isText } = this.references.path(expression, form);
        return isText ? node : this.inForm(form, node);
      }
    }
  }

  private inForm(form: 'text' | 'value', value: hbs.AST.Expression): hbs.AST.Expression {
    if (form === 'value') return value;
    this.helpers.add(PRINT);
    return nodes.callNode(PRINT, [value]);
  }

  private call({ at, name, args }: Call, form: 'text' | 'value'): hbs.AST.Expression {
    const helper = HELPERS.get(name);
    if (!helper) throw new SyntaxFault(at, unknownHelper(name));
    if (!acceptsCount(helper, args.length)) throw wrongCount(at, helper);
    const wrong = helper.check?.(args);
    if (wrong !== undefined) throw new SyntaxFault(at, `The helper ${name} ${wrong}: {{${helper.usage}}}.`);
    this.helpers.add(name);
    return nodes.callNode(name, this.params(helper, args, form));
  }

  private params(helper: Helper, args: Expression[], form: 'text' | 'value'): hbs.AST.Expression[] {
    const given = args.map((argument, index) => {
      const wanted: Form = helper.params[index] ?? helper.params.at(-1) ?? 'value';
      const lowered = () => this.expression(argument, wanted === 'same' ? form : wanted);
      return this.faults.catching(lowered) ?? nodes.literalNode(null);
    });
    const missing = Math.max(0, helper.params.length - given.length);
    return [...given, ...Array.from({ length: missing }, () => nodes.literalNode(undefined))];
  }

  private count(at: number): void {
    this.tags += 1;
    if (this.tags !== PROMPT_LIMITS.tags + 1) return;
    const limit = PROMPT_LIMITS.tags.toLocaleString('en-US');
    this.faults.add(at, `The template has more than ${limit} placeholders, tags and arguments.`);
  }
}

function acceptsCount(helper: Helper, count: number): boolean {
  const least = helper.params.length - (helper.optional ?? 0);
  return count >= least && (helper.repeats === true || count <= helper.params.length);
}

function wrongCount(at: number, helper: Helper): SyntaxFault {
  return new SyntaxFault(at, `Wrong number of arguments: write {{${helper.usage}}}.`);
}

function unknownHelper(name: string): () => string {
  return () => `There is no helper ${quoted(name)}.${didYouMean(name, HELPERS.keys())}`;
}

function unknownBlock(name: string): () => string {
  const known = [...BLOCKS.keys()].map((block) => `#${block}`).join(', ');
  return () => `There is no block ${quoted(`#${name}`)}: use ${known}.`;
}
