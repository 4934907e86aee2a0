import type { Source, Usage } from '../wires/wire.js';

/** What happens to a request that a rule takes. */
export type ScriptAction =
  /** 429, with `retry-after` where given. */
  | { type: 'rate_limit'; retry_after_s?: number }
  /** An error of the provider, in its own words and shape, with `retry-after` where given. */
  | { type: 'error'; status: number; message?: string; retry_after_s?: number }
  /** No answer, or none after the first `after_bytes` of the body; the socket stays open until the client or the server closes. */
  | { type: 'hang'; after_bytes?: number }
  /** The socket is destroyed after so many bytes of the body (default: half of it); 0 destroys it before the head. */
  | { type: 'cut'; after_bytes?: number }
  /** Valid HTTP whose content is broken JSON. */
  | { type: 'malformed' }
  /** Status 200 with a body, or stream, that is not JSON. */
  | { type: 'garbage' }
  | { type: 'refusal' }
  /** Half of the answer, ended as by `max_tokens`. */
  | { type: 'truncate' }
  /**
   * This text. `usage` replaces what was counted; `null` tells none. `pause` ends it as an unfinished tool turn
   * (Anthropic). `sources` are what it cites.
   */
  | { type: 'answer'; text: string; usage?: Partial<Usage> | null; pause?: boolean; sources?: Source[] }
  /** Waits until released, then does `then` (default: answers). */
  | { type: 'hold'; then?: Exclude<ScriptAction, { type: 'hold' }> };

/** One rule of the script. The first rule that fits a request takes it. */
export interface ScriptRule {
  /** All of these must fit; absent: any request. */
  match?: {
    model?: string;
    /** A part of the system message or of the user's messages. */
    prompt_includes?: string;
    api_key?: string;
  };
  /** How many requests the rule takes; default: any number. */
  times?: number;
  /** Chance that a fitting request is taken, from the simulator's seed; default 1. */
  probability?: number;
  /** Wait before the answer, in milliseconds; default: that of the simulator. */
  latency_ms?: number;
  /** Default: the usual answer, so that a rule may set nothing but a latency. */
  action?: ScriptAction;
}

const RULE_KEYS = ['match', 'times', 'probability', 'latency_ms', 'action'];
const MATCH_KEYS = ['model', 'prompt_includes', 'api_key'];
const USAGE_KEYS = [
  'input_tokens',
  'cache_read_tokens',
  'cache_write_tokens',
  'cache_write_1h_tokens',
  'output_tokens',
  'reasoning_tokens',
  'web_searches',
  'code_runs',
  'file_searches',
  'images',
];
const SOURCE_KEYS = ['url', 'title', 'quote'];
const ACTION_KEYS: Record<ScriptAction['type'], string[]> = {
  rate_limit: ['retry_after_s'],
  error: ['status', 'message', 'retry_after_s'],
  hang: ['after_bytes'],
  cut: ['after_bytes'],
  malformed: [],
  garbage: [],
  refusal: [],
  truncate: [],
  answer: ['text', 'usage', 'pause', 'sources'],
  hold: ['then'],
};

/**
 * Checks a script that came from outside.
 *
 * @throws TypeError that names the path of the first thing wrong, as in `rules[0].action.status: …`.
 */
export function readRules(given: unknown): ScriptRule[] {
  if (!Array.isArray(given)) throw new TypeError('rules: give a list of rules.');
  (given as unknown[]).forEach((rule, index) => checkRule(rule, `rules[${index}]`));
  return given as ScriptRule[];
}

function checkRule(given: unknown, path: string): void {
  const rule = objectAt(given, path, RULE_KEYS);
  if (rule.match !== undefined) {
    const match = objectAt(rule.match, `${path}.match`, MATCH_KEYS);
    for (const key of MATCH_KEYS) checkText(match[key], `${path}.match.${key}`);
  }
  checkNumber(rule.times, `${path}.times`, Number.MAX_SAFE_INTEGER, true);
  checkNumber(rule.probability, `${path}.probability`, 1);
  checkNumber(rule.latency_ms, `${path}.latency_ms`, 3_600_000);
  if (rule.action !== undefined) checkAction(rule.action, `${path}.action`);
}

function checkAction(given: unknown, path: string): void {
  const type = objectAt(given, path).type;
  if (typeof type !== 'string' || !Object.hasOwn(ACTION_KEYS, type)) {
    throw new TypeError(`${path}.type: must be one of ${Object.keys(ACTION_KEYS).join(', ')}.`);
  }
  const action = objectAt(given, path, ['type', ...ACTION_KEYS[type as ScriptAction['type']]]);
  checkNumber(action.retry_after_s, `${path}.retry_after_s`, 86_400);
  checkNumber(action.after_bytes, `${path}.after_bytes`, Number.MAX_SAFE_INTEGER, true);
  checkText(action.message, `${path}.message`);
  checkText(action.text, `${path}.text`);
  if (action.pause !== undefined && typeof action.pause !== 'boolean')
    throw new TypeError(`${path}.pause: must be true or false.`);
  if (type === 'answer' && action.text === undefined)
    throw new TypeError(`${path}.text: give the text to answer.`);
  if (type === 'error') checkStatus(action.status, `${path}.status`);
  if (action.usage !== undefined && action.usage !== null) checkUsage(action.usage, `${path}.usage`);
  if (action.sources !== undefined) checkSources(action.sources, `${path}.sources`);
  if (action.then !== undefined) checkThen(action.then, `${path}.then`);
}

function checkThen(given: unknown, path: string): void {
  checkAction(given, path);
  if (objectAt(given, path).type === 'hold')
    throw new TypeError(`${path}.type: a held request cannot be held again.`);
}

function checkStatus(status: unknown, path: string): void {
  if (typeof status === 'number' && Number.isInteger(status) && status >= 400 && status <= 599) return;
  throw new TypeError(`${path}: must be an HTTP status from 400 to 599.`);
}

function checkUsage(given: unknown, path: string): void {
  const usage = objectAt(given, path, USAGE_KEYS);
  for (const key of USAGE_KEYS) checkNumber(usage[key], `${path}.${key}`, 1_000_000_000, true);
}

function checkSources(given: unknown, path: string): void {
  if (!Array.isArray(given)) throw new TypeError(`${path}: must be a list.`);
  (given as unknown[]).forEach((item, index) => {
    const source = objectAt(item, `${path}[${index}]`, SOURCE_KEYS);
    for (const key of SOURCE_KEYS) {
      if (typeof source[key] !== 'string') throw new TypeError(`${path}[${index}].${key}: must be a text.`);
    }
  });
}

function objectAt(given: unknown, path: string, known?: string[]): Record<string, unknown> {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new TypeError(`${path}: must be an object.`);
  const unknown = known && Object.keys(given).find((key) => !known.includes(key));
  if (unknown !== undefined)
    throw new TypeError(`${path}.${unknown}: is not known; use ${known?.join(', ')}.`);
  return given as Record<string, unknown>;
}

function checkText(value: unknown, path: string): void {
  if (value !== undefined && typeof value !== 'string') throw new TypeError(`${path}: must be a text.`);
}

function checkNumber(value: unknown, path: string, most: number, whole = false): void {
  if (value === undefined) return;
  const fits =
    typeof value === 'number' && value >= 0 && value <= most && (!whole || Number.isInteger(value));
  if (!fits) throw new TypeError(`${path}: must be a ${whole ? 'whole ' : ''}number from 0 to ${most}.`);
}
