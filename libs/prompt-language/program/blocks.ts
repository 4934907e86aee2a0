import type Handlebars from 'handlebars';
import { PROMPT_LIMITS, tooLarge, type Meter } from '../limits.js';
import { HELPERS, isEmpty, isTrue, read, type Helper, type Value } from './helpers.js';

/** Key of the {@link Meter} in the context; no template can name it. */
export const METER = '#meter';

/** Key of the {@link Marks} in the context; no template can name it. */
export const MARKS = '#marks';

/** What stands before and after every value in a prompt whose values are marked as data. */
export interface Marks {
  open: string;
  close: string;
}

/** What Handlebars runs on: the values that the template reads, under the keys that its paths name. */
export interface ProgramContext {
  [METER]: Meter;
  [MARKS]?: Marks;
  [key: string]: unknown;
}

/** Helper behind `{{item}}` in a loop; no template can name it. */
export const PRINT = '#print';

/** Helper around everything that is printed of values, in a program that marks them. */
export const MARK = '#mark';

/** Blocks of the language, each with one argument. Those that open a scope give what stands for `this` in it. */
export const BLOCKS: ReadonlyMap<string, { opensScope: boolean; isLoop: boolean }> = new Map([
  ['if', { opensScope: false, isLoop: false }],
  ['unless', { opensScope: false, isLoop: false }],
  ['each', { opensScope: true, isLoop: true }],
  ['with', { opensScope: true, isLoop: false }],
]);

/** What a loop gives its body besides the item, in the order of its block parameters. */
export const LOOP_VARIABLES: readonly string[] = ['index', 'first', 'last', 'key'];

type Options = Handlebars.HelperOptions;

/** Block parameters stand for scopes, so every block runs with the same context. */
const BLOCK_HELPERS: Record<string, Handlebars.HelperDelegate> = {
  if(this: ProgramContext, value: Value, options: Options) {
    return isTrue(value) ? options.fn(this) : options.inverse(this);
  },
  unless(this: ProgramContext, value: Value, options: Options) {
    return isTrue(value) ? options.inverse(this) : options.fn(this);
  },
  with(this: ProgramContext, value: Value, options: Options) {
    return isEmpty(value) ? options.inverse(this) : options.fn(this, { blockParams: [value] });
  },
  each(this: ProgramContext, value: Value, tags: number, options: Options) {
    return eachOf(this, value, tags, options);
  },
};

/** The helpers for Handlebars by the names that a program uses. */
export function handlebarsHelpers(names: Iterable<string>): Record<string, Handlebars.HelperDelegate> {
  const helpers: Record<string, Handlebars.HelperDelegate> = {};
  for (const name of names) {
    const helper = HELPERS.get(name);
    helpers[name] = BLOCK_HELPERS[name] ?? INNER_HELPERS[name] ?? delegate(helper!);
  }
  return helpers;
}

function mark(this: ProgramContext, value: unknown): string {
  const text = value === undefined || value === null ? '' : String(value);
  const { open, close } = this[MARKS]!;
  return text === '' ? '' : `${open}${text}${close}`;
}

/** Helpers that no template names. */
const INNER_HELPERS: Record<string, Handlebars.HelperDelegate> = { [PRINT]: print, [MARK]: mark };

function print(this: ProgramContext, value: Value): string {
  return read(this[METER], value);
}

function delegate(helper: Helper): Handlebars.HelperDelegate {
  return function (this: ProgramContext, ...args: unknown[]) {
    return helper.run(this[METER], ...(args.slice(0, -1) as Value[]));
  };
}

function eachOf(context: ProgramContext, value: Value, tags: number, options: Options): string {
  if (typeof value !== 'object' || value === null) return options.inverse(context);
  const keys = Array.isArray(value) ? undefined : Object.keys(value);
  const items = Array.isArray(value) ? value : Object.values(value);
  let text = '';
  for (const [index, item] of items.entries()) {
    context[METER].round(tags);
    const last = index === items.length - 1;
    text += options.fn(context, { blockParams: [item, index, index === 0, last, keys?.[index] ?? index] });
    if (text.length > PROMPT_LIMITS.outputChars) throw tooLarge();
  }
  return items.length > 0 ? text : options.inverse(context);
}
