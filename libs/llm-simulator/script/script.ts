import { seededRandom } from '../answers/hash.js';
import type { Ask } from '../wires/wire.js';
import { readRules, type ScriptRule } from './rules.js';

/** The rules in force and how often each has been used. */
export class Script {
  private rules: { rule: ScriptRule; left: number }[] = [];
  private readonly random: () => number;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  /** Replaces the rules, or puts further ones behind them. */
  set(rules: ScriptRule[], append = false): void {
    const added = readRules(rules).map((rule) => ({ rule, left: rule.times ?? Infinity }));
    this.rules = append ? [...this.rules, ...added] : added;
  }

  clear(): void {
    this.rules = [];
  }

  /** The first rule that fits, counted as used; undefined where none does. */
  take(ask: Ask, apiKey: string): ScriptRule | undefined {
    const taken = this.rules.find(
      ({ rule, left }) => left > 0 && fits(rule, ask, apiKey) && this.falls(rule),
    );
    if (taken) taken.left -= 1;
    return taken?.rule;
  }

  private falls({ probability }: ScriptRule): boolean {
    return probability === undefined || this.random() < probability;
  }
}

function fits({ match }: ScriptRule, ask: Ask, apiKey: string): boolean {
  if (!match) return true;
  const said =
    match.prompt_includes === undefined ||
    ask.prompt.includes(match.prompt_includes) ||
    ask.system.includes(match.prompt_includes);
  return said && (match.model ?? ask.model) === ask.model && (match.api_key ?? apiKey) === apiKey;
}
