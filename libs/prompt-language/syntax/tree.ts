import { PROMPT_LIMITS } from '../limits.js';
import type { Expression } from './expression.js';
import type { Faults } from './faults.js';
import { ExpressionReader } from './read-expression.js';
import type { TagToken, Token } from './tokens.js';

export interface BlockNode {
  kind: 'block';
  at: number;
  name: string;
  /** Undefined where they could not be read, which has been noted. */
  args: Expression[] | undefined;
  body: TreeNode[];
  otherwise: TreeNode[] | undefined;
}

export type TreeNode =
  | BlockNode
  | { kind: 'text'; value: string }
  | { kind: 'name'; at: number; name: string }
  | { kind: 'all'; at: number }
  | { kind: 'print'; expression: Expression };

/** Puts the tokens of a template into the tree of its blocks. What does not fit is noted and left out. */
export function buildTree(source: string, tokens: readonly Token[], faults: Faults): TreeNode[] {
  return new TreeBuilder(source, faults).build(tokens);
}

interface OpenBlock {
  block: BlockNode;
  /** Begun by `{{else if …}}`, so that the end of the block around it ends it too. */
  isBranch: boolean;
}

class TreeBuilder {
  private readonly root: TreeNode[] = [];
  private readonly open: OpenBlock[] = [];

  constructor(
    private readonly source: string,
    private readonly faults: Faults,
  ) {}

  build(tokens: readonly Token[]): TreeNode[] {
    for (const token of tokens) {
      if (token.kind === 'tag') this.tag(token);
      else if (token.kind === 'name') this.append({ kind: 'name', at: token.start, name: token.name });
      else this.append(token.kind === 'all' ? { kind: 'all', at: token.start } : token);
    }
    for (const { block, isBranch } of this.open) {
      if (!isBranch) this.faults.add(block.at, `{{#${block.name}}} is never closed: add {{/${block.name}}}.`);
    }
    return this.root;
  }

  private tag(tag: TagToken): void {
    if (tag.role === 'print') this.print(tag);
    else if (tag.role === 'open') this.begin(this.block(tag, this.reader(tag)), false);
    else if (tag.role === 'else') this.otherwise(tag);
    else if (tag.role === 'close') this.close(tag);
  }

  private print(tag: TagToken): void {
    const expression = this.faults.catching(() => this.reader(tag).statement());
    if (expression) this.append({ kind: 'print', expression });
  }

  private block(tag: TagToken, reader: ExpressionReader): BlockNode {
    const head = this.faults.catching(() => reader.word());
    const args = head && this.faults.catching(() => reader.operandsToEnd());
    return { kind: 'block', at: tag.start, name: head?.name ?? '', args, body: [], otherwise: undefined };
  }

  private begin(block: BlockNode, isBranch: boolean): void {
    if (this.open.length < PROMPT_LIMITS.nesting) this.append(block);
    else if (this.open.length === PROMPT_LIMITS.nesting) {
      this.faults.add(block.at, `Blocks are nested deeper than ${PROMPT_LIMITS.nesting} levels.`);
    }
    this.open.push({ block, isBranch });
  }

  private otherwise(tag: TagToken): void {
    const current = this.open.at(-1)?.block;
    if (!current || current.otherwise) {
      const wrong = current ? 'This block has an {{else}} already.' : '{{else}} stands in no block.';
      this.faults.add(tag.start, wrong);
      return;
    }
    current.otherwise = [];
    const reader = this.reader(tag);
    if (!reader.isAtEnd()) this.begin(this.block(tag, reader), true);
  }

  private close(tag: TagToken): void {
    const reader = this.reader(tag);
    const name = this.faults.catching(() => reader.word())?.name;
    if (name === undefined) return;
    if (!reader.isAtEnd()) this.faults.add(tag.start, `Write {{/${name}}} with nothing after the name.`);
    const index = this.open.findLastIndex(({ isBranch }) => !isBranch);
    const opened = this.open[index]?.block;
    if (!opened) {
      this.faults.add(tag.start, `{{/${name}}} closes nothing.`);
      return;
    }
    if (opened.name !== name && opened.name !== '') {
      const wrong = () =>
        `{{/${name}}} does not close {{#${opened.name}}} of ${this.faults.position(opened.at)}.`;
      this.faults.add(tag.start, wrong);
    }
    this.open.length = index;
  }

  private append(node: TreeNode): void {
    const current = this.open.at(-1)?.block;
    (current ? (current.otherwise ?? current.body) : this.root).push(node);
  }

  private reader(tag: TagToken): ExpressionReader {
    return new ExpressionReader(this.source, tag.from, tag.to);
  }
}
