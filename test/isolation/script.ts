import type { ScriptRule } from '#libs/llm-simulator';
import { CUT, DEAR, HELD, SHARED_PROMPT, type Side } from './side.js';

/** How the provider answers: each tenant its own to the prompt that both have, and now and then not at all. */
export function scriptFor(sides: readonly Side[]): ScriptRule[] {
  return [
    ...steadyScriptFor(sides),
    { probability: 0.04, action: { type: 'cut' } },
    { probability: 0.05, action: { type: 'error', status: 500 } },
    { probability: 0.03, action: { type: 'refusal' } },
    { probability: 0.05, action: { type: 'malformed' } },
    { latency_ms: 20 },
  ];
}

/** The same without what luck decides, for what must be there before anything is tried. */
export function steadyScriptFor(sides: readonly Side[]): ScriptRule[] {
  return [
    ...sides.map((side): ScriptRule => ({
      match: { api_key: side.key()['api_key'], prompt_includes: SHARED_PROMPT },
      action: { type: 'answer', text: side.sharedAnswer },
    })),
    { match: { prompt_includes: CUT }, action: { type: 'cut' } },
    { match: { prompt_includes: HELD }, action: { type: 'hold' } },
    {
      match: { prompt_includes: DEAR },
      action: { type: 'answer', text: 'Long.', usage: { output_tokens: 100_000 } },
    },
  ];
}
