import type { HostField } from '#libs/host';
import type { Names } from '../prompt-scope.js';
import type { LoopVariable, Path } from '../syntax/expression.js';
import { SyntaxFault, quoted, type Faults } from '../syntax/faults.js';
import { LOOP_VARIABLES } from './blocks.js';
import * as nodes from './handlebars-nodes.js';

/** A value that the program reads from its context, under `key`. */
export interface Read {
  key: string;
  name: string;
  /** The field; undefined for a context variable. */
  field: HostField | undefined;
  /** Whether as its formatted text or as the value with its type. */
  form: 'text' | 'value';
}

/** What a path leads to: a text of the context, ready to be printed, or a value of any type. */
export interface Target {
  node: hbs.AST.PathExpression;
  isText: boolean;
}

interface Scope {
  /** Block parameter that holds what `this` stands for. */
  item: string;
  /** The block parameters `@index` and so on; empty in `{{#with}}`. */
  loopParams: string[];
}

/** Parts of a value that only a prototype has, or that stand for one. */
const PROTOTYPE_NAMES: ReadonlySet<string> = new Set([
  ...Object.getOwnPropertyNames(Object.prototype),
  'prototype',
]);

/**
 * Resolves the names of one template. It happens here and nowhere else, so the noted reads are complete: every
 * path begins at a key of the context or at the item of a loop.
 */
export class References {
  private readonly reads = new Map<string, Read>();
  private readonly scopes: Scope[] = [];

  constructor(
    private readonly names: Names,
    private readonly faults: Faults,
  ) {}

  all(): Read[] {
    return [...this.reads.values()];
  }

  /** Whether a bare word is a name here rather than a helper. */
  isName(word: string): boolean {
    return this.scopes.length > 0 || this.names.isKnown(word);
  }

  /** Runs a reading inside `{{#each}}` or `{{#with}}`, and gives the block parameters of its program. */
  inScope<T>(isLoop: boolean, run: () => T): { result: T; blockParams: string[] } {
    const level = this.scopes.length + 1;
    const loopParams = isLoop ? LOOP_VARIABLES.map((variable) => `${variable}${level}`) : [];
    const item = `item${level}`;
    this.scopes.push({ item, loopParams });
    const result = run();
    this.scopes.pop();
    return { result, blockParams: [item, ...loopParams] };
  }

  path(path: Path, form: 'text' | 'value'): Target {
    const level = this.scopes.length - path.up;
    if (level < 0) throw new SyntaxFault(path.at, '../ leads out of the record: there is nothing above it.');
    const scope = this.scopes[level - 1];
    if (scope) {
      refusePrototype(path.at, path.segments);
      return { node: nodes.namePath(scope.item, path.segments), isText: false };
    }
    const [name, ...rest] = path.segments;
    if (name === undefined) {
      throw new SyntaxFault(path.at, 'The record as a whole cannot be used: name its fields, or write {*}.');
    }
    refusePrototype(path.at, rest);
    const isText = form === 'text' && rest.length === 0;
    const key = this.read(name, path.at, isText ? 'text' : 'value');
    return { node: nodes.contextPath([key, ...rest]), isText };
  }

  loopVariable({ at, name }: LoopVariable): hbs.AST.PathExpression {
    const index = LOOP_VARIABLES.indexOf(name);
    if (index < 0) {
      throw new SyntaxFault(
        at,
        `There is no ${quoted(`@${name}`)}: a loop has @${LOOP_VARIABLES.join(', @')}.`,
      );
    }
    const param = this.scopes.findLast((scope) => scope.loopParams.length > 0)?.loopParams[index];
    if (param === undefined) throw new SyntaxFault(at, `@${name} stands in no {{#each}}.`);
    return nodes.namePath(param);
  }

  /** Notes that the program reads a field or variable, and gives the key under which it finds it. */
  read(name: string, at: number, form: 'text' | 'value'): string {
    const meaning = this.names.meaningOf(name);
    const key = form === 'text' ? name : `=${name}`;
    if (meaning.kind === 'unknown') {
      const wrong = () => `There is no field or variable ${quoted(name)}.${this.names.suggestion(name)}`;
      this.faults.add(at, wrong);
    } else if (meaning.kind === 'refused') {
      this.faults.add(at, `The field ${quoted(name)} cannot be used: ${meaning.reason}.`);
    } else {
      this.reads.set(key, { key, name, form, field: meaning.kind === 'field' ? meaning.field : undefined });
    }
    return key;
  }
}

function refusePrototype(at: number, segments: readonly string[]): void {
  const hidden = segments.find((segment) => PROTOTYPE_NAMES.has(segment));
  if (hidden !== undefined) throw new SyntaxFault(at, `${quoted(hidden)} is no part of a value.`);
}
